"""What all configurations share: options, their checks, and their form as plain dicts."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self

from zoo.configuration import kinds

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """What a field says of itself.

    Attributes:
        help: what it means, in a sentence.
        at_least, at_most: bounds of a number, both allowed.
        choices: values that are allowed, where they are few.
        recipe: whether a training run with another value is another run, which cannot be resumed.
        training_only: of a model, whether it only matters while it is trained.
        reading: of data, whether it says how text is read, so that a trained model needs the same.
    """

    help: str
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] = ()
    recipe: bool = True
    training_only: bool = False
    reading: bool = False


def option(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: typing.Iterable[str] = (),
    recipe: bool = True,
    training_only: bool = False,
    reading: bool = False,
) -> Any:
    """A field of a `Configuration` that a user can set; a program has a flag for it. The arguments
    are those of `Option`.

    Example:
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True)
        ... class Size(Configuration):
        ...     units: int = option(128, "Units of each direction.", at_least=1)
        >>> Size(units=0)
        Traceback (most recent call last):
        ...
        ValueError: units: expected 1 or more. Received: 0
    """
    said = Option(help, at_least, at_most, tuple(choices), recipe, training_only, reading)
    return dataclasses.field(default=default, metadata={_KEY: said})


def changed(base: type, name: str, default: Any, help: str | None = None) -> Any:
    """The option of a base class with another default, and maybe with other words."""
    (field,) = [field for field in dataclasses.fields(base) if field.name == name]
    said = field.metadata[_KEY]
    if help is not None:
        said = dataclasses.replace(said, help=help)
    return dataclasses.field(default=default, metadata={_KEY: said})


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Base of all configurations: a frozen dataclass that checks what it is given.

    Fields made by `option` are what a user sets; others, such as the size of a vocabulary, follow
    from data. Lists become tuples, and whole numbers floats where a float is expected.

    Raises:
        ValueError: a value is of another type, out of bounds or none of the choices.
    """

    def __post_init__(self) -> None:
        types = hints(type(self))
        for field in dataclasses.fields(self):
            kind, said = types[field.name], field.metadata.get(_KEY)
            value = _cast(getattr(self, field.name), kind)
            object.__setattr__(self, field.name, value)
            expected = "" if kinds.is_a(value, kind) else kinds.words(kind)
            if not expected and said is not None:
                expected = _expected_value(value, said)
            if expected:
                raise ValueError(f"{field.name}: expected {expected}. Received: {value!r}")

    def replace(self, **changes: Any) -> Self:
        """The same configuration but for some fields."""
        unknown = sorted(changes.keys() - {field.name for field in dataclasses.fields(self)})
        if unknown:
            known = sorted(field.name for field in dataclasses.fields(self))
            raise ValueError(
                f"expected fields of {type(self).__name__}, {known}. Received: {unknown}"
            )
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Fields by name, as JSON has them."""
        return {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }

    def changed(self) -> dict[str, Any]:
        """Options that are not the defaults, by their names."""
        defaults = type(self)().as_dict()
        return {name: value for name, value in self.as_dict().items() if value != defaults[name]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `as_dict` gave, now or in another version: fields that are not there have their
        default, and what is no field is passed over."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})


def options(kind: type[Configuration]) -> dict[str, tuple[dataclasses.Field, Option]]:
    """The fields that a user sets, by name, with what they say of themselves."""
    return {
        field.name: (field, field.metadata[_KEY])
        for field in dataclasses.fields(kind)
        if _KEY in field.metadata
    }


def separated(values: Iterable[str]) -> tuple[str, ...]:
    """What a flag names that may be given more than once, or once with commas between.

    Example:
        >>> separated(["rnn, gru", "lstm"])
        ('rnn', 'gru', 'lstm')
    """
    return tuple(part.strip() for value in values for part in value.split(","))


def hints(kind: type) -> dict[str, Any]:
    """The types of the fields of a configuration."""
    return typing.get_type_hints(kind)


def _cast(value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _expected_value(value: Any, said: Option) -> str:
    if said.choices and value not in said.choices:
        return f"one of {', '.join(said.choices)}"
    if value is None:
        return ""
    low = said.at_least is not None and value < said.at_least
    high = said.at_most is not None and value > said.at_most
    if not (low or high):
        return ""
    if said.at_most is None:
        return f"{said.at_least} or more"
    return f"{said.at_least} to {said.at_most}"
