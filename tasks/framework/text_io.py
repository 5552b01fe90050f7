"""Texts in, predictions out."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from tasks.data.errors import UserError, why
from tasks.data.formats import decoded
from tasks.data.inputs import Input, names_of
from tasks.framework.configuration import RunConfig
from zoo import files

PREDICT_BATCH = 64

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is to be predicted for.

    Attributes:
        each: one after the other.
        names: of the columns that come with them.
        batch_size: how many are predicted at once.
    """

    each: Iterable[Input]
    names: Sequence[str] = ()
    batch_size: int = PREDICT_BATCH

    @property
    def batches(self) -> Iterator[list[Input]]:
        """As many at a time as are predicted at once."""
        return batched(self.each, self.batch_size)


def inputs_of(run: RunConfig, read: Callable[[str], list[Input]]) -> Inputs:
    """What --text, --input_file, which is read whole, or standard input holds: a text a line.

    Args:
        run: says which.
        read: reads a file.

    Raises:
        UserError: two are given, or what is given cannot be read.
    """
    if run.text and run.input_file:
        raise UserError("expected --text or --input_file. Received: both.")
    if run.input_file:
        found = read(run.input_file)
        return Inputs(not_too_long(found, run), names_of(found))
    if run.text:
        return Inputs(not_too_long(map(Input, run.text), run))
    # Nobody who types a line waits for 63 more.
    size = 1 if os.isatty(0) else PREDICT_BATCH
    return Inputs(not_too_long(_lines_of_standard_input(), run), batch_size=size)


def not_too_long(inputs: Iterable[Input], run: RunConfig) -> Iterator[Input]:
    """The inputs; a UserError in place of one that has more than --max_characters."""
    most = run.max_characters
    for number, given in enumerate(inputs, start=1):
        if 0 < most < len(given.text):
            raise UserError(
                f"--max_characters: expected texts of at most {most:,} characters. Received: "
                f"{len(given.text):,} in text number {number}, which begins with "
                f"{given.text[:30]!r}. Cut it, or allow more; 0 allows any number."
            )
        yield given


def _lines_of_standard_input() -> Iterator[Input]:
    with open(0, "rb", closefd=False) as file:
        for number, line in enumerate(file, start=1):
            yield Input(decoded(line.removesuffix(b"\n"), f"standard input:{number}"))


def write_output(path: str, pieces: Iterable[str]) -> None:
    """Writes --output_file, whole or not at all."""

    def write(temporary: str) -> None:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)

    try:
        files.replace(path, write)
    except OSError as error:
        raise UserError(
            f"--output_file: expected a file to write to. Received: {path!r}, which cannot be "
            f"written to: {why(error)}. Give another one."
        ) from None


def check_writable(folder: str, flag: str) -> None:
    """Raises UserError where a folder cannot be written to, or made; leaves nothing behind."""
    found = files.why_not_writable(folder)
    if found is not None:
        existing, reason = found
        raise UserError(
            f"--{flag}: expected a folder to write to. Received: {folder!r}; {existing!r} {reason}."
        )


def check_output(path: str | None) -> None:
    """Raises UserError where --output_file cannot be written."""
    if path is None:
        return
    if os.path.isdir(path):
        raise UserError(f"--output_file: expected a file. Received: {path!r}, a folder.")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise UserError(
            f"--output_file: expected a file in a folder that there is. Received: {path!r}"
        )
    if not os.path.lexists(path):
        check_writable(folder, "output_file")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many items, the last one shorter."""
    remaining = iter(items)
    return iter(lambda: list(itertools.islice(remaining, size)), [])


def with_progress(items: Iterable[T], texts_of: Callable[[T], int] = lambda _: 1) -> Iterator[T]:
    """Passes items on and counts on a terminal the texts that they are."""
    start, shown, count = time.perf_counter(), 0.0, 0
    for item in items:
        yield item
        count += texts_of(item)
        now = time.perf_counter() - start
        if os.isatty(2) and now - shown > 1:
            shown = now
            print(f"\r{count:,} texts, {count / now:.0f}/s", end="", file=sys.stderr, flush=True)
    if shown:
        print(file=sys.stderr)
