"""What constructors expect of their arguments."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

GRADIENTS = ("by_hand", "automatic")
JIT = ("auto", True, False)


def positive_integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(f"{name}: expected a positive integer. Received: {value!r}")
    return int(value)


def share(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected a share in [0, 1). Received: {value!r}")
    return value


def one_of(name: str, value: object, accepted: Collection) -> object:
    if value not in accepted:
        raise ValueError(f"{name}: expected one of {list(accepted)}. Received: {value!r}")
    return value
