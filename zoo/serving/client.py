"""Asks a model that TensorFlow Serving serves, and gives what `zoo.load` gives.

The same names, dtypes, shapes and values, over REST or gRPC. REST needs the standard library and
NumPy alone; gRPC needs `pip install tensorflow-serving-api`.
"""

from __future__ import annotations

import abc
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np

from zoo.predictor import Predictor, Signature, Spec

_SECONDS_BEFORE_RETRY = 0.2
LONGEST_SECONDS = 2.0

# Strings are objects; `DT_HALF` and `DT_DOUBLE` are the names that differ from NumPy's.
_DTYPES = {"DT_STRING": np.dtype(object), "DT_HALF": np.dtype("float16")}
_DTYPES |= {"DT_FLOAT": np.dtype("float32"), "DT_DOUBLE": np.dtype("float64")}
_DTYPES |= {
    f"DT_{name.upper()}": np.dtype(name)
    for name in ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}

_T = TypeVar("_T")


class ServerError(RuntimeError):
    """A server has answered that it cannot do what it was asked to."""


class NoSignature(ServerError, ValueError):  # noqa: N818
    """The model that a server serves has no signature of this name."""


class ServerDown(ConnectionError):  # noqa: N818
    """No server could be reached, or it hung up each time."""


class Lost(Exception):  # noqa: N818
    """A connection was refused or broke off: worth another attempt."""


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
    try:
        # REST has a usual port, gRPC has none.
        kinds = {"http", "https", "grpc"} if parts.port else {"http", "https"}
    except ValueError:  # what is given for the port is no number
        kinds = set()
    if not parts.hostname or parts.scheme not in kinds:
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
    if parts.scheme == "grpc":
        from zoo.serving.over_grpc import GrpcClient

        return GrpcClient(address, name, version, label, timeout, retries)
    from zoo.serving.over_rest import RestClient

    return RestClient(address, name, version, label, timeout, retries)


class Client(Predictor):
    """A model on a server, as `connect` makes it; it may be asked from several threads.

    Attributes:
        address: of the server.
        name, version, label: of the model; version and label are None for the newest version.
    """

    _no_signature = NoSignature

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
        self._signatures: Mapping[str, Signature] | None = None

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The questions that the model answers, by name; the server is asked for them once.

        Raises:
            ServerError, ServerDown, TimeoutError: as `ask` raises them.
        """
        known = self._signatures or self._retrying(self._read_signatures)
        self._signatures = known
        return known

    def ask(self, signature: str, inputs: Mapping[str, object]) -> dict[str, np.ndarray]:
        """Asks a signature, as all predictors are asked.

        Args:
            signature: its name, one of `signatures`.
            inputs: by name, each a tensor, an array, a list or a generator, with the batch as first
                axis. Texts are `str`, or `bytes` that need not be UTF-8.

        Returns:
            The signature's outputs by name, with the dtypes and ranks that the model has; texts are
            `str`.

        Raises:
            ServerError: there is no such model, version, label or signature, or it failed.
            ServerDown: no server could be reached.
            TimeoutError: the answer took longer than `timeout`.
            ValueError: there is no such signature, or its inputs are other ones, or an input cannot
                be made what the signature takes without loss.
        """
        try:
            return super().ask(signature, inputs)
        except ServerError:
            # The server may have gone on to a version with other signatures.
            self._signatures = None
            raise

    @property
    def _place(self) -> str:
        return f"{self.address}, {self.name!r}"

    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self.signatures[signature].outputs
        return self._retrying(lambda: self._predict(signature, inputs, outputs))

    @abc.abstractmethod
    def _read_signatures(self) -> dict[str, Signature]:
        """What the server says that the model answers."""

    @abc.abstractmethod
    def _predict(
        self, signature: str, inputs: dict[str, np.ndarray], outputs: dict[str, Spec]
    ) -> dict[str, np.ndarray]:
        """What the server answers, in the types of `outputs`."""

    def _retrying(self, question: Callable[[], _T]) -> _T:
        pause = _SECONDS_BEFORE_RETRY
        for attempt in itertools.count(1):
            try:
                return question()
            except Lost as lost:
                if attempt > self._retries:
                    raise ServerDown(
                        f"{self.address}: expected TensorFlow Serving to answer. Received, in "
                        f"{attempt} attempts: {lost}. Start it: `docker compose up`; REST has port "
                        "8501, gRPC port 8500"
                    ) from lost
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_SECONDS)
        raise AssertionError("the loop has no end")

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


def signatures_of(message: Mapping[str, Any]) -> dict[str, Signature]:
    """The signatures in a `SignatureDefMap` in JSON; numbers of 64 bits are strings there."""

    def specs(infos: Mapping[str, Any]) -> dict[str, Spec]:
        return {name: Spec(_DTYPES[i["dtype"]], shape(i)) for name, i in infos.items()}

    def shape(info: Mapping[str, Any]) -> tuple[int | None, ...] | None:
        if info["tensor_shape"].get("unknown_rank"):
            return None
        sizes = [int(dim.get("size", 0)) for dim in info["tensor_shape"].get("dim", ())]
        return tuple(None if size < 0 else size for size in sizes)

    return {
        name: Signature(specs(one.get("inputs", {})), specs(one.get("outputs", {})))
        for name, one in message["signature_def"].items()
        if not name.startswith("__")  # what initializes a SavedModel is one too
    }
