"""Folders of text files: a text each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.data import formats
from tasks.data.errors import DataError, why


def entries(folder: Path) -> list[Path]:
    """What a folder holds, by name; what begins with a full stop is hidden.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: expected a readable folder, found: {why(error)}") from None


def read_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder, and the text of each.

    Raises:
        DataError: there is something else, or a file cannot be read.
    """
    for path in entries(folder):
        if path.is_dir():
            raise DataError(f"{path}: expected a text file, found a folder")
        yield path, read_text(path)


def read_text(path: Path) -> str:
    """A file that is one text, without empty lines at its end.

    Raises:
        DataError: it cannot be read, or by its name is something else.
    """
    file = formats.read(path)
    if not formats.says_nothing(file):
        kind = formats.recognise(file)
        raise DataError(f"{path}: expected a file that is one text, found {kind.value}")
    return "\n".join(file.lines).rstrip("\n")
