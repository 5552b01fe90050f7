"""What the modules of signatures share."""

from __future__ import annotations

from typing import Generic, TypeVar

import tensorflow as tf

_T = TypeVar("_T")


class Untracked(Generic[_T]):
    """Keeps an object out of what `tf.Module` tracks and saves."""

    def __init__(self, value: _T):
        self.value = value


def of_texts(name: str = "text") -> tf.TensorSpec:
    """Strings `[batch]`."""
    return tf.TensorSpec([None], tf.string, name=name)


def of_batch(dtype: tf.DType, name: str) -> tf.TensorSpec:
    """A number for each row, `[batch]`."""
    return tf.TensorSpec([None], dtype, name=name)


def of_drawing() -> list[tf.TensorSpec]:
    """The inputs that say how tokens are drawn, see `zoo.decoding.drawing`."""
    return [
        of_batch(tf.float32, "temperature"),
        of_batch(tf.int32, "top_k"),
        of_batch(tf.float32, "top_p"),
        of_batch(tf.int32, "seed"),
    ]
