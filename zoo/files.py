"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable


def replace(path: str | os.PathLike, write: Callable[[str], object]) -> None:
    """Calls `write(temporary)` and renames: whoever opens the path finds a whole file.

    The temporary file is beside the path and has its ending. Of two that write at once, the last
    wins. A file that was there keeps its permissions, a link to it goes on pointing at it, and
    what is no file, such as /dev/stdout, is written as it is.

    Args:
        path: of the file.
        write: writes a file to the path that it is given.

    Raises:
        OSError: the file cannot be written; what was there is still there.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        write(os.fspath(path))
        return
    temporary = _beside(target, f"{os.getpid()}-{threading.get_ident()}")
    try:
        write(temporary)
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def _beside(target: str, number: str) -> str:
    root, ending = os.path.splitext(target)
    return f"{root}.{number}.tmp{ending}"


def forget_unfinished(path: str | os.PathLike) -> None:
    """Removes what processes left that were killed while they wrote a file; for who knows that
    nobody writes it now."""
    for temporary in glob.glob(_beside(glob.escape(os.path.realpath(path)), "*-*")):
        os.remove(temporary)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text as UTF-8, its line ends as they are."""

    def write(temporary: str) -> None:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    replace(path, write)


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes a value as JSON in UTF-8."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a text file. They end at line feeds alone, each with one: a carriage return,
    which may be a token or stand in a label, is a character as any other."""
    with open(path, "rb") as file:
        return file.read().decode().split("\n")[:-1]


def why_not_writable(folder: str | os.PathLike) -> tuple[str, str] | None:
    """What keeps a folder from being written to, or made: which folder that is, and why; or None.

    It is tried, since what permissions promise, a file system may not keep; nothing stays behind.

    Example:
        >>> why_not_writable("/dev/null/folder")
        ('/dev/null', 'is no folder')
    """
    existing = os.path.abspath(folder)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        return existing, "is no folder"
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            return None
    except OSError as error:
        return existing, f"cannot be written to: {error.strerror or error}"
