"""Names of classes: labels and tags, which a SavedModel keeps as the lines of a text file."""

from __future__ import annotations

import json
import math
import re
import unicodedata

from tasks.data.errors import DataError

_BREAKING = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line separators
_BYTE_ORDER_MARK = "\ufeff"
_DECIMALS = re.compile(r"(-?[0-9]+)\.([0-9]+)")


def check_name(name: str, place: str, what: str = "label") -> str:
    """A name as it was given, where it is one line and cannot be taken for another.

    Args:
        name: of a class.
        place: file and line, for the message.
        what: is named.

    Raises:
        DataError: it is empty, begins or ends with white space, or holds a line break or another
            control character.

    Example:
        >>> check_name("very bad", "a.csv:2")
        'very bad'
    """
    broken = any(unicodedata.category(c) in _BREAKING or c == _BYTE_ORDER_MARK for c in name)
    if not name or name != name.strip() or broken:
        raise DataError(
            f"{place}: expected a {what} on one line, without blanks at its ends or control "
            f"characters, found {name!a}"
        )
    return name


def can_be_line(word: str) -> bool:
    """Whether a word can be a line of a text file, which TensorFlow reads without line ends and
    carriage returns."""
    return bool(word) and not any(character in word for character in "\n\r\0")


def label_of(value: object, place: str) -> str:
    """The label that a cell or a value of JSON is.

    A label is a text. Numbers are written as texts, without zeros at the end of their decimals, and
    texts that are such numbers likewise: 1, 1.0, "1" and "1.0" are one class, "1".

    Raises:
        DataError: the value is neither a text nor a finite number, or no name of a class.

    Example:
        >>> [label_of(value, "") for value in ("pos", 3, 1.0, "1.0", 2.5, "2.50", "007")]
        ['pos', '3', '1', '1', '2.5', '2.5', '007']
    """
    if isinstance(value, float) and math.isfinite(value):
        value = int(value) if value.is_integer() else repr(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(f"{place}: expected a label, a text or a number, found {_shown(value)}")
    name = check_name(str(value), place)
    number = _DECIMALS.fullmatch(name)
    return f"{number[1]}.{number[2]}".rstrip("0").rstrip(".") if number else name


def _shown(value: object) -> str:
    """A value as JSON has it."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:60]} …"
