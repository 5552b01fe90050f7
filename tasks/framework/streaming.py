"""`--mode=stream`: standard input as it comes, and at once what a model says of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from tasks.data.errors import UserError, why
from tasks.framework.configuration import RunConfig
from tasks.framework.task import Task
from zoo.predictor import Predictor

# Most bytes that are read at once.
_CHUNK = 2**16


def stream(task: Task, run: RunConfig, load: Callable[[], Predictor]) -> None:
    """Reads standard input to its end, in chunks as they come, and prints a line for each answer.

    Args:
        task: of the model.
        run: which gives no texts otherwise.
        load: loads the model.

    Raises:
        UserError: the model looks at words to come, or texts are given by other flags.
    """
    if run.text or run.input_file or run.output_file:
        raise UserError(
            "--mode=stream reads standard input and writes to standard output. Received: --text, "
            "--input_file or --output_file; these go with --mode=predict, for texts that are whole."
        )
    try:
        session = load().session()
    except ValueError as error:
        raise UserError(f"--model: {error}.") from None
    try:
        for chunk in chunks():
            _print(task.heard(session.send(chunk)))
        _print(task.heard(session.end()))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(
            "--mode=stream: expected to read standard input and to write standard output. "
            f"Received: {why(error)}"
        ) from None


def chunks(file: int = 0) -> Iterator[bytes]:
    """What comes from a file descriptor, as soon as it is there."""
    while chunk := os.read(file, _CHUNK):
        yield chunk


def _print(lines: list[str]) -> None:
    if lines:
        print(*lines, sep="\n", flush=True)
