"""States that a model carries from batch to batch, as variables: those of each row of running text.

Where several replicas train a model, each of them has its own rows of a batch, and of the variables
it reads and writes those rows alone. An epoch begins every row anew: what a checkpoint keeps of
them is read by nobody, and it is the same file whoever trains.
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
    found = []
    for variable in variables:
        first, end = _rows(variable)
        state = tf.cast(tf.convert_to_tensor(variable.value)[first:end], dtype)
        found.append(tf.where(fresh[:, None], tf.zeros_like(state), state))
    return found


def carry(variables: Sequence[keras.Variable], states: Sequence[tf.Tensor]) -> None:
    """Keeps the states behind a batch; no gradient goes back through them."""
    for variable, state in zip(variables, states, strict=True):
        value, (first, end) = tf.cast(tf.stop_gradient(state), variable.dtype), _rows(variable)
        if end is not None:
            all_rows = tf.convert_to_tensor(variable.value)
            value = tf.concat([all_rows[:first], value, all_rows[end:]], axis=0)
            value = tf.ensure_shape(value, variable.shape)
        variable.assign(value)


def _rows(variable: keras.Variable) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """From where to where the rows of this replica go; None: all are."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None, None
    count = variable.shape[0] // context.num_replicas_in_sync
    return context.replica_id_in_sync_group * count, (context.replica_id_in_sync_group + 1) * count
