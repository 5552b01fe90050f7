"""What a server says of its models, as JSON has it over REST and over gRPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.inputs import Spec
from zoo.predictor import Signature

# Strings are objects; `DT_HALF` and `DT_DOUBLE` are the names that differ from NumPy's.
_DTYPES = {"DT_STRING": np.dtype(object), "DT_HALF": np.dtype("float16")}
_DTYPES |= {"DT_FLOAT": np.dtype("float32"), "DT_DOUBLE": np.dtype("float64")}
_DTYPES |= {
    f"DT_{name.upper()}": np.dtype(name)
    for name in ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}

AVAILABLE = "AVAILABLE"


@dataclass(frozen=True)
class State:
    """Of a version on a server.

    Attributes:
        name: START, LOADING, AVAILABLE, UNLOADING or END.
        error: what went wrong, "" where nothing did.
    """

    name: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.error})" if self.error else self.name


def states_of(message: Sequence[Mapping[str, Any]]) -> dict[int, State]:
    """By version, the states in a `model_version_status`.

    Example:
        >>> status = {"error_code": "NOT_FOUND", "error_message": "no file"}
        >>> states = states_of([{"version": "2", "state": "END", "status": status}])
        >>> {version: str(state) for version, state in states.items()}
        {2: 'END (NOT_FOUND: no file)'}
    """

    def error(status: Mapping[str, Any]) -> str:
        code = str(status.get("error_code", "OK"))
        return "" if code in ("OK", "0") else f"{code}: {status.get('error_message', '')}"

    return {
        int(one.get("version", 0)): State(one.get("state", "UNKNOWN"), error(one.get("status", {})))
        for one in message
    }


def signatures_of(message: Mapping[str, Any]) -> dict[str, Signature]:
    """The signatures in a `SignatureDefMap`; numbers of 64 bits are strings there."""

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
