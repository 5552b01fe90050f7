"""The softmax over a large vocabulary, without a table of all scores in memory."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from layers.engine import multiply, precision_of_loops

# Scores that are in memory at a time; more rows than fit are taken in turns.
_SCORES_AT_ONCE = 2**24


def summed_cross_entropy(
    a: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    smoothing: float = 0.0,
    products: tf.DType | str | None = None,
) -> tf.Tensor:
    """Σ_i weights_i L_i,   L_i = -log ŷ_i[target_i],   ŷ_i = softmax(W a_i + b).

    With `smoothing` ε, L_i = -(1 - ε) log ŷ_i[target_i] - ε / V Σ_v log ŷ_i[v] over all V rows of W
    (Szegedy et al. 2016).

    Only a few rows have their scores in memory at a time, as many as have 2²⁴ scores together: once
    as scores and once as their derivatives ŷ - y, which are multiplied into the gradients at once.
    A table of `[n, vocabulary]` is never stored. Of numbers with 16 bits, a CPU computes in float32
    and rounds the result.

    Args:
        a: states `[n, units]`.
        w: output weights `[vocabulary, units]`, such as the embedding that is tied to them.
        b: output bias `[vocabulary]`.
        targets: int32 `[n]`, in [0, vocabulary).
        weights: float `[n]`, 0 where there is padding.
        smoothing: ε, in [0, 1).
        products: the type in which W a_i and its derivatives are multiplied, and to which scores
            are rounded, see `layers.engine.precision_of_products`; by default that of everything
            else.

    Returns:
        A scalar. Its gradient by `a`, `w` and `b` is computed with it; that gradient can be
        differentiated once more. Targets and weights have no gradient.

    Example:
        >>> a, w, b = tf.zeros([2, 4]), tf.zeros([10, 4]), tf.zeros([10])
        >>> loss = summed_cross_entropy(a, w, b, tf.constant([3, 7]), tf.constant([1.0, 0.0]))
        >>> round(float(loss), 3)  # log 10
        2.303
    """

    @tf.custom_gradient
    def loss(a: tf.Tensor, w: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        rows = _rows_at_once(w)
        count = tf.shape(a)[0]

        def turn(
            i: tf.Tensor, total: tf.Tensor, d_a: tf.TensorArray, d_w: tf.Tensor, d_b: tf.Tensor
        ) -> tuple:
            part = slice(i, tf.minimum(i + rows, count))
            some, weight = a[part], weights[part]
            scores = tf.nn.bias_add(multiply(some, w, products, transpose_b=True), b)
            losses, derivatives = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
                features=scores, labels=targets[part]
            )
            return (
                i + rows,
                total + tf.tensordot(losses, weight, 1),
                d_a.write(i // rows, multiply(derivatives, w, products) * weight[:, None]),
                d_w + multiply(derivatives, some * weight[:, None], products, transpose_a=True),
                d_b + tf.linalg.matvec(derivatives, weight, transpose_a=True),
            )

        turns = tf.maximum(1, -(-count // rows))
        pieces = tf.TensorArray(
            a.dtype, size=turns, infer_shape=False, element_shape=(None, a.shape[1])
        )
        _, total, d_a, d_w, d_b = tf.while_loop(
            lambda i, *_: i < turns * rows,
            turn,
            (0, tf.zeros([], a.dtype), pieces, tf.zeros_like(w), tf.zeros_like(b)),
            parallel_iterations=1,
        )
        d_a = tf.ensure_shape(d_a.concat(), a.shape)
        return total, lambda d: (d * d_a, d * d_w, d * d_b)

    given = a.dtype
    a, w, b, weights = (tf.cast(v, precision_of_loops(given)) for v in (a, w, b, weights))
    total = loss(a, w, b)
    if smoothing:
        total += smoothing * _advantage(a, w, b, targets, weights)
    return tf.cast(total, given)


def _advantage(
    a: tf.Tensor, w: tf.Tensor, b: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Σ_i weights_i (the target's score - the mean of all scores).

    By this times ε a smooth loss differs from the plain one: in both, log Σ_v exp has the weight 1.
    Neither score needs the table of all of them.
    """
    size = tf.cast(tf.shape(w)[0], w.dtype)
    mean = tf.matmul(tf.fill([1, tf.shape(w)[0]], 1 / size), w)  # faster than tf.reduce_mean
    advantage = tf.reduce_sum(a * (tf.gather(w, targets) - mean), axis=1)
    advantage += tf.gather(b, targets) - tf.reduce_mean(b)
    return tf.tensordot(advantage, weights, 1)


def log_probabilities(a: tf.Tensor, w: tf.Tensor, b: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """log ŷ_i[target_i] of each row, in as little memory as `summed_cross_entropy` takes.

    Args:
        a: states `[n, units]`.
        w: output weights `[vocabulary, units]`.
        b: output bias `[vocabulary]`.
        targets: int32 `[n]`, in [0, vocabulary).

    Returns:
        `[n]`.

    Example:
        >>> a, w, b = tf.zeros([2, 4]), tf.zeros([10, 4]), tf.zeros([10])
        >>> [round(float(value), 3) for value in log_probabilities(a, w, b, tf.constant([3, 7]))]
        [-2.303, -2.303]
    """
    given = a.dtype
    a, w, b = (tf.cast(v, precision_of_loops(given)) for v in (a, w, b))
    rows, count = _rows_at_once(w), tf.shape(a)[0]
    turns = tf.maximum(1, -(-count // rows))

    def turn(i: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        part = slice(i, tf.minimum(i + rows, count))
        scores = tf.nn.bias_add(tf.matmul(a[part], w, transpose_b=True), b)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets[part], scores)
        return i + rows, found.write(i // rows, -losses)

    found = tf.TensorArray(a.dtype, size=turns, infer_shape=False, element_shape=(None,))
    _, found = tf.while_loop(
        lambda i, *_: i < turns * rows, turn, (0, found), parallel_iterations=1
    )
    return tf.cast(tf.ensure_shape(found.concat(), a.shape[:1]), given)


def _rows_at_once(w: tf.Tensor) -> int:
    return max(1, _SCORES_AT_ONCE // w.shape[0])
