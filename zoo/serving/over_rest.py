"""Asks TensorFlow Serving over REST, with the standard library and NumPy alone."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from zoo.inputs import Spec
from zoo.predictor import Signature
from zoo.serving.asking import Client, Target
from zoo.serving.deadline import Deadline
from zoo.serving.errors import Lost
from zoo.serving.messages import State, signatures_of, states_of
from zoo.serving.sockets import Connection


class RestClient(Client):
    """A model on a server, asked over HTTP; each question is a connection of its own."""

    def __init__(self, target: Target):
        super().__init__(target)
        self._parts = urlsplit(target.address)
        self._tls = ssl.create_default_context() if self._parts.scheme == "https" else None
        model = f"{self._parts.path.rstrip('/')}/v1/models/{quote(target.name, safe='')}"
        if target.version is not None:
            model += f"/versions/{target.version}"
        self._status_path = self._path = model
        if target.label is not None:
            self._path += f"/labels/{quote(target.label, safe='')}"

    def read_signatures(self, deadline: Deadline) -> dict[str, Signature]:
        answer = self._request("metadata", "GET", f"{self._path}/metadata", deadline)
        return signatures_of(answer["signature_def"])

    def read_states(self, deadline: Deadline) -> dict[int, State]:
        return states_of(self._request("model_version_status", "GET", self._status_path, deadline))

    def _predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: dict[str, Spec],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        values = {name: _as_json(array.tolist()) for name, array in inputs.items()}
        question = {"signature_name": signature, "inputs": values}
        body = json.dumps(question, ensure_ascii=False).encode()
        answer = self._request("outputs", "POST", f"{self._path}:predict", deadline, body)
        if len(outputs) == 1:  # a single output comes without its name
            answer = dict.fromkeys(outputs, answer)
        if not isinstance(answer, dict) or answer.keys() != outputs.keys():
            raise self._error("outputs that this version had not. Ask again", signature)
        return {name: _as_output(answer[name], spec) for name, spec in outputs.items()}

    def _request(
        self, key: str, method: str, path: str, deadline: Deadline, body: bytes | None = None
    ) -> Any:
        """What stands under a key in the JSON of an answer."""
        self._check_open()
        connection = Connection(self._parts.hostname or "", self._parts.port, self._tls, deadline)
        try:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                content = response.read().decode("utf-8", "replace")
        except TimeoutError as error:
            raise self._too_late(deadline) from error
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error) or type(error).__name__) from error
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


def _as_output(value: Any, spec: Spec) -> np.ndarray:
    """An array of nested lists. The sizes behind an empty axis are not in them, but in `spec`."""
    array = np.array(value, spec.dtype)
    if array.size == 0 and spec.shape is not None:
        array = array.reshape(array.shape + tuple(size or 0 for size in spec.shape[array.ndim :]))
    if spec.dtype.kind != "O":
        return array
    # An output whose name ends in `_bytes` comes in base64.
    texts = [
        base64.b64decode(one["b64"]) if isinstance(one, dict) else one for one in array.ravel()
    ]
    return np.array(texts, object).reshape(array.shape)
