"""Dataclasses of what JSON and TOML hold; mistakes are named by their file and key."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from zoo.configuration.kinds import is_a, words


def record(kind: Any, values: Mapping[str, Any], where: str, key: str = "") -> Any:
    """A dataclass of the values at a key of a file.

    Args:
        kind: the dataclass. Types of its fields may be plain ones, lists, tuples and dicts of
            them, further dataclasses, and `Any`.
        values: by the names of its fields.
        where: the file, for messages.
        key: what comes before the names in messages, with a dot at its end.

    Raises:
        ValueError: a key is missing or unknown, or its value is of another type.
    """
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    unknown = sorted(values.keys() - hints.keys())
    if unknown:
        raise ValueError(
            f"{where}: {key}{unknown[0]}: expected one of the keys "
            f"{[field.name for field in fields]}. Received: {unknown[0]!r}"
        )
    missing = [field.name for field in fields if is_required(field) and field.name not in values]
    if missing:
        raise ValueError(f"{where}: {key}{missing[0]}: expected a value. Received: no such key")
    return kind(
        **{name: _value(hints[name], value, where, key + name) for name, value in values.items()}
    )


def plain(value: Any) -> Any:
    """What JSON can hold of a value; of a dataclass, what is not None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(one) for name, one in pairs if one is not None}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def is_required(field: dataclasses.Field) -> bool:
    """Whether a field of a dataclass has no default."""
    return field.default is field.default_factory is dataclasses.MISSING


def _value(kind: Any, value: Any, where: str, key: str) -> Any:
    """A value of a type, with dataclasses where the type has some."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and types.NoneType in options:
        return None
    kind = options[0]
    outer = typing.get_origin(kind) or kind
    if outer is Any:
        return value
    if not is_a(value, dict if dataclasses.is_dataclass(outer) else outer):
        raise ValueError(f"{where}: {key}: expected {words(outer)}. Received: {value!r:.80}")
    inner = typing.get_args(kind)
    if dataclasses.is_dataclass(outer):
        return record(outer, value, where, f"{key}.")
    if outer is dict and inner:
        return {name: _value(inner[1], one, where, f"{key}.{name}") for name, one in value.items()}
    if outer in (list, tuple) and inner:
        return outer(_value(inner[0], one, where, f"{key}[{i}]") for i, one in enumerate(value))
    return value
