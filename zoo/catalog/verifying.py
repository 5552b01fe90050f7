"""Whether a model is whole, and answers as its card says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.catalog import loading
from zoo.catalog.collecting import plain, sha256
from zoo.catalog.results import EntryResults, read_entry
from zoo.saving import versions

# Between machines and versions of TensorFlow, sums of float32 differ so much.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4


def problems(name: str, folder: str | os.PathLike | None = None) -> list[str]:
    """What is wrong with a model: files that differ, and samples that it answers otherwise.

    Args:
        name: of an entry.
        folder: that holds the models; by default the zoo's own.

    Raises:
        ValueError: there is no such model.
        OSError: its results, or its SavedModel, cannot be read.
    """
    folder = versions.home() if folder is None else folder
    results = read_entry(name, folder)
    version = Path(folder) / name / str(results.version)
    found = _broken_files(results, version)
    if found:
        return found
    model = loading.load(name, results.version, folder)
    for sample in results.samples:
        outputs = model.ask(sample.signature, sample.inputs)
        for line in differences(outputs, sample.outputs):
            found.append(f"{version}: {sample.signature}({sample.inputs}): {line}")
    return found


def _broken_files(results: EntryResults, version: Path) -> list[str]:
    found = []
    for file, known in results.files.items():
        path = version / file
        if not path.is_file():
            found.append(f"{path}: missing. {_again(path)}")
        elif sha256(path) != known.sha256:
            found.append(
                f"{path}: expected sha256 {known.sha256[:12]}…, {known.bytes:,} bytes. "
                f"Received {sha256(path)[:12]}…, {path.stat().st_size:,} bytes. {_again(path)}"
            )
    return found


def _again(path: Path) -> str:
    return f"Get it again, for instance by `git checkout {path}`."


def differences(received: Mapping[str, np.ndarray], expected: Mapping[str, list]) -> list[str]:
    """In what outputs differ from those of a sample; numbers are rounded there.

    Example:
        >>> differences({"label": np.array(["pos"], object)}, {"label": ["neg"]})
        ["label: expected ['neg']. Received: ['pos']"]
    """
    return [
        f"{name}: expected {value}. Received: "
        f"{received[name].tolist() if name in received else 'none'}"
        for name, value in expected.items()
        if name not in received or not _same(received[name], value)
    ]


def _same(received: np.ndarray, expected: list) -> bool:
    if received.dtype.kind != "f":
        return plain(received) == expected
    if list(received.shape) != list(np.shape(expected)):
        return False
    return np.allclose(received, expected, rtol=_RELATIVE, atol=_ABSOLUTE)
