"""Runs a program: reads its flags, and ends in one line what the user can put right."""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import logging as absl_logging

from tasks.data.errors import UserError
from tasks.framework import cluster, starting
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.options import Options
from zoo.catalog.entries import PRESETS
from zoo.configuration import options

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task

_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")
_MODES = ("train", "evaluate", "predict", "export", "stream")
# What only a model that is there already is asked by.
_ASKING = ("model", "text", "input_file", "output_file", "prompt")


@dataclasses.dataclass(frozen=True)
class Program:
    """A program, `python -m tasks.NAME`.

    Its task and modes come from functions that import them, so that TensorFlow is loaded where
    something runs, and `--help` is there at once.

    Attributes:
        name: of the program and its task.
        about: what it is for, and examples.
        config: the class of its recipes.
        task: gives its task.
        run: the class of what it may be asked to do.
        modes: of its own, by name.
        streams: whether its models can read text as it comes.
        presets: the task whose presets it takes, by default its own.
    """

    name: str
    about: str | None
    config: type[TaskConfig]
    task: Callable[[], Task]
    run: type[RunConfig] = RunConfig
    modes: Mapping[str, Callable[[], Mode]] = dataclasses.field(default_factory=dict)
    presets: str = ""
    streams: bool = True

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the program with arguments, by default those of the command line.

        Returns:
            The exit code.
        """
        workers: list[int] = []

        def start(arguments: Sequence[str], resumable: list[str]) -> None:
            config, run = self.parse(arguments)
            workers.append(_workers(config, run))
            if run.mode == "train" and run.model_dir:
                resumable.append(run.model_dir)
            self._run(config, run)

        code = main_of(self.name, self.help, start, arguments)
        if code and sum(workers) > 1:
            # All is said; TensorFlow's server would wait for the others.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        return code

    def parse(self, arguments: Sequence[str]) -> tuple[TaskConfig, RunConfig]:
        """The configurations that arguments say.

        Raises:
            UserError: there is no such flag, or it has no such value.
        """
        config, run = Options(self.config, self.run).parse(arguments, self._presets())
        modes = self._modes()
        if run.mode not in modes:
            raise UserError(f"--mode: expected one of {', '.join(modes)}. Received: {run.mode!r}")
        asking = [name for name in _ASKING if name in run.given]
        if run.mode == "train" and asking:
            raise UserError(
                f"--{asking[0]} goes with a --mode that asks a trained model, such as "
                "--mode=predict. Received: --mode=train, the default, which trains another one"
            )
        config = starting.shaped(config, run.given, run.model_dir)
        command = shlex.join(["python", "-m", f"tasks.{self.name}", *arguments])
        return config, dataclasses.replace(run, command=command)

    def help(self) -> str:
        """What the program is for, its modes and presets, and its flags."""
        named = {"Modes": self._modes(), "Presets": self._presets()}
        if "mode" not in options(self.run):
            del named["Modes"]
        said = " ".join(f"{what}: {', '.join(names)}." for what, names in named.items() if names)
        return f"{self.about}\n{said}\n\n{Options(self.config, self.run).help()}"

    def _modes(self) -> tuple[str, ...]:
        return (*(mode for mode in _MODES if self.streams or mode != "stream"), *self.modes)

    def _presets(self) -> Mapping[str, Mapping[str, Any]]:
        return PRESETS.get(self.presets or self.name, {})

    def _run(self, config: TaskConfig, run: RunConfig) -> None:
        import_quietly()
        from tasks.framework.modes import MODES

        mode = self.modes[run.mode]() if run.mode in self.modes else MODES[run.mode]
        mode(self.task(), config, run)


def _workers(config: TaskConfig, run: RunConfig) -> int:
    """How many there are; what can be wrong with them is said before TensorFlow is there.

    Raises:
        UserError: it is.
    """
    distribute = config.training.distribute
    if distribute != "none" and run.mode != "train":
        raise UserError(
            f"--distribute={distribute} goes with --mode=train. Received: --mode={run.mode}"
        )
    if distribute != "multi_worker":
        return 1
    workers = len(cluster.read())
    cluster.check_batch_size(config.training.batch_size, workers, "workers")
    return workers


def import_quietly() -> None:
    """Imports TensorFlow, and keeps it and others from saying what only developers want to know."""
    from zoo import quiet

    quiet.import_tensorflow()
    from tasks.framework import memory

    absl_logging.set_verbosity(absl_logging.ERROR)  # warnings of libraries are for developers
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    memory.keep_freed()


def main_of(
    name: str,
    help: Callable[[], str],
    start: Callable[[Sequence[str], list[str]], None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Runs a program to its end, whatever ends it.

    Args:
        name: of the program.
        help: what `--help` shows.
        start: does what the arguments say; it adds to the list where the same command goes on
            with what was stopped.
        arguments: by default those of the command line.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    resumable: list[str] = []
    with _stoppable():
        try:
            if any(argument in _HELP for argument in arguments):
                print(help(), flush=True)
                return 0
            start(arguments, resumable)
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        except BrokenPipeError:  # what reads our output has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt as stop:
            signal.setitimer(signal.ITIMER_REAL, 0)
            how = "; the same command resumes it" if resumable else ""
            print(f"\n{name}: stopped{how}.", file=sys.stderr)
            return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    return 0


class _stoppable:  # noqa: N801
    """While it lasts, SIGTERM stops the program as Ctrl-C does."""

    def __enter__(self) -> None:
        self.handlers = {}
        if threading.current_thread() is threading.main_thread():
            self.alarm = signal.getsignal(signal.SIGALRM)
            for number in (signal.SIGTERM, signal.SIGINT):
                self.handlers[number] = signal.signal(number, _stop)

    def __exit__(self, *_: object) -> None:
        if self.handlers and signal.getsignal(signal.SIGALRM) is not self.alarm:
            # Whatever became of the interrupt, it does not come again.
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.alarm)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> None:
    """Stops the program, and does so again if this comes at a moment at which Python drops it, such
    as inside of a destructor."""

    def again(*_: object) -> None:
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    raise KeyboardInterrupt(number)
