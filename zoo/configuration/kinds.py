"""Whether a value is what the type of a field says, and the words for what was expected."""

from __future__ import annotations

import types
import typing
from typing import Any

_WORDS = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "True or False",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    types.NoneType: "None",
}


def is_a(value: object, kind: Any) -> bool:
    """Whether a value is of a type.

    Args:
        value: as Python, JSON or TOML hold it: a list is a tuple too; a number without a fraction
            is a float too; True is no number, and what is not a number is none.
        kind: a class, a union, or a list or tuple of one type.

    Example:
        >>> is_a(3, float), is_a(True, int), is_a(None, str | None), is_a(["a", 3], list[str])
        (True, False, True, False)
    """
    if isinstance(kind, types.UnionType):
        return any(is_a(value, one) for one in typing.get_args(kind))
    outer = typing.get_origin(kind) or kind
    if outer in (list, tuple):
        inner = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            return False
        return not inner or all(is_a(one, inner[0]) for one in value)
    if not isinstance(outer, type):  # such as Any
        return True
    if isinstance(value, bool):
        return outer is bool
    if outer is float:
        return isinstance(value, int | float) and value == value
    return isinstance(value, outer)


def words(kind: Any) -> str:
    """What a value of a type is called in messages.

    Example:
        >>> words(str | None), words(tuple[str, ...])
        ('a text or None', 'a list of str')
    """
    if isinstance(kind, types.UnionType):
        return " or ".join(map(words, typing.get_args(kind)))
    outer, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if outer in (list, tuple) and inner:
        return f"{_WORDS[outer]} of {inner[0].__name__}"
    return _WORDS.get(outer, "an object")
