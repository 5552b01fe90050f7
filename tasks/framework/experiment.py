"""Programs that train no task's models: what they are asked for is one configuration."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tasks.framework import options
from tasks.framework.running import import_quietly, main_of
from zoo.configuration import Configuration

C = TypeVar("C", bound=Configuration)


@dataclasses.dataclass(frozen=True)
class Experiment(Generic[C]):
    """A program, `python -m tasks.NAME`, with a flag for each option of its configuration.

    Attributes:
        name: of the program.
        about: what it is for, and examples.
        config: the class of its configuration; a field `command` is given the whole command, and
            `given` the names of the flags that were said.
        run: does what a configuration says. TensorFlow is imported before it.
        folder: where the same command goes on with what was stopped, if anywhere.
    """

    name: str
    about: str | None
    config: type[C]
    run: Callable[[C], None]
    folder: Callable[[C], str | None] = lambda config: None

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the program with arguments, by default those of the command line.

        Returns:
            The exit code.
        """
        return main_of(self.name, self.help, self._start, arguments)

    def parse(self, arguments: Sequence[str]) -> C:
        """The configuration that arguments say.

        Raises:
            UserError: there is no such flag, or it has no such value.
        """
        command = shlex.join(["python", "-m", f"tasks.{self.name}", *arguments])
        return options.parsed(self.config, arguments, command)

    def help(self) -> str:
        """What the program is for, and its flags."""
        return f"{self.about}\n{options.help_of(self.config)}"

    def _start(self, arguments: Sequence[str], resumable: list[str]) -> None:
        config = self.parse(arguments)
        folder = self.folder(config)
        if folder is not None:
            resumable.append(folder)
        import_quietly()
        self.run(config)
