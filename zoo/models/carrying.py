"""States that a model carries from batch to batch, as variables: those of each row of running text.

Where several replicas train a model, each of them has its own rows of a batch, and of the variables
it reads and writes those rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf


def make_carried(model: keras.Model, count: int, rows: int, units: int) -> list[keras.Variable]:
    """Variables for so many states, `[rows, units]` each."""
    return [
        model.add_weight(
            shape=(rows, units), initializer="zeros", trainable=False, name=f"carried_{i}"
        )
        for i in range(count)
    ]


def carried_states(
    variables: Sequence[keras.Variable], fresh: tf.Tensor, dtype: str
) -> list[tf.Tensor]:
    """The states before a batch, `[batch, units]` each, zeros where a row is `fresh`."""
    number, count = _replica()
    states = [tf.cast(_parts(variable, count)[number], dtype) for variable in variables]
    return [tf.where(fresh[:, None], tf.zeros_like(state), state) for state in states]


def carry(variables: Sequence[keras.Variable], states: Sequence[tf.Tensor]) -> None:
    """Keeps the states behind a batch; no gradient goes back through them."""
    number, count = _replica()
    for variable, state in zip(variables, states, strict=True):
        value = tf.cast(tf.stop_gradient(state), variable.dtype)
        if count > 1:
            parts = _parts(variable, count)
            value = tf.concat([*parts[:number], value, *parts[number + 1 :]], axis=0)
        variable.assign(value)


def _parts(variable: keras.Variable, count: int) -> list[tf.Tensor]:
    """The rows of each replica."""
    value = tf.convert_to_tensor(variable.value)
    return tf.split(value, count) if count > 1 else [value]


def _replica() -> tuple[int, int]:
    """The number of this replica, and how many there are."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0, 1
    return context.replica_id_in_sync_group, context.num_replicas_in_sync
