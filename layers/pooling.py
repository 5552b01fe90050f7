"""One vector for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.arguments import one_of
from layers.engine import precision_of_loops

POOLINGS = ("max", "mean", "attention")


@keras.saving.register_keras_serializable("layers")
class Pooling(keras.layers.Layer):
    """Pools the outputs of all steps into one vector.

        max         p = max_t a<t>, each unit by itself
        mean        p = 1/T Σ_t a<t>
        attention   p = Σ_t α<t> a<t>,   α = softmax_t(vᵀ tanh(W a<t> + b))

    Source: additive attention after Bahdanau, Cho and Bengio 2015; Yang et al. 2016.

    Args:
        kind: `"max"`, `"mean"` or `"attention"`.
        units: rows of W, by default as many as `features`; for attention alone.

    Input `[batch, time, features]`, output `[batch, features]`. Padded steps, where the mask
    `[batch, time]` is False, or 0, take no part; a sequence without a real step gives zeros.

    Under mixed precision a CPU computes in float32 and rounds the result, as recurrent layers do.

    Weights:
        hidden: for attention, a dense layer with W `[features, units]` and b `[units]`; else None.
        score: for attention, a dense layer with v `[units, 1]`; else None.

    Raises:
        ValueError: the kind is unknown.

    Example:
        >>> Pooling("attention")(tf.random.normal([2, 5, 3])).shape
        TensorShape([2, 3])
    """

    hidden: keras.layers.Dense | None
    score: keras.layers.Dense | None

    def __init__(self, kind: str, units: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind = one_of("kind", kind, POOLINGS)
        self.units = units
        self.supports_masking = True
        self.hidden = self.score = None

    def build(self, shape: Sequence[int | None]) -> None:
        """Makes the weights of attention, for inputs of shape `[batch, time, features]`."""
        if self.kind == "attention":
            units = self.units or shape[-1]
            hidden = keras.layers.Dense(units, activation="tanh", dtype=self.dtype_policy)
            score = keras.layers.Dense(1, use_bias=False, dtype=self.dtype_policy)
            hidden.build(shape)
            score.build((*shape[:-1], units))
            self.hidden, self.score = hidden, score

    def call(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """The pooled vectors, `[batch, features]`.

        Args:
            sequences: `[batch, time, features]`.
            mask: bool `[batch, time]`, True where a step is real.
        """
        a = tf.cast(keras.ops.convert_to_tensor(sequences), precision_of_loops(self.compute_dtype))
        mask = tf.ones(tf.shape(a)[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool)
        real = mask[:, :, None]
        if self.kind == "max":
            pooled = tf.reduce_max(tf.where(real, a, a.dtype.min), axis=1)
            pooled = tf.where(tf.reduce_any(real, axis=1), pooled, tf.zeros([], a.dtype))
        else:
            weighted = a * self.weights_of(a, mask)[:, :, None]
            pooled = tf.reduce_sum(tf.where(real, weighted, 0), axis=1)
        return tf.cast(pooled, self.compute_dtype)

    def weights_of(self, a: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """How much each step weighs in the pooled vector; figures show it. Not for `"max"`.

        Args:
            a: `[batch, time, features]`.
            mask: bool `[batch, time]`.

        Returns:
            `[batch, time]`: α of attention, 1/T of the mean, 0 at padded steps.

        Raises:
            ValueError: the maximum has no weights, or attention is not built yet.

        Example:
            >>> mask = tf.constant([[True, True, False]])
            >>> Pooling("mean").weights_of(tf.ones([1, 3, 2]), mask).numpy().tolist()
            [[0.5, 0.5, 0.0]]
        """
        mask = tf.cast(mask, tf.bool)
        if self.kind == "mean":
            share = tf.cast(mask, a.dtype)
        else:
            score = self._scores(a)[:, :, 0]
            score = tf.where(mask, score, score.dtype.min)
            # Without a step, reduce_max is the lowest number, and e to the power of 0 is 1.
            peak = tf.stop_gradient(tf.reduce_max(score, axis=1, keepdims=True))
            share = tf.where(mask, tf.exp(score - peak), 0)
        return tf.math.divide_no_nan(share, tf.reduce_sum(share, axis=1, keepdims=True))

    def _scores(self, a: tf.Tensor) -> tf.Tensor:
        """vᵀ tanh(W a + b), `[..., 1]`."""
        if self.hidden is None or self.score is None:
            raise ValueError(
                f'{self.name}: expected kind="mean", or kind="attention" and a layer that has been '
                f"called. Received: kind={self.kind!r}"
            )
        # Not by calling them: they would compute in the precision of the policy.
        w, b, v = (
            keras.ops.cast(weight, a.dtype.name)
            for weight in (self.hidden.kernel, self.hidden.bias, self.score.kernel)
        )
        return tf.tensordot(tf.tanh(tf.tensordot(a, w, 1) + b), v, 1)

    def zero_states(self, batch: int | tf.Tensor, width: int) -> list[tf.Tensor]:
        """What `step` carries from step to step, before the first one: each `[batch, ...]`.

        The maximum; or Σ e^s<t> a<t>, Σ e^s<t> and the largest s<t>, by which the sums are divided.

        Example:
            >>> [state.shape for state in Pooling("mean").zero_states(2, width=3)]
            [TensorShape([2, 3]), TensorShape([2, 1]), TensorShape([2, 1])]
        """
        widths = [width] if self.kind == "max" else [width, 1, 1]
        return [tf.zeros([batch, one]) for one in widths]

    def step(self, a: tf.Tensor, states: Sequence[tf.Tensor], first: tf.Tensor) -> list[tf.Tensor]:
        """Takes in one more step, for sequences that come step by step.

        Args:
            a: a<t>, `[batch, features]`.
            states: as `zero_states` gives them.
            first: bool `[batch]`, whether it is the first step of a sequence.

        Returns:
            The new states, of which `pooled` makes what a call gives for all steps at once.

        Example:
            >>> pooling = Pooling("mean")
            >>> states, first = pooling.zero_states(1, 2), tf.constant([True])
            >>> states = pooling.step(tf.ones([1, 2]), states, first)
            >>> states = pooling.step(tf.zeros([1, 2]), states, ~first)
            >>> pooling.pooled(states).numpy().tolist()
            [[0.5, 0.5]]
        """
        a, first = tf.cast(a, tf.float32), first[:, None]
        if self.kind == "max":
            return [tf.where(first, a, tf.maximum(states[0], a))]
        total, shares, peak = states
        score = tf.zeros_like(peak) if self.kind == "mean" else self._scores(a)
        new_peak = tf.where(first, score, tf.maximum(peak, score))
        before = tf.where(first, 0.0, tf.exp(peak - new_peak))
        share = tf.exp(score - new_peak)
        return [total * before + share * a, shares * before + share, new_peak]

    def pooled(self, states: Sequence[tf.Tensor]) -> tf.Tensor:
        """The pooled vectors of the steps so far, `[batch, features]`; zeros of none.

        Example:
            >>> pooling = Pooling("max")
            >>> pooling.pooled(pooling.zero_states(1, width=2)).numpy().tolist()
            [[0.0, 0.0]]
        """
        return states[0] if self.kind == "max" else tf.math.divide_no_nan(states[0], states[1])

    def compute_mask(self, inputs: object, mask: tf.Tensor | None = None) -> None:
        """None: a vector for a sequence has no time to mask."""
        return None

    def compute_output_shape(self, shape: Sequence[int | None]) -> tuple[int | None, int | None]:
        """`[batch, features]`"""
        return (shape[0], shape[-1])

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
        return {**super().get_config(), "kind": self.kind, "units": self.units}
