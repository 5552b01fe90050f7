"""States that are carried from one window of long sequences to the next."""

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
        before = [tf.cast(state.value, self.compute_dtype) for state in self.carried]
        a, states = run([tf.where(fresh[:, None], tf.zeros_like(s), s) for s in before])
        for variable, state in zip(self.carried, states, strict=True):
            variable.assign(tf.cast(tf.stop_gradient(state), variable.dtype))
        return a
