"""What the modules of signatures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import tensorflow as tf

# The name of a signature, and inputs for it.
Request = tuple[str, Mapping[str, tf.Tensor]]

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


def plain_drawing(count: int) -> dict[str, tf.Tensor]:
    """How so many rows are drawn if nothing else is said, each with its number for a seed."""
    return {
        "temperature": tf.ones([count]),
        "top_k": tf.zeros([count], tf.int32),
        "top_p": tf.ones([count]),
        "seed": tf.range(count),
    }


# --- Streams -------------------------------------------------------------------------------------
#
# What a signature `stream` takes beside `text` and `last` it gives under the same name, so that the
# caller keeps it. What begins with `state_` is for the next question alone; the name of what waits
# ends in `_bytes`, so that REST carries half a character.


def of_stream(*states: tf.TensorSpec) -> list[tf.TensorSpec]:
    """The inputs of a signature `stream`: a chunk of each text, whether it is the last one, and
    what was kept of the chunks before."""
    return [of_texts(), of_batch(tf.bool, "last"), of_texts("state_bytes"), *states]


def of_states(states: Sequence[tf.Tensor]) -> list[tf.TensorSpec]:
    """Of states `[batch, units]` of a model."""
    return [
        tf.TensorSpec([None, state.shape[1]], tf.float32, name=f"state_{i}")
        for i, state in enumerate(states)
    ]


def named(specs: Sequence[tf.TensorSpec], states: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """States by the names of the inputs that they come from."""
    return {
        spec.name: tf.ensure_shape(tf.cast(state, spec.dtype), spec.shape)
        for spec, state in zip(specs, states, strict=True)
    }


def given_back(states: Sequence[tf.Tensor], zeros: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """States as a caller kept them, in the precision of a model's own before the first step."""
    return [tf.cast(state, zero.dtype) for state, zero in zip(states, zeros, strict=True)]


def opening(module: tf.Module, texts: tf.Tensor) -> list[Request]:
    """Whole texts for the signature `stream` of a module, each a stream of its own; nothing for a
    module that has none."""
    if "stream" not in module.signature_names:
        return []
    count = len(texts)
    zeros = {
        spec.name: tf.fill([count, *spec.shape[1:]], "")
        if spec.dtype == tf.string
        else tf.zeros([count, *spec.shape[1:]], spec.dtype)
        for spec in module.stream.input_signature
    }
    return [("stream", {**zeros, "text": texts, "last": tf.ones([count], tf.bool)})]


def same_rows(*inputs: tf.Tensor) -> None:
    """Refuses inputs of a signature that have not as many rows each; else one row might stand for
    all."""
    rows = tf.stack([tf.shape(one)[0] for one in inputs])
    tf.debugging.assert_equal(rows, rows[0], "expected inputs with as many rows each")
