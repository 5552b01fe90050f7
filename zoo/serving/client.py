"""Asks a model that TensorFlow Serving serves, and gives what `zoo.load` gives.

The same names, dtypes, shapes and values, over REST or gRPC. REST needs the standard library and
NumPy alone; gRPC needs `pip install tensorflow-serving-api`.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np

# Strings are objects; `DT_HALF` and `DT_DOUBLE` are the names that differ from NumPy's.
_DTYPES = {"DT_STRING": np.dtype(object), "DT_HALF": np.dtype("float16")}
_DTYPES |= {"DT_FLOAT": np.dtype("float32"), "DT_DOUBLE": np.dtype("float64")}
_DTYPES |= {
    f"DT_{name.upper()}": np.dtype(name)
    for name in ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}

_SECONDS_BEFORE_RETRY = 0.2
_LONGEST_SECONDS = 2.0
_LARGEST_MESSAGE = 2**30


class ServerError(RuntimeError):
    """A server has answered that it cannot do what it was asked to."""


class ServerDown(ConnectionError):  # noqa: N818
    """No server could be reached, or it hung up each time."""


class _Lost(Exception):  # noqa: N818
    """A connection was refused or broke off: worth another attempt."""


class _Tensor(NamedTuple):
    dtype: np.dtype
    shape: tuple[int, ...]  # -1 where a size is not known


class _Signature(NamedTuple):
    inputs: dict[str, _Tensor]
    outputs: dict[str, _Tensor]


def connect(
    address: str,
    name: str,
    *,
    version: int | None = None,
    label: str | None = None,
    timeout: float = 10.0,
    retries: int = 3,
) -> Client:
    """A model on a server. Nothing is sent before the first question.

    Args:
        address: `http://HOST:PORT` or `https://HOST:PORT` for REST, where a path may follow, or
            `grpc://HOST:PORT`. TensorFlow Serving's ports are 8501 and 8500.
        name: of the model.
        version: by default the newest that is served.
        label: of a version, in place of its number.
        timeout: seconds that an answer may take. A time-out is not retried.
        retries: how often a question is asked again when the connection is refused or lost, after
            pauses that grow from 0.2 to 2 seconds.

    Raises:
        ValueError: an argument is not one of these.
        ImportError: gRPC is not installed.

    Example:
        >>> model = connect("http://localhost:8501", "ner_wikiann")
        >>> model("Teddy Roosevelt smiled.")["tags"].tolist()  # doctest: +SKIP
        [['B-PER', 'I-PER', 'O', 'O']]
    """
    parts = urlsplit(address)
    kinds = {"http": _RestClient, "https": _RestClient, "grpc": _GrpcClient}
    try:
        known = parts.hostname and parts.scheme in kinds and (parts.port or parts.scheme != "grpc")
    except ValueError:  # no number is given for the port
        known = False
    if not known:
        raise ValueError(
            "expected an address such as 'http://localhost:8501' or 'grpc://localhost:8500'. "
            f"Received: {address!r}"
        )
    if version is not None and label is not None:
        raise ValueError(
            f"expected a version or a label. Received: version={version!r}, label={label!r}"
        )
    if not timeout > 0 or retries < 0:
        raise ValueError(f"expected timeout > 0 and retries >= 0. Received: {timeout=}, {retries=}")
    return kinds[parts.scheme](address, name, version, label, timeout, retries)


class Client:
    """A model on a server, as `connect` makes it; it may be asked from several threads.

    Attributes:
        address: of the server.
        name, version, label: of the model; version and label are None for the newest version.
    """

    def __init__(
        self,
        address: str,
        name: str,
        version: int | None,
        label: str | None,
        timeout: float,
        retries: int,
    ):
        self.address, self.name, self.version, self.label = address, name, version, label
        self._timeout, self._retries = timeout, retries
        self._signatures: dict[str, _Signature] | None = None

    def __call__(self, texts: str | Sequence[str]) -> dict[str, np.ndarray]:
        """The answers for a text or several: arrays with the batch as first axis.

        Raises:
            ServerError, ServerDown, TimeoutError: as `ask` raises them.
        """
        texts = [texts] if isinstance(texts, str | bytes) else list(texts)
        return self.ask("serving_default", {"text": texts})

    def ask(self, signature: str, inputs: Mapping[str, object]) -> dict[str, np.ndarray]:
        """Asks a signature; texts come back as `str`.

        Args:
            signature: its name.
            inputs: arrays, or what NumPy makes arrays of, by name. Texts are `str` or `bytes`,
                which need not be UTF-8.

        Returns:
            The signature's outputs by name, with the dtypes and ranks that the model has.

        Raises:
            ServerError: there is no such model, version, label or signature, or it failed.
            ServerDown: no server could be reached.
            TimeoutError: the answer took longer than `timeout`.
            ValueError: the inputs are other ones, or of another type.
        """
        try:
            known = self._signatures or self._retrying(self._read_signatures)
            self._signatures = known
            if signature not in known:
                raise self._error(f"it serves the signatures {sorted(known)}", signature)
            found = known[signature]
            if inputs.keys() != found.inputs.keys():
                raise ValueError(
                    f"{signature}: expected inputs {sorted(found.inputs)}. "
                    f"Received: {sorted(inputs)}"
                )
            arrays = {n: _as_input(n, value, found.inputs[n].dtype) for n, value in inputs.items()}
            return _trimmed(self._retrying(lambda: self._predict(signature, arrays, found.outputs)))
        except ServerError:
            # The server may have gone on to a version with other signatures.
            self._signatures = None
            raise

    def _read_signatures(self) -> dict[str, _Signature]:
        raise NotImplementedError

    def _predict(
        self, signature: str, inputs: dict[str, np.ndarray], outputs: dict[str, _Tensor]
    ) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _retrying(self, question: Callable[[], Any]) -> Any:
        pause = _SECONDS_BEFORE_RETRY
        for attempts_left in range(self._retries, -1, -1):
            try:
                return question()
            except _Lost as lost:
                if not attempts_left:
                    raise ServerDown(
                        f"{self.address}: expected TensorFlow Serving to answer. Received, in "
                        f"{self._retries + 1} attempts: {lost}. Start it: `docker compose up`; "
                        "REST has port 8501, gRPC port 8500"
                    ) from lost
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_SECONDS)

    def _error(self, said: str, signature: str | None = None) -> ServerError:
        asked = [repr(self.name)]
        asked += [f"version {self.version}"] if self.version is not None else []
        asked += [f"label {self.label!r}"] if self.label is not None else []
        asked += [f"signature {signature!r}"] if signature is not None else []
        return ServerError(
            f"{self.address}: asked for {', '.join(asked)}, the server said: {said}. Check the "
            "model's name, its version and the inputs; `docker compose logs` shows the server's log"
        )

    def _too_late(self) -> TimeoutError:
        return TimeoutError(
            f"{self.address}: expected an answer within {self._timeout} seconds, there was none. "
            "Ask with fewer texts at once, or connect with a larger `timeout`"
        )


class _RestClient(Client):
    def __init__(self, address: str, name: str, version: int | None, label: str | None, *limits):
        super().__init__(address, name, version, label, *limits)
        self._parts = urlsplit(address)
        self._path = f"{self._parts.path.rstrip('/')}/v1/models/{quote(name, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        if label is not None:
            self._path += f"/labels/{quote(label, safe='')}"

    def _read_signatures(self):
        return _signatures(self._request("metadata", "GET", "/metadata")["signature_def"])

    def _predict(self, signature, inputs, outputs):
        values = {name: _as_json(array.tolist()) for name, array in inputs.items()}
        question = {"signature_name": signature, "inputs": values}
        body = json.dumps(question, ensure_ascii=False).encode()
        answer = self._request("outputs", "POST", ":predict", body)
        if len(outputs) == 1:  # a single output comes without its name
            answer = dict.fromkeys(outputs, answer)
        if not isinstance(answer, dict) or answer.keys() != outputs.keys():
            raise self._error("outputs that this version had not. Ask again", signature)
        return {name: _as_output(answer[name], *outputs[name]) for name in outputs}

    def _request(self, key: str, method: str, what: str, body: bytes | None = None) -> Any:
        """What stands under a key in the JSON of an answer."""
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._parts.hostname, self._parts.port, timeout=self._timeout)
        try:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request(method, self._path + what, body, headers)
            response = connection.getresponse()
            content = response.read().decode("utf-8", "replace")
        except TimeoutError as error:
            raise self._too_late() from error
        except (OSError, http.client.HTTPException) as error:
            raise _Lost(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        if response.status != 200 or key not in answer:
            said = answer.get("error") or content or response.reason
            raise self._error(f"{said} (HTTP {response.status})")
        return answer[key]


class _GrpcClient(Client):
    def __init__(self, address: str, name: str, version: int | None, label: str | None, *limits):
        super().__init__(address, name, version, label, *limits)
        try:
            import grpc
            from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2
            from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
        except ImportError as error:
            raise ImportError(
                f"{address}: expected gRPC and TensorFlow Serving's protocol to be installed: "
                f"`pip install tensorflow-serving-api`. Received: {error}. REST needs neither"
            ) from error
        self._grpc, self._metadata, self._messages = grpc, get_model_metadata_pb2, predict_pb2
        self._model = model_pb2.ModelSpec(name=name, version_label=label)
        if version is not None:
            self._model.version.value = version
        options = {
            "grpc.max_send_message_length": _LARGEST_MESSAGE,
            "grpc.max_receive_message_length": _LARGEST_MESSAGE,
            # gRPC waits on its own before it connects again: no longer than the pauses here.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": int(1000 * _LONGEST_SECONDS),
        }
        self._channel = grpc.insecure_channel(urlsplit(address).netloc, list(options.items()))
        self._stub = PredictionServiceStub(self._channel)

    def _read_signatures(self):
        from google.protobuf.json_format import MessageToDict

        request = self._metadata.GetModelMetadataRequest(
            model_spec=self._model, metadata_field=["signature_def"]
        )
        answer = self._call(self._stub.GetModelMetadata, request)
        found = self._metadata.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return _signatures(MessageToDict(found, preserving_proto_field_name=True))

    def _predict(self, signature, inputs, outputs):
        import tensorflow as tf

        from zoo.catalog.loading import as_array

        request = self._messages.PredictRequest(model_spec=self._model)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            dtype = tf.string if array.dtype.kind == "O" else array.dtype
            proto = tf.make_tensor_proto(array, dtype, array.shape)
            request.inputs[name].CopyFrom(proto)
        answer = self._call(self._stub.Predict, request)
        return {name: as_array(tf.make_ndarray(value)) for name, value in answer.outputs.items()}

    def _call(self, method: Callable, request: Any) -> Any:
        codes = self._grpc.StatusCode
        try:
            return method(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            if error.code() == codes.DEADLINE_EXCEEDED:
                raise self._too_late() from error
            if error.code() == codes.UNAVAILABLE:
                raise _Lost(error.details()) from error
            raise self._error(f"{error.details()} ({error.code().name})") from error


def _signatures(message: Mapping) -> dict[str, _Signature]:
    """A `SignatureDefMap` in JSON; numbers of 64 bits are strings there."""

    def tensors(infos: Mapping) -> dict[str, _Tensor]:
        return {
            name: _Tensor(
                _DTYPES[info["dtype"]],
                tuple(int(dim.get("size", 0)) for dim in info["tensor_shape"].get("dim", ())),
            )
            for name, info in infos.items()
        }

    return {
        name: _Signature(tensors(one.get("inputs", {})), tensors(one.get("outputs", {})))
        for name, one in message["signature_def"].items()
        if not name.startswith("__")  # what initializes a SavedModel is one too
    }


def _trimmed(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the steps that only another client's texts have, which ran in the same batch."""
    if "lengths" not in outputs:
        return outputs
    longest = int(np.max(outputs["lengths"], initial=0))
    return {name: v[:, :longest] if v.ndim > 1 else v for name, v in outputs.items()}


def _as_input(name: str, value: object, dtype: np.dtype) -> np.ndarray:
    """An array of a dtype; texts as an array of bytes.

    Raises:
        ValueError: not without loss.
    """
    if dtype.kind == "O":
        array = np.array(value, object)
        texts = [text.encode() if isinstance(text, str) else text for text in array.ravel()]
        if not all(isinstance(text, bytes) for text in texts):
            raise ValueError(f"{name}: expected texts, in rows of one length. Received: {value!r}")
        return np.array(texts, object).reshape(array.shape)
    given = np.asarray(value)
    with np.errstate(invalid="ignore"):
        array = given.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(array, given):
        raise ValueError(f"{name}: expected {dtype}. Received: {value!r}")
    return array


def _as_json(value: Any) -> Any:
    """Nested lists with bytes as JSON has them."""
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _as_output(value: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """An array of nested lists. The sizes behind an empty axis are not in them, but in `shape`."""
    array = np.array(value, dtype)
    if array.size == 0:
        array = array.reshape(array.shape + tuple(max(size, 0) for size in shape[array.ndim :]))
    if dtype.kind != "O":
        return array
    # An output whose name ends in `_bytes` comes in base64.
    texts = [
        base64.b64decode(one["b64"]).decode("utf-8", "replace") if isinstance(one, dict) else one
        for one in array.ravel()
    ]
    return np.array(texts, object).reshape(array.shape)
