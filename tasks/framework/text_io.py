"""Texts in, predictions out."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tasks.framework.configuration import RunConfig
from tasks.framework.errors import UserError
from tasks.framework.task import Formats
from zoo import files

PREDICT_BATCH = 64

T = TypeVar("T")


@contextlib.contextmanager
def open_texts(run: RunConfig) -> Iterator[Iterator[list[str]]]:
    """The texts to predict for, in batches: of --text, a file, or standard input."""
    if run.text and run.input_file:
        raise UserError("expected --text or --input_file. Received: both.")
    if run.text:
        yield batched(run.text, PREDICT_BATCH)
        return
    path = run.input_file
    try:
        # Nobody who types a line waits for 63 more.
        size = PREDICT_BATCH if path or not os.isatty(0) else 1
        with open(path or 0, encoding="utf-8", errors="replace", closefd=bool(path)) as file:
            yield batched((line.rstrip("\r\n") for line in file), size)
    except OSError as error:
        if not path or error.filename != path:
            raise
        raise UserError(f"--input_file: {path}: {error.strerror}") from None


def format_of(path: str | None, formats: Formats) -> Callable[[Any], str] | None:
    """What writes a prediction into a file, by the ending of its name; None for the terminal.

    Raises:
        UserError: nothing writes such a file.
    """
    if path is None:
        return None
    ending = os.path.splitext(path)[1].lower()
    if ending not in formats:
        raise UserError(
            f"--output_file: expected a name that ends in {' or '.join(formats)}. "
            f"Received: {path!r}"
        )
    return formats[ending]


def write_output(path: str, pieces: Iterable[str]) -> None:
    """Writes --output_file, whole or not at all."""

    def write(temporary: str) -> None:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)

    try:
        files.replace(path, write)
    except OSError as error:
        raise UserError(f"--output_file: {path}: {error.strerror}") from None


def check_writable(folder: str, flag: str) -> None:
    """Raises UserError where a folder cannot be written to, or made; leaves nothing behind."""
    existing = os.path.abspath(folder)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    reason = "is no folder"
    if os.path.isdir(existing):
        try:  # what permissions promise, a file system may not keep
            with tempfile.TemporaryDirectory(dir=existing):
                return
        except OSError as error:
            reason = f"cannot be written to: {error.strerror}"
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
