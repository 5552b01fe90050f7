"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable


def replace(path: str, write: Callable) -> None:
    """Calls `write(temporary_path)` and renames: the file is whole or not there."""
    root, ending = os.path.splitext(path)
    temporary = f"{root}.tmp{ending}"
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def write_text(path: str, text: str) -> None:
    def write(temporary):
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    replace(path, write)


def write_json(path: str, value: object) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))
