"""Models of music: frame after frame, from a seed chord or from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import layers
from layers.gates import gates_of_layers
from zoo.configuration import MusicConfig
from zoo.models.by_length import STEPS_AT_ONCE
from zoo.models.carrying import CarriesStates
from zoo.models.frames import ChainedKeys, IndependentKeys
from zoo.models.parts import Inputs, MakeStack
from zoo.models.weighting import weights_of_steps


@keras.saving.register_keras_serializable("zoo")
class MusicModel(CarriesStates):
    """P(y<1>, ..., y<T>) = Π_t P(y<t> | y<1>, ..., y<t-1>), y<t> the keys that sound at step t.

        x<t> = y<t-1>,   x<1> = 0,   a<0> = 0
        L<t> = -Σ_k y_k<t> log ŷ_k<t> + (1 - y_k<t>) log(1 - ŷ_k<t>),   L = Σ_t L<t>

    The lecture's one-to-many network: from one input, a seed or nothing, a sequence comes. In
    training the right frame is fed back, not the drawn one. How ŷ<t> comes from a<t> is in
    `zoo.models.frames`: `output="independent"` or `output="chained"`.

    Source: Andrew Ng, Sequence Models, week 1, "Different types of RNNs" (music generation);
    Boulanger-Lewandowski, Bengio and Vincent 2012.

    Dropout takes other columns of a<t> at every step. With `rows`, the states of so many rows of
    pieces are carried from batch to batch, as variables of the model.

    Args:
        config: what it is made of.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Inputs: a dict of `frames` y, `[batch, time, keys]`, 1 where a key sounds; `before`,
    `[batch, keys]`, the frame before the first one, zeros where there is none; `real`, bool
    `[batch, time]`, False for padding, on the right; and `fresh`, bool `[batch]`, where a piece
    begins and the states are zeros again. Output: a<t> `[batch, time, units]`. The model's loss is
    the mean of L<t> over frames, in nats.

    Example:
        >>> model = MusicModel(MusicConfig(units=8, chain_units=4))
        >>> frames = tf.one_hot([[39, 43, 46]], 88)
        >>> log_p, _ = model.log_probabilities(frames, frames[:, 0], model.zero_states(1))
        >>> log_p.shape
        TensorShape([1, 3])
    """

    configuration = MusicConfig
    config: MusicConfig

    def __init__(self, config: MusicConfig, make_stack: MakeStack = layers.Stack, **kwargs: Any):
        super().__init__(config, make_stack, **kwargs)
        keys = config.vocabulary_size
        self.key_dropout = keras.layers.Dropout(config.key_dropout, dtype=self.dtype_policy)
        self.stack = self.recurrent(
            config.units,
            depth=config.depth,
            dropout=config.dropout,
            recurrent_dropout=config.recurrent_dropout,
            return_state=True,
        )
        self.output_dropout = self.dropout()
        if config.output == "chained":
            self.keys = ChainedKeys(keys, config.chain_units, dtype=self.dtype_policy)
        else:
            self.keys = IndependentKeys(keys, dtype=self.dtype_policy)
        self.make_carried(self.stack.states_per_layer * config.depth)

    def build(self, input_shape: object = None) -> None:
        self.stack.build((None, None, self.config.vocabulary_size))
        self.keys.build((None, self.config.units))

    # --- The equations ---------------------------------------------------------------------------

    def inputs_of(self, frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """x<t> = y<t-1>: the frames, one step later."""
        before = tf.cast(before, self.compute_dtype)[:, None]
        return tf.concat([before, tf.cast(frames, self.compute_dtype)], axis=1)[:, :-1]

    def run(
        self,
        x: tf.Tensor,
        states: Sequence[tf.Tensor],
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """a<t> for inputs `[batch, time, keys]`, and the last states of all layers."""
        x = self.key_dropout(x, training=training)
        a, *last = self.stack(x, initial_state=list(states), mask=mask, training=training)
        return self.output_dropout(a, training=training), last

    def step(self, x: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """a<t> `[batch, units]` for inputs `[batch, keys]`, one step alone, and the new states."""
        return self.stack.step(tf.cast(x, self.compute_dtype), states)

    def zero_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        return self.stack.get_initial_state(batch)

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """At the step that reads each of the `frames`: one later than it is predicted.

        The step before, which reads x<1> = 0, is taken and not shown.
        """
        x = tf.pad(tf.cast(inputs["frames"], self.compute_dtype), [[0, 0], [1, 0], [0, 0]])
        mask = tf.pad(inputs["real"], [[0, 0], [1, 0]], constant_values=True)
        found = gates_of_layers(self.stack.recurrent_layers, x, mask)
        return {name: values[:, 1:] for name, values in found.items()}

    # --- Training and scoring --------------------------------------------------------------------

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """a<t> `[batch, time, units]`."""
        x, fresh = self.inputs_of(inputs["frames"], inputs["before"]), inputs["fresh"]
        if not (training and self.config.rows):
            return self.run(x, self.zero_states(tf.shape(x)[0]), inputs["real"], training)[0]
        return self.carry_on(fresh, lambda states: self.run(x, states, inputs["real"], training))

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean of L<t> over the frames of a batch, in nats.

        `sample_weight` weighs frames, `[batch, time]`, or all of a piece's, `[batch]`, see
        `zoo.models.weighting`.
        """
        del y, training
        real = x["real"]
        weights = weights_of_steps(sample_weight, real, "frame")
        places = tf.where(real)
        losses = self.keys(tf.gather_nd(y_pred, places), tf.gather_nd(x["frames"], places))
        total = tf.tensordot(losses, tf.gather_nd(weights, places), 1)
        count = tf.cast(tf.size(losses), tf.float32)
        return tf.math.divide_no_nan(total, count) + sum(self.losses)

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Frames."""
        return tf.math.count_nonzero(inputs["real"])

    def weighted_classes(self) -> tuple[str, ...]:
        raise ValueError(
            "class_weight: expected none, since what a model of music answers is not `y`. Give "
            "sample_weight, one for each frame or piece"
        )

    def log_probabilities(
        self,
        frames: tf.Tensor,
        before: tf.Tensor,
        states: Sequence[tf.Tensor],
        real: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """log P(y<t> | ...) of frames.

        Args:
            frames: y, `[batch, time, keys]`.
            before: the frame before the first one, `[batch, keys]`.
            states: of all layers there.
            real: bool `[batch, time]`, False for padding; by default all are real.

        Returns:
            float32 `[batch, time]`, 0 at padding; and the last states.
        """
        _, (_, log_p), states = self._log_probabilities(frames, before, states, real)
        return log_p, states

    def judge(
        self,
        frames: tf.Tensor,
        before: tf.Tensor,
        states: Sequence[tf.Tensor],
        real: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """What `log_probabilities` says of frames; and in their places the frames that `draw` gives
        at temperature 0, key by key the likelier: bool `[batch, time, keys]`, silent at padding."""
        (a, places), (shape, log_p), states = self._log_probabilities(frames, before, states, real)
        rows = tf.shape(a)[0]
        nothing, coldest = tf.zeros([rows, self.config.vocabulary_size]), tf.zeros([rows])
        greedy = self.keys.draw(a, nothing, coldest)
        return log_p, tf.scatter_nd(places, greedy, tf.cast(shape, tf.int64)), states

    def _log_probabilities(
        self,
        frames: tf.Tensor,
        before: tf.Tensor,
        states: Sequence[tf.Tensor],
        real: tf.Tensor | None,
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor], list[tf.Tensor]]:
        """a<t> of the real steps and their places; the frames' shape and log P; the last states."""
        shape = tf.shape(frames)
        real = tf.ones(shape[:2], tf.bool) if real is None else real
        a, states = self.run(self.inputs_of(frames, before), states, mask=real)
        places = tf.where(real)
        a, y = tf.gather_nd(a, places), tf.gather_nd(frames, places)
        log_p = tf.scatter_nd(places, -self.keys(a, y), tf.cast(shape[:2], tf.int64))
        return (a, places), (shape, log_p), states

    def judge_pieces(self, frames: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What `judge` says of pieces of any length, each from its beginning.

        They are read in windows of time, through which the states are carried: nothing is as large
        as a whole piece is long, but for frames and a few numbers for each.

        Args:
            frames: bool `[batch, time, keys]`.
            lengths: int32 `[batch]`, frames of each piece.

        Returns:
            log P, float32 `[batch, time]`, and the greedy frames, bool `[batch, time, keys]`.
        """
        rows, time, _ = tf.unstack(tf.shape(frames))
        keys = self.config.vocabulary_size
        at_once = tf.maximum(STEPS_AT_ONCE // tf.maximum(rows, 1), 1)
        real = tf.sequence_mask(lengths, time)
        # The frame before each window: zeros, and then those of the piece.
        shifted = tf.pad(frames, [[0, 0], [1, 0], [0, 0]])

        def window(
            number: tf.Tensor, log_p: tf.TensorArray, greedy: tf.TensorArray, *states: tf.Tensor
        ) -> tuple:
            start = number * at_once
            end = tf.minimum(start + at_once, time)
            here, found, new_states = self.judge(
                frames[:, start:end], shifted[:, start], list(states), real[:, start:end]
            )
            # Time first, so that windows can be put one behind the other.
            log_p = log_p.write(number, tf.transpose(here))
            greedy = greedy.write(number, tf.transpose(found, [1, 0, 2]))
            return number + 1, log_p, greedy, *new_states

        count = tf.maximum(-(-time // at_once), 1)
        found = [
            tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, None]),
            tf.TensorArray(tf.bool, count, infer_shape=False, element_shape=[None, None, keys]),
        ]
        _, log_p, greedy, *_ = tf.while_loop(
            lambda number, *_: number < count,
            window,
            (tf.constant(0), *found, *self.zero_states(rows)),
            parallel_iterations=1,
        )
        return tf.transpose(log_p.concat()), tf.transpose(greedy.concat(), [1, 0, 2])
