"""The flags of a program, made from the fields of its configurations."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from absl import flags as absl_flags

from tasks.data.errors import UserError
from tasks.framework.configuration import RunConfig, TaskConfig
from zoo.configuration import Configuration, Option, options
from zoo.configuration.base import hints
from zoo.rows import is_unicode

C = TypeVar("C", bound=Configuration)


def parsed(kind: type[C], arguments: Sequence[str], command: str = "") -> C:
    """The configuration that the arguments of a command line say, each of its options a flag.

    Args:
        kind: of configuration.
        arguments: behind the program's name.
        command: the whole command, for a field of that name; `given` is given the names of the
            flags that were said.

    Raises:
        UserError: there is no such flag, or it has no such value; or an argument is no UTF-8.

    Example:
        >>> parsed(RunConfig, ["--mode=export"]).mode
        'export'
    """
    flags = _read(_flags_of(kind), arguments)
    given = tuple(name for name in options(kind) if flags[name].present)
    values: dict[str, Any] = {name: flags[name].value for name in options(kind)}
    try:
        return kind.from_dict({**values, "given": given, "command": command})
    except ValueError as error:
        raise UserError(f"--{error}") from None


def help_of(kind: type[Configuration]) -> str:
    """The flags of a configuration."""
    return _flags_of(kind).module_help(_section(kind))


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of a program: those of a recipe, and those of what it is asked to do.

    Args:
        recipe: the task's configuration.
        run: what the program is asked to do.

    Example:
        >>> config, run = Options(TaskConfig, RunConfig).parse(["--units=64", "--mode=export"])
        >>> config.model.units, run.mode
        (64, 'export')
    """

    recipe: type[TaskConfig]
    run: type[RunConfig]

    def parse(
        self, arguments: Sequence[str], presets: Mapping[str, Mapping[str, Any]] | None = None
    ) -> tuple[TaskConfig, RunConfig]:
        """The configurations that the arguments of a command line say.

        Args:
            arguments: behind the program's name.
            presets: by name, values of options that are the defaults of a run with `--preset`.

        Raises:
            UserError: there is no such flag or preset, or it has no such value; or an argument is
                no UTF-8.
        """
        flags = _read(self._flags(), arguments)
        values = self._of_preset(flags["preset"].value, presets or {})
        for name in self._options():
            if flags[name].present or name not in values:
                values[name] = flags[name].value
        values["given"] = tuple(name for name in self._options() if flags[name].present)
        try:
            return self.recipe.from_dict(values), self.run.from_dict(values)
        except ValueError as error:
            raise UserError(f"--{error}") from None

    def _of_preset(self, name: str | None, presets: Mapping) -> dict[str, Any]:
        if name is None:
            return {}
        if name not in presets:
            raise UserError(f"--preset: expected one of {sorted(presets)}. Received: {name!r}")
        unknown = sorted(presets[name].keys() - self._options().keys())
        if unknown:
            raise UserError(f"preset {name!r}: expected names of flags. Received: {unknown}")
        return dict(presets[name])

    def help(self) -> str:
        """All flags, those of the model and the data before those of all tasks."""
        flags, parts = self._flags(), self.recipe.parts()
        kinds = [parts["model"], parts["data"], parts["training"], self.run]
        return "\n".join(flags.module_help(_section(kind)) for kind in kinds)

    def _options(self) -> dict[str, tuple[dataclasses.Field, Option]]:
        return {**self.recipe.options(), **options(self.run)}

    def _flags(self) -> absl_flags.FlagValues:
        return _flags_of(*self.recipe.parts().values(), self.run)


def _flags_of(*kinds: type[Configuration]) -> absl_flags.FlagValues:
    """Flags of their own and not absl's global ones: programs may run in one process."""
    flags = absl_flags.FlagValues()
    for kind in kinds:
        for name, (field, said) in options(kind).items():
            _define(flags, kind, name, field.default, said)
    return flags


def _read(flags: absl_flags.FlagValues, arguments: Sequence[str]) -> absl_flags.FlagValues:
    """The flags with what the arguments of a command line say."""
    broken = [argument for argument in arguments if not is_unicode(argument)]
    if broken:
        raise UserError(f"expected arguments in UTF-8. Received: {broken[0]!a}")
    try:
        rest = flags(["", *arguments])[1:]
    except absl_flags.Error as error:
        raise UserError(_message(error)) from None
    if rest:
        raise UserError(f"unexpected arguments: {' '.join(rest)}")
    return flags


def _section(kind: type[Configuration]) -> str:
    """The title of a configuration's flags in the help: `data`, `training`, `run`, or a model."""
    name = kind.__name__.removesuffix("Config")
    return next((end for end in ("Data", "Training", "Run") if name.endswith(end)), name).lower()


def _define(
    flags: absl_flags.FlagValues, kind: type, name: str, default: Any, said: Option
) -> None:
    """Defines a flag. What fits its type but is out of bounds or none of the choices is shown in
    the help and refused by the configuration, in the same words as elsewhere."""
    arguments: dict[str, Any] = {"flag_values": flags, "module_name": _section(kind)}
    value = _value_type(hints(kind)[name])
    if value is bool:
        absl_flags.DEFINE_bool(name, default, said.help, **arguments)
    elif value is tuple:
        absl_flags.DEFINE_multi_string(name, list(default), said.help.rstrip("."), **arguments)
    elif value in _PARSERS:
        parser = _PARSERS[value](said.at_least, said.at_most)
        absl_flags.DEFINE(
            parser,
            name,
            default,
            said.help,
            serializer=absl_flags.ArgumentSerializer(),
            **arguments,
        )
    else:
        choices = f"<{'|'.join(said.choices)}>: " if said.choices else ""
        absl_flags.DEFINE_string(name, default, choices + said.help, **arguments)


def _value_type(kind: Any) -> Any:
    """Of `X | None` X; of a tuple, `tuple`."""
    if typing.get_origin(kind) is tuple:
        return tuple
    (kind,) = [one for one in typing.get_args(kind) or (kind,) if one is not type(None)]
    return kind


class _Integer(absl_flags.IntegerParser):
    def is_outside_bounds(self, value: int) -> bool:
        return False

    def convert(self, argument: Any) -> int:
        with _or_expected("an integer"):
            return super().convert(argument)


class _Float(absl_flags.FloatParser):
    def is_outside_bounds(self, value: float) -> bool:
        return False

    def convert(self, argument: Any) -> float:
        with _or_expected("a number"):
            return super().convert(argument)


_PARSERS: dict[Any, Any] = {int: _Integer, float: _Float}


@contextlib.contextmanager
def _or_expected(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise ValueError(f"expected {what}") from None


def _message(error: absl_flags.Error) -> str:
    """absl's message in one line and in our words."""
    said = " ".join(str(error).split())
    wrong = re.fullmatch(r"flag --(\w+)=(.*): (?:(expected .*)|.*Non-boolean.*)", said)
    if wrong is None:
        return said
    name, value, expected = wrong.groups()
    return f"--{name}: {expected or 'expected true or false'}. Received: {value!r}"
