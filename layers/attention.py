"""Attention: for each query, a mean of the values whose keys fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.arguments import Identifier, one_of
from layers.engine import precision_of_loops

SCORES = ("additive", "dot", "general")


@keras.saving.register_keras_serializable("layers")
class Attention(keras.layers.Layer):
    """How much each key fits a query, and the mean of the values so weighted.

        additive   e<t,t'> = vᵀ tanh(W_q q<t> + W_k h<t'>)
        dot        e<t,t'> = q<t>ᵀ h<t'>
        general    e<t,t'> = q<t>ᵀ W_k h<t'>

        α<t,t'>    = exp(e<t,t'>) / Σ_t'' exp(e<t,t''>)
        context<t> = Σ_t' α<t,t'> values<t'>

    W_k h<t'> does not depend on the query: `project` computes it once, and `attend` takes it for
    one query step or for all.

    Source: additive, Bahdanau, Cho and Bengio 2015; dot and general, Luong, Pham and Manning 2015.

    Args:
        score: `"additive"`, `"dot"` or `"general"`.
        units: rows of W_q and W_k, by default as many as `features` of a query; for additive alone.
        kernel_initializer: for W_q, W_k and v.

    Queries `[batch, queries, features]`, or one query each, `[batch, features]`; keys
    `[batch, time, features]`, for dot as wide as the queries; values `[batch, time, columns]`, by
    default the keys themselves. Output: the contexts, `[batch, queries, columns]` or
    `[batch, columns]`, and the weights α, `[batch, queries, time]` or `[batch, time]`.

    Padded keys, where `keys_mask` `[batch, time]` is False, or 0, have weight 0, and what stands
    there does not matter; a row without a real key gives zeros.

    The softmax is computed in float32, or in float64 where the layer is. Under mixed precision a
    CPU computes all in float32 and rounds the contexts, as recurrent layers do.

    Weights:
        query_kernel: W_q, `[features of queries, units]`, for additive; else None.
        key_kernel: W_k, `[features of keys, units]`, for general with the features of the queries
            in place of units; None for dot.
        scale: v, `[units]`, for additive; else None.

    Raises:
        ValueError: for an unknown score, or for dot with keys and queries of different widths.

    Notes:
        `keras.layers.AdditiveAttention` has no W_q and W_k and hands out no projected keys;
        `keras.layers.Attention` is dot, with a factor that is trained where it is asked for.

    Example:
        >>> attention = Attention("general")
        >>> context, weights = attention(tf.ones([2, 5, 3]), tf.ones([2, 7, 4]))
        >>> context.shape, weights.shape
        (TensorShape([2, 5, 4]), TensorShape([2, 5, 7]))
        >>> memory = attention.project(tf.ones([2, 7, 4]))
        >>> context, weights = attention.attend(tf.ones([2, 3]), memory, values=tf.ones([2, 7, 4]))
        >>> context.shape, weights.shape
        (TensorShape([2, 4]), TensorShape([2, 7]))
    """

    query_kernel: keras.Variable | None
    key_kernel: keras.Variable | None
    scale: keras.Variable | None

    def __init__(
        self,
        score: str = "additive",
        units: int | None = None,
        kernel_initializer: Identifier = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.score = one_of("score", score, SCORES)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self.query_kernel = self.key_kernel = self.scale = None

    def build(self, queries_shape: Sequence[int | None], keys_shape: Sequence[int | None]) -> None:
        """Makes the weights, for queries and keys of these shapes; only the features count."""
        asked, kept = queries_shape[-1], keys_shape[-1]
        if self.score == "dot" and asked != kept:
            raise ValueError(
                f'{self.name}: expected keys as wide as the queries, {asked}, for score="dot". '
                f'Received keys of width {kept}. Take score="general", or make them equal.'
            )
        if self.score == "general":
            self.key_kernel = self._add("key_kernel", (kept, asked))
        elif self.score == "additive":
            units = self.units or asked
            self.query_kernel = self._add("query_kernel", (asked, units))
            self.key_kernel = self._add("key_kernel", (kept, units))
            self.scale = self._add("scale", (units,))

    def _add(self, name: str, shape: tuple[int | None, ...]) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=self.kernel_initializer,
            autocast=False,  # `weight_tensors` casts
        )

    def weight_tensors(self) -> dict[str, tf.Tensor | None]:
        """The weights as tensors of the precision in which the layer computes, by name.

        Example:
            >>> attention = Attention("dot")
            >>> attention.weight_tensors()
            {'query_kernel': None, 'key_kernel': None, 'scale': None}
        """
        named = {
            "query_kernel": self.query_kernel,
            "key_kernel": self.key_kernel,
            "scale": self.scale,
        }
        precision = self._precision.name
        return {
            name: None if w is None else keras.ops.cast(w, precision) for name, w in named.items()
        }

    @property
    def _precision(self) -> tf.DType:
        return precision_of_loops(self.compute_dtype)

    def call(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor | None = None,
        keys_mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The contexts and the weights α.

        Args:
            queries: `[batch, queries, features]` or `[batch, features]`.
            keys: `[batch, time, features]`.
            values: `[batch, time, columns]`, by default the keys.
            keys_mask: bool `[batch, time]`, True where a key is real.
        """
        keys = keras.ops.convert_to_tensor(keys)
        values = keys if values is None else keras.ops.convert_to_tensor(values)
        if keys_mask is not None:
            keys_mask = tf.cast(keys_mask, tf.bool)
            # A weight of 0 does not make up for a NaN, nor does its derivative.
            keys, values = (
                tf.where(keys_mask[:, :, None], x, tf.zeros([], x.dtype)) for x in (keys, values)
            )
        return self.attend(queries, self.project(keys), values, keys_mask)

    def project(self, keys: tf.Tensor) -> tf.Tensor:
        """The keys as scores need them, once for all queries.

        Args:
            keys: `[batch, time, features]`.

        Returns:
            W_k h<t'>, `[batch, time, units]`; for dot the keys as they are.

        Example:
            >>> attention = Attention("dot")
            >>> attention.project(tf.ones([2, 7, 4])).shape
            TensorShape([2, 7, 4])
        """
        h, w = tf.cast(keys, self._precision), self.weight_tensors()["key_kernel"]
        return h if w is None else tf.tensordot(h, w, 1)

    def attend(
        self,
        queries: tf.Tensor,
        memory: tf.Tensor,
        values: tf.Tensor,
        keys_mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`call` with keys that have been projected.

        Args:
            queries: `[batch, queries, features]` or `[batch, features]`.
            memory: what `project` returned, `[batch, time, units]`.
            values: `[batch, time, columns]`, finite numbers at padding too, as in `memory`.
            keys_mask: bool `[batch, time]`, True where a key is real.

        Memory: `[batch, queries, time]`; for additive scores `[batch, queries, time, units]`.

        Returns:
            The contexts `[batch, queries, columns]` or `[batch, columns]`, and the weights α
            `[batch, queries, time]` or `[batch, time]`.

        Example:
            >>> context, weights = Attention("dot").attend(
            ...     tf.zeros([1, 2]), tf.ones([1, 3, 2]), tf.ones([1, 3, 2]), [[True, True, False]]
            ... )
            >>> weights.numpy().tolist()
            [[0.5, 0.5, 0.0]]
        """
        q = tf.cast(queries, self._precision)
        if q.shape.rank == 2:
            context, weights = self.attend(q[:, None], memory, values, keys_mask)
            return context[:, 0], weights[:, 0]
        v = tf.cast(values, self._precision)
        keys_mask = None if keys_mask is None else tf.cast(keys_mask, tf.bool)
        weights = weights_of(self._scores(q, memory), keys_mask)
        context = tf.matmul(tf.cast(weights, v.dtype), v)
        return tf.cast(context, self.compute_dtype), tf.cast(weights, self.compute_dtype)

    def _scores(self, q: tf.Tensor, memory: tf.Tensor) -> tf.Tensor:
        """e<t,t'>, `[batch, queries, time]`."""
        memory = tf.cast(memory, q.dtype)
        if self.score != "additive":
            return tf.matmul(q, memory, transpose_b=True)
        weights = self.weight_tensors()
        hidden = tf.tanh(tf.tensordot(q, weights["query_kernel"], 1)[:, :, None] + memory[:, None])
        return tf.tensordot(hidden, weights["scale"], 1)

    def compute_mask(self, *args: Any, **kwargs: Any) -> tuple[None, None]:
        """None for both: contexts have the mask of the queries, which a layer knows better."""
        return None, None

    def compute_output_shape(
        self,
        queries_shape: Sequence[int | None],
        keys_shape: Sequence[int | None],
        values_shape: Sequence[int | None] | None = None,
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        """The shapes of contexts and weights."""
        values_shape = values_shape or keys_shape
        before = tuple(queries_shape[:-1])
        return (*before, values_shape[-1]), (*before, keys_shape[1])

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def weights_of(scores: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The softmax over the last axis, in float32 at least; 0 where the mask is False.

    Args:
        scores: e, `[batch, queries, time]`.
        mask: bool `[batch, time]`, or None.

    Returns:
        `[batch, queries, time]`; a row of padding alone is all zeros.

    Example:
        >>> weights_of(tf.zeros([1, 1, 2]), tf.constant([[False, False]])).numpy().tolist()
        [[[0.0, 0.0]]]
    """
    if scores.dtype != tf.float64:
        scores = tf.cast(scores, tf.float32)
    if mask is None:
        return tf.nn.softmax(scores)
    real = mask[:, None, :]
    scores = tf.where(real, scores, scores.dtype.min)
    # Without a real key, the peak is the lowest number, and e to the power of 0 is 1.
    peak = tf.stop_gradient(tf.reduce_max(scores, axis=-1, keepdims=True))
    share = tf.where(real, tf.exp(scores - peak), tf.zeros([], scores.dtype))
    return tf.math.divide_no_nan(share, tf.reduce_sum(share, axis=-1, keepdims=True))
