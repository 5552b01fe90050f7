"""Weights of trained models back into Keras models: from SavedModels and from training runs."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.saving.weights import dequantized, stored_variables

# What NumPy and zipfile raise for bytes that are no .npz file; TypeError for those of a .npy file.
_DAMAGED = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def restore_saved_model(model: keras.Model, saved: Any) -> None:
    """Sets the weights of a model to those that a SavedModel of the same configuration holds.

    Args:
        model: built.
        saved: what TensorFlow loaded: a module with `weights`, see `StoredWeights`.

    Raises:
        ValueError: the SavedModel holds other weights.
    """
    weights = getattr(saved, "weights", None)
    files = [Path(os.fsdecode(file.asset_path.numpy())) for file in getattr(weights, "files", ())]
    # Those saved before held states of random numbers too.
    plain = [v for v in getattr(weights, "variables_as_they_are", ()) if v.dtype.is_floating]
    kept = stored_variables(model)
    small = [v for v in kept if files and v.dtype == "float32"]
    stored = {id(v) for v in small}
    values = [(v, _of_file(file, tuple(v.shape))) for v, file in zip(small, files, strict=False)]
    values += [
        (v, other.numpy())
        for v, other in zip([v for v in kept if id(v) not in stored], plain, strict=False)
    ]
    fits = len(values) == len(kept) == len(files) + len(plain)
    if not fits or any(tuple(v.shape) != tuple(np.shape(value)) for v, value in values):
        raise ValueError(
            f"expected a SavedModel with the weights of {type(model).__name__}: "
            f"{len(kept)} of the configuration's shapes. Received: {len(files) + len(plain)} that "
            "do not fit"
        )
    for variable, value in values:
        variable.assign(value)


def read_arrays(
    path: str | os.PathLike, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file such as a run's `best.npz`, by name.

    Args:
        path: of the file.
        names: of those that are read, as far as they are there; by default all.

    Raises:
        ValueError: the file is damaged, or another one.
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file) as arrays:
                wanted = arrays.files if names is None else {*names} & {*arrays.files}
                return {name: arrays[name] for name in wanted}
        except _DAMAGED as error:
            raise ValueError(
                f"{path}: expected a whole checkpoint. Received a damaged file"
            ) from error


def restore_run(model: keras.Model, path: str | os.PathLike) -> None:
    """Sets the weights of a model to those of a training run's `best.npz`.

    Raises:
        ValueError: the file holds other weights, or is damaged.
    """
    set_weights(model, read_arrays(path), path)


def set_weights(
    model: keras.Model, arrays: Mapping[str, np.ndarray], path: str | os.PathLike
) -> None:
    """Sets the weights of a model to those of a checkpoint.

    Args:
        model: built.
        arrays: as `read_arrays` gives them.
        path: of the file, for the message.

    Raises:
        ValueError: they are other weights; nothing is changed.
    """
    numbered = sorted(
        ((int(name), value) for name, value in arrays.items() if name.isdecimal()),
        key=lambda one: one[0],
    )
    # The others are states of random numbers.
    values = [value for _, value in numbered if np.issubdtype(value.dtype, np.floating)]
    shapes = [tuple(variable.shape) for variable in model.weights]
    whole = [number for number, _ in numbered] == [*range(len(numbered))]
    if not whole or [value.shape for value in values] != shapes:
        raise ValueError(
            f"{path}: expected weights of {type(model).__name__}, {shapes}. Received: "
            f"{[value.shape for value in values]}"
        )
    for variable, value in zip(model.weights, values, strict=True):
        variable.assign(value)


def _of_file(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of a file that `StoredWeights` wrote, as many as there are."""
    content = path.read_bytes()
    size = int(np.prod(shape, dtype=np.int64))
    if path.suffix == ".int8" and len(shape) > 1:
        rows = size // shape[-1]
        if len(content) != size + 4 * rows:
            return np.zeros([0])
        steps = np.frombuffer(content[size:], np.float32)
        return dequantized(np.frombuffer(content[:size], np.int8), steps, shape)
    if len(content) != 2 * size:
        return np.zeros([0])
    return np.frombuffer(content, np.float16).astype(np.float32).reshape(shape)
