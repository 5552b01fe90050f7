"""What constructors expect of their arguments."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, MutableMapping
from typing import TypeVar

import numpy as np

# What Keras takes for an activation, an initializer, a regularizer or a constraint.
Identifier = str | dict | Callable | None
Accepted = TypeVar("Accepted")

GRADIENTS = ("by_hand", "automatic")
JIT: tuple[bool | str, ...] = ("auto", True, False)
USE_CUDNN: tuple[bool | str, ...] = ("auto", True, False)


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
    if not (isinstance(value, numbers.Real) and 0 <= value < 1):
        raise ValueError(f"{name}: expected a share in [0, 1). Received: {value!r}")
    return value


def truth(name: str, value: object) -> bool:
    """The value, True or False, as Python's bool; 0 and 1 count too.

    Raises:
        ValueError: it is neither; the message has the argument's name and the value.

    Example:
        >>> truth("use_bias", np.True_), truth("use_bias", 0)
        (True, False)
    """
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise ValueError(f"{name}: expected True or False. Received: {value!r}")
    return bool(value)


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


def drop_what_keras_had(arguments: MutableMapping) -> None:
    """Takes arguments out that recurrent layers of Keras have or had, and that change no result.

    Args:
        arguments: of a constructor. `implementation` said how Keras multiplies, `time_major=False`
            that the batch comes first, as it does here; `use_cudnn` is no argument of `RNN`.

    Raises:
        ValueError: for `time_major=True`.

    Example:
        >>> arguments = {"implementation": 2, "time_major": False, "name": "reader"}
        >>> drop_what_keras_had(arguments)
        >>> arguments
        {'name': 'reader'}
    """
    arguments.pop("implementation", None)
    arguments.pop("use_cudnn", None)
    if arguments.pop("time_major", False):
        raise ValueError(
            "time_major: expected inputs with the batch first, [batch, time, features], and no "
            "other order. Received: time_major=True. Transpose what goes in and comes out: "
            "keras.ops.transpose(x, [1, 0, 2])."
        )
