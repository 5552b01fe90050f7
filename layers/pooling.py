"""One vector for a whole sequence."""

from __future__ import annotations

import keras
import tensorflow as tf

from layers.arguments import one_of

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
        units: rows of W, by default as many as a has columns; for attention alone.

    Input `[batch, time, features]`, output `[batch, features]`. Padded steps, where the mask
    `[batch, time]` is False, take no part; a sequence without a real step gives zeros.

    Raises:
        ValueError: the kind is unknown.

    Example:
        >>> Pooling("attention")(tf.random.normal([2, 5, 3])).shape
        TensorShape([2, 3])
    """

    def __init__(self, kind: str, units: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.kind = one_of("kind", kind, POOLINGS)
        self.units = units
        self.supports_masking = True
        self.hidden = self.score = None

    def build(self, shape):
        if self.kind == "attention":
            units = self.units or shape[-1]
            self.hidden = keras.layers.Dense(units, activation="tanh", dtype=self.dtype_policy)
            self.score = keras.layers.Dense(1, use_bias=False, dtype=self.dtype_policy)
            self.hidden.build(shape)
            self.score.build((*shape[:-1], units))

    def call(self, sequences, mask=None):
        a = tf.convert_to_tensor(sequences)
        if mask is None:
            mask = tf.ones(tf.shape(a)[:2], tf.bool)
        real = mask[:, :, None]
        if self.kind == "max":
            pooled = tf.reduce_max(tf.where(real, a, a.dtype.min), axis=1)
            return tf.where(tf.reduce_any(real, axis=1), pooled, tf.zeros([], a.dtype))
        return tf.reduce_sum(tf.where(real, a * self.weights_of(a, mask)[:, :, None], 0), axis=1)

    def weights_of(self, a: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """What each step weighs in the pooled vector, `[batch, time]`; looked at in figures."""
        if self.kind == "mean":
            share = tf.cast(mask, a.dtype)
        else:
            score = self.score(self.hidden(a))[:, :, 0]
            score = tf.where(mask, score, score.dtype.min)
            # Without a step, reduce_max is the lowest number, and e to the power of 0 is 1.
            peak = tf.stop_gradient(tf.reduce_max(score, axis=1, keepdims=True))
            share = tf.where(mask, tf.exp(score - peak), 0)
        return tf.math.divide_no_nan(share, tf.reduce_sum(share, axis=1, keepdims=True))

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, shape):
        return (shape[0], shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "kind": self.kind, "units": self.units}
