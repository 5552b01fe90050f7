"""TensorFlow's import, without what it prints on the way.

While TensorFlow 2.21 is imported, it writes notes on oneDNN, CUDA and the processor to file
descriptor 2, whatever TF_CPP_MIN_LOG_LEVEL says; after that, the variable holds.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import IO

LEVEL, _SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"
# Of a file that holds what was written: the notes of TensorFlow's C++ code.
_NOTES = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog\(\)|[IWE]\d{4} \d\d|"
    rb"To enable the following instructions: )[^\n]*\n?"
)
_LOCK = threading.Lock()


def import_tensorflow() -> ModuleType:
    """Imports TensorFlow and keeps its C++ code silent but for what ends the process.

    Where the user has set TF_CPP_MIN_LOG_LEVEL below 3, that says what is printed, and this is an
    import like any other. Where it is not set, it is set while TensorFlow is imported, which reads
    it then, and is gone again afterwards: a process that this one starts makes its own choice.

    What others write to standard error meanwhile comes a moment later. If the import fails,
    everything is shown. A process that dies in it shows nothing: TF_CPP_MIN_LOG_LEVEL=0 does.

    Example:
        >>> import_tensorflow().__name__
        'tensorflow'
    """
    with _LOCK:
        own = os.environ.get(LEVEL)
        if "tensorflow" in sys.modules or own not in (None, _SILENT):
            return importlib.import_module("tensorflow")
        os.environ[LEVEL] = _SILENT
        try:
            with _without_notes():
                return importlib.import_module("tensorflow")
        finally:
            if own is None:
                del os.environ[LEVEL]


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Turns file descriptor 2 to a file; then shows what of it are no notes, or all on failure."""
    with contextlib.ExitStack() as stack:
        try:
            if sys.__stderr__ is None:
                raise OSError("standard error is closed")
            written = stack.enter_context(tempfile.TemporaryFile())
            real = os.dup(2)
        except OSError:  # without a folder for temporary files, the notes are shown
            yield
            return
        stack.callback(os.close, real)
        _flush()
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            _back(real)
            _show(_content(written))
            raise
        _back(real)
        _show(_NOTES.sub(b"", _content(written)))


def _back(real: int) -> None:
    _flush()
    os.dup2(real, 2)


def _content(written: IO[bytes]) -> bytes:
    written.seek(0)
    return written.read()


def _show(content: bytes) -> None:
    if content:
        with contextlib.suppress(OSError):
            os.write(2, content)


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
