"""Drawing one token for each row, by a number for each."""

from __future__ import annotations

import tensorflow as tf

# Uniform numbers are drawn in blocks of this size, so that the t-th of a seed is always the same.
BLOCK = 256


def draw(
    scores: tf.Tensor,
    uniform: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    forbidden: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws a token for each row from softmax(scores / temperature).

    Args:
        scores: W a<t> + b, `[batch, vocabulary]`.
        uniform: a number in [0, 1) for each row: the place in the cumulated probabilities at which
            the token lies. One number, one token: a row's draw does not depend on the others.
        temperature: `[batch]`; below 1 the likely tokens become likelier, and what is not above 0,
            or no number, takes the likeliest (greedy decoding); infinity makes all equally likely.
        top_k: int32 `[batch]`: only the k likeliest tokens are drawn from; below 1: all.
        top_p: `[batch]`: only the likeliest tokens that together have this probability; 1 and more:
            all; 0 and less: the likeliest.
        forbidden: bool `[vocabulary]`, True for tokens that are never drawn; it is as if they were
            drawn again.

    Returns:
        Token ids `[batch]`, and log P of each at temperature 1, nothing forbidden.
    """
    log_p = tf.nn.log_softmax(scores)
    allowed = tf.where(forbidden, scores.dtype.min, scores)
    greedy = tf.argmax(allowed, axis=1, output_type=tf.int32)
    heat = tf.maximum(temperature, 1e-4)[:, None]
    p = tf.nn.softmax((allowed - tf.reduce_max(allowed, axis=1, keepdims=True)) / heat)
    p = tf.where(forbidden, 0.0, p)
    filters = tf.reduce_any(top_k > 0) | tf.reduce_any(top_p < 1)
    p = tf.cond(filters, lambda: _likeliest(p, top_k, top_p), lambda: p)
    cumulated = tf.cumsum(p, axis=1)
    place = uniform[:, None] * cumulated[:, -1:]
    drawn = tf.reduce_sum(tf.cast(cumulated <= place, tf.int32), axis=1)
    # Rounding may put the place at the very end: the last token that can be drawn.
    last = tf.shape(p)[1] - 1 - tf.argmax(tf.reverse(p > 0, [1]), axis=1, output_type=tf.int32)
    drawn = tf.where(temperature > 0, tf.minimum(drawn, last), greedy)
    return drawn, tf.gather(log_p, drawn, batch_dims=1)


def _likeliest(p: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Probabilities, 0 where top-k or top-p leave a token out; of equal ones, all stay."""
    size = tf.shape(p)[1]
    ordered = tf.sort(p, axis=1, direction="DESCENDING")
    k = tf.where(top_k > 0, tf.minimum(top_k, size), size)
    enough = tf.reduce_sum(tf.cast(tf.cumsum(ordered, axis=1) < top_p[:, None], tf.int32), axis=1)
    count = tf.minimum(k, tf.where(top_p < 1, tf.minimum(enough + 1, size), size))
    least = tf.gather(ordered, count - 1, batch_dims=1)
    return tf.where(p >= least[:, None], p, 0.0)


def uniforms(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The first `count` numbers, or some more, of each seed: `[batch, numbers]` in [0, 1)."""
    blocks = tf.range(tf.maximum(1, -(-count // BLOCK)))
    found = tf.map_fn(lambda i: block_of_uniforms(seeds, i), blocks, fn_output_signature=tf.float32)
    return tf.reshape(tf.transpose(found, [1, 0, 2]), [tf.size(seeds), -1])


def block_of_uniforms(seeds: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """The block with this number, from 0 up, of each seed's numbers: `[batch, BLOCK]`."""

    def of_seed(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([BLOCK], tf.stack([seed, number]))

    return tf.map_fn(of_seed, seeds, fn_output_signature=tf.float32)
