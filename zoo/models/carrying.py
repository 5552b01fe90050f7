"""States that are carried from one window of long sequences to the next.

Where several replicas train a model, each of them has its own rows of a batch, and of the variables
it reads and writes those rows alone. An epoch begins every row anew: what a checkpoint keeps of
them is read by nobody, and it is the same file whoever trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.models.parts import RecurrentModel

States = list[tf.Tensor]


class CarriesStates(RecurrentModel):
    """Base of models that are trained on sequences longer than a batch is: a batch has a window of
    each row of sequences, and starts with the states in which the one before ended.

    Attributes:
        carried: the last states of all layers, variables `[rows, units]`; none with 0 rows.
    """

    config: Any
    carried: list[keras.Variable]

    def make_carried(self, states: int) -> None:
        """Makes the variables: `states` in all layers together, each for `config.rows` rows."""
        self.carried = [
            self.add_weight(
                shape=(self.config.rows, self.config.units),
                initializer="zeros",
                trainable=False,
                name=f"carried_{i}",
            )
            for i in range(states if self.config.rows else 0)
        ]

    def carry_on(
        self, fresh: tf.Tensor, run: Callable[[States], tuple[tf.Tensor, States]]
    ) -> tf.Tensor:
        """a<t> of the next window; its last states are for the one behind it. No gradient goes from
        one window to another.

        Args:
            fresh: bool `[rows]`, where a sequence begins: its states are zeros.
            run: from the states before the window to a<t> and the states behind it.
        """
        first, end = _rows_here(self.config.rows)
        before = [tf.cast(state.value[first:end], self.compute_dtype) for state in self.carried]
        a, states = run([tf.where(fresh[:, None], tf.zeros_like(s), s) for s in before])
        for variable, state in zip(self.carried, states, strict=True):
            value = tf.cast(tf.stop_gradient(state), variable.dtype)
            if end is not None:
                others = tf.convert_to_tensor(variable.value)
                value = tf.concat([others[:first], value, others[end:]], axis=0)
                value = tf.ensure_shape(value, variable.shape)
            variable.assign(value)
        return a


def _rows_here(rows: int) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """From where to where the rows of this replica go; None: all are."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None, None
    count = rows // context.num_replicas_in_sync
    return context.replica_id_in_sync_group * count, (context.replica_id_in_sync_group + 1) * count
