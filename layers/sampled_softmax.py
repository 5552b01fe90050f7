"""The softmax of a few drawn words beside the right one, with its gradient by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from layers.engine import multiply, precision_of_loops

# Rows whose scores are in memory at a time: what is computed of them stays in the cache.
_ROWS_AT_ONCE = 512


def summed_sampled_cross_entropy(
    a: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    drawn: tf.Tensor,
    products: tf.DType | str | None = None,
) -> tf.Tensor:
    """Σ_i weights_i L_i, where row i compares its target t with the drawn words v other than t:

        s_i[v] = W_v a_i + b_v - log Q(v)
        L_i = -log (exp s_i[t] / (exp s_i[t] + Σ_v exp s_i[v]))

    Q(v) is how often v is expected among the drawn ones, see `expected`. What
    `tf.nn.sampled_softmax_loss` gives, in half its time: with the losses come their derivatives, of
    which one product makes the gradients of all drawn words.

    L is no estimate of the loss over all words, and lower, since a rare target stands for 1 / Q(t)
    words: 4.18 nats in place of 4.64 with 4,000 of WikiText-2's 33,000 words. Its minimum is where
    that of all words is; without log Q(t), which would make the sum over the vocabulary unbiased,
    rare words would become far too likely, for they are seldom drawn while they are wrong.

    Source: Jean, Cho, Memisevic and Bengio 2015, "On using very large target vocabulary".

    Args:
        a: states `[n, units]`.
        w: output weights `[vocabulary, units]`, common words first.
        b: output bias `[vocabulary]`.
        targets: int32 `[n]`, in [0, vocabulary).
        weights: float `[n]`, 0 where there is padding.
        drawn: different words, int32 `[samples]`, see `draw`.
        products: as in `layers.softmax.summed_cross_entropy`.

    Returns:
        A scalar. Its gradients by `w` and `b` are `tf.IndexedSlices` of the rows that took part;
        they cannot be differentiated again.

    Example:
        >>> a, w, b = tf.zeros([2, 4]), tf.zeros([10, 4]), tf.zeros([10])
        >>> targets, weights = tf.constant([3, 7]), tf.constant([1.0, 0.0])
        >>> drawn = draw([0, 1], samples=5, size=10)
        >>> loss = summed_sampled_cross_entropy(a, w, b, targets, weights, drawn)
        >>> bool(loss > 0)
        True
    """
    given, size = a.dtype, w.shape[0]
    targets, ids = tf.cast(targets, tf.int32), drawn
    a, w, b, weights = (tf.cast(v, precision_of_loops(given)) for v in (a, w, b, weights))
    log_q = [
        tf.math.log(tf.cast(expected(some, ids.shape[0], size), a.dtype)) for some in (targets, ids)
    ]
    # Where a word is among the drawn ones; behind the last, where it is not.
    places = tf.fill([size], tf.size(ids))
    places = tf.tensor_scatter_nd_update(places, ids[:, None], tf.range(tf.size(ids)))
    hits = tf.gather(places, targets)

    @tf.custom_gradient
    def loss(a: tf.Tensor, w: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        w_target, w_drawn = tf.gather(w, targets), tf.gather(w, ids)
        s_target = tf.reduce_sum(a * w_target, axis=1) + tf.gather(b, targets) - log_q[0]
        b_drawn = tf.gather(b, ids) - log_q[1]
        count = tf.shape(a)[0]

        def turn(
            i: tf.Tensor,
            losses: tf.TensorArray,
            p: tf.TensorArray,
            d_a: tf.TensorArray,
            d_w: tf.Tensor,
            d_b: tf.Tensor,
        ) -> tuple:
            part = slice(i, tf.minimum(i + _ROWS_AT_ONCE, count))
            some, right, weight = a[part], s_target[part], weights[part]
            scores = tf.nn.bias_add(multiply(some, w_drawn, products, transpose_b=True), b_drawn)
            largest = tf.maximum(tf.reduce_max(scores, axis=1), right)
            each = tf.exp(scores - largest[:, None])
            each = _without(each, hits[part])
            all_drawn, of_right = tf.reduce_sum(each, axis=1), tf.exp(right - largest)
            together = all_drawn + of_right
            # ∂L/∂s[v] = exp s[v] / Σ: a factor of the row times what is there already.
            scale = weight / together
            scaled = some * scale[:, None]
            number = i // _ROWS_AT_ONCE
            return (
                i + _ROWS_AT_ONCE,
                losses.write(number, weight * (tf.math.log(together) + largest - right)),
                p.write(number, weight - of_right * scale),
                d_a.write(number, multiply(each, w_drawn, products) * scale[:, None]),
                d_w + multiply(each, scaled, products, transpose_a=True),
                d_b + tf.linalg.matvec(each, scale, transpose_a=True),
            )

        turns = tf.maximum(1, -(-count // _ROWS_AT_ONCE))

        def array(*shape: int | None) -> tf.TensorArray:
            return tf.TensorArray(a.dtype, turns, infer_shape=False, element_shape=(None, *shape))

        _, losses, p, d_a, d_w, d_b = tf.while_loop(
            lambda i, *_: i < turns * _ROWS_AT_ONCE,
            turn,
            (
                0,
                array(),
                array(),
                array(a.shape[1]),
                tf.zeros_like(w_drawn),
                tf.zeros_like(b_drawn),
            ),
            parallel_iterations=1,
        )
        total, p, d_a = tf.reduce_sum(losses.concat()), p.concat(), d_a.concat()

        def back(d: tf.Tensor) -> tuple:
            d_target = -d * p
            rows = tf.concat([ids, targets], axis=0)
            d_rows = tf.concat([d * d_w, d_target[:, None] * a], axis=0)
            return (
                d * d_a + d_target[:, None] * w_target,
                tf.IndexedSlices(d_rows, rows, tf.shape(w)),
                tf.IndexedSlices(tf.concat([d * d_b, d_target], axis=0), rows, tf.shape(b)),
            )

        return total, back

    return tf.cast(loss(a, w, b), given)


def draw(seed: tf.Tensor, samples: int, size: int) -> tf.Tensor:
    """Draws different words by their rank, the common ones first: one after the other, word r with
    a probability of log((r + 2) / (r + 1)) / log(size + 1) among those that are left.

    By that they are the ones with the largest log p + g, where g is Gumbel noise of each (Vieira
    2014), and a seed gives the same words wherever they are drawn, which TensorFlow's samplers of
    candidates do not.

    Args:
        seed: integers `[2]`.
        samples: how many, at most as many as the vocabulary has.
        size: of the vocabulary.

    Returns:
        int32 `[samples]`, in any order.

    Example:
        >>> len({*draw([0, 1], samples=4, size=10).numpy()})
        4
    """
    uniform = tf.random.stateless_uniform([size], seed, minval=np.finfo(np.float32).tiny)
    noisy = np.log(_probabilities(size)).astype(np.float32) - tf.math.log(-tf.math.log(uniform))
    return tf.ensure_shape(tf.math.top_k(noisy, samples, sorted=False).indices, [samples])


def expected(ids: tf.Tensor, samples: int, size: int) -> tf.Tensor:
    """How often words are expected among those that `draw` draws, float32 of the shape of `ids`:
    1 - (1 - p)^n, where n is the number of draws of single words that give so many different ones.

    Example:
        >>> float(tf.reduce_sum(expected(tf.range(10), samples=4, size=10)))
        4.0
    """
    return tf.gather(_expected(samples, size), ids)


def _probabilities(size: int) -> np.ndarray:
    ranks = np.arange(size, dtype=np.float64)
    return np.log((ranks + 2) / (ranks + 1)) / np.log(size + 1)


@functools.cache
def _expected(samples: int, size: int) -> np.ndarray:
    if samples >= size:
        return np.ones([size], np.float32)
    never = np.log1p(-_probabilities(size))
    least, most = 0.0, 1.0
    while -np.expm1(most * never).sum() < samples:
        most *= 2
    for _ in range(100):
        n = (least + most) / 2
        enough = -np.expm1(n * never).sum() >= samples
        least, most = (least, n) if enough else (n, most)
    return -np.expm1(most * never).astype(np.float32)


def _without(each: tf.Tensor, hits: tf.Tensor) -> tf.Tensor:
    """A table `[n, samples]` with a 0 where each row's target is among the drawn words."""
    rows = tf.cast(tf.where(hits < tf.shape(each)[1]), tf.int32)
    at = tf.concat([rows, tf.gather(hits, rows)], axis=1)
    return tf.tensor_scatter_nd_update(each, at, tf.zeros(tf.shape(rows)[:1], each.dtype))
