"""Weights that are small on disk: 16 or 8 bits a number in the SavedModel, 32 when it runs.

A server restores variables as they are, so a weight that is stored otherwise is no variable: it is
a resource that an initializer fills from an asset when the SavedModel is loaded, as a lookup table
is. It runs as fast as a variable, and takes its place while the graph is traced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from zoo.configuration import STORED


class StoredWeights(tf.Module):
    """The weights of a model, as a SavedModel is to hold them.

    Args:
        model: built; `reading` puts what is stored in the place of its variables.
        kind: one of `zoo.configuration.STORED`. `"float32"` leaves them the variables that they
            are. `"int8"` writes each row of a matrix in steps of a 127th of its largest number,
            which stands beside it;
            vectors are float16.

    Example:
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(3)])
        >>> weights = StoredWeights(model, "float16")
        >>> with weights.reading():
        ...     model(tf.zeros([1, 2])).shape
        TensorShape([1, 3])
    """

    def __init__(self, model: keras.Model, kind: str):
        super().__init__()
        if kind not in STORED:
            raise ValueError(f"expected one of the kinds {STORED}. Received: {kind!r}")
        kept = stored_variables(model)
        small = [v for v in kept if kind != "float32" and v.dtype == "float32"]
        stored = {id(v) for v in small}
        self.variables_as_they_are = [v.value for v in kept if id(v) not in stored]
        folder = tempfile.mkdtemp(prefix="weights-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.resources = [
            _Resource(v.numpy(), kind, os.path.join(folder, f"weight_{i}.{kind}"))
            for i, v in enumerate(small)
        ]
        # A resource does not track its file.
        self.files = [resource.file for resource in self.resources]
        # Hidden in a function: what is an attribute would be tracked, and saved once more.
        self._in_place_of = lambda: small

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While it lasts, the model reads what is stored in place of its variables."""
        if not self.resources:
            yield
            return
        pairs = zip(self._in_place_of(), self.resources, strict=True)
        with keras.StatelessScope(state_mapping=[(v, r.read()) for v, r in pairs]):
            yield


def stored_variables(model: keras.Model) -> list[keras.Variable]:
    """The variables of a model that a SavedModel holds, in order: of one of the zoo, `parameters`;
    no states of random numbers."""
    kept = getattr(model, "parameters", model.weights)
    return [v for v in kept if isinstance(v.value, tf.Variable)]


class _Resource(tf.saved_model.experimental.TrackableResource):
    """A float32 tensor that is filled from a file of smaller numbers."""

    def __init__(self, values: np.ndarray, kind: str, path: str):
        self._shape = values.shape
        self._scaled = kind == "int8" and values.ndim > 1
        parts = quantized(values) if self._scaled else [values.astype(np.float16)]
        with open(path, "wb") as file:
            file.writelines(part.tobytes() for part in parts)
        self._bytes = parts[0].nbytes
        # Another name than that of any weight of any model that the same process loads.
        self._shared_name = f"weight_{uuid.uuid4()}"
        super().__init__()
        self.file = tf.saved_model.Asset(path)
        self._initialize()

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32, shape=self._shape, shared_name=self._shared_name
        )

    def _initialize(self) -> None:
        content = tf.io.read_file(self.file.asset_path)
        if self._scaled:
            whole = tf.strings.length(content)
            steps = tf.strings.substr(content, self._bytes, whole - self._bytes)
            steps = tf.io.decode_raw(steps, tf.float32)
            numbers = tf.io.decode_raw(tf.strings.substr(content, 0, self._bytes), tf.int8)
            numbers = tf.reshape(tf.cast(numbers, tf.float32), [-1, self._shape[-1]])
            values = numbers * steps[:, None]
        else:
            values = tf.cast(tf.io.decode_raw(content, tf.float16), tf.float32)
        values = tf.reshape(values, self._shape)
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=values)

    def read(self) -> tf.Tensor:
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.float32)
        return tf.ensure_shape(value, self._shape)


def quantized(values: np.ndarray) -> list[np.ndarray]:
    """Rows as int8, and the float32 step of each."""
    rows = values.reshape(-1, values.shape[-1]).astype(np.float32)
    steps = np.maximum(np.abs(rows).max(axis=1), 1e-12) / 127
    return [np.rint(rows / steps[:, None]).astype(np.int8), steps.astype(np.float32)]


def dequantized(rows: np.ndarray, steps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers that `quantized` rounded, in their shape."""
    numbers = rows.reshape(-1, shape[-1]).astype(np.float32) * steps[:, None]
    return numbers.reshape(shape)
