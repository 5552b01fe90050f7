"""What constructors expect of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import numpy as np

# What Keras takes for an activation, an initializer, a regularizer or a constraint.
Identifier = str | dict | Callable | None
Accepted = TypeVar("Accepted")

GRADIENTS = ("by_hand", "automatic")
JIT: tuple[bool | str, ...] = ("auto", True, False)


def positive_integer(name: str, value: object) -> int:
    """The value, an integer of Python or NumPy above 0, as an integer of Python.

    Raises:
        ValueError: it is none; the message has the argument's name and the value.

    Example:
        >>> positive_integer("units", np.int64(4))
        4
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(f"{name}: expected a positive integer. Received: {value!r}")
    return int(value)


def share(name: str, value: float) -> float:
    """The value, a share of at least 0 and less than 1.

    Raises:
        ValueError: it is none; the message has the argument's name and the value.

    Example:
        >>> share("dropout", 0.5)
        0.5
    """
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected a share in [0, 1). Received: {value!r}")
    return value


def one_of(name: str, value: Accepted, accepted: Collection[Accepted]) -> Accepted:
    """The value, one of those that are accepted.

    Raises:
        ValueError: it is none of them; the message lists them.

    Example:
        >>> one_of("kind", "max", ["max", "mean"])
        'max'
    """
    if value not in accepted:
        raise ValueError(f"{name}: expected one of {list(accepted)}. Received: {value!r}")
    return value
