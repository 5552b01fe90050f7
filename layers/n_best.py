"""The n best paths through a linear-chain conditional random field.

As in `layers.forward_backward`, one more tag, the boundary, frames every sequence, and functions
take emissions `[batch, time, tags]`, a mask, bool `[batch, time]`, and the matrix of all
transitions `[tags + 1, tags + 1]`.
"""

from __future__ import annotations

import tensorflow as tf

from layers.forward_backward import (
    ABSENT,
    FORBIDDEN,
    Form,
    balanced,
    log_likelihood,
    score_of,
    without_padding,
)


def best_paths(
    form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor, n: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The n most probable paths, by the Viterbi algorithm with n paths to each tag.

        s<t>[j, 1..n] = the n largest of s<t-1>[i, k] + M[i, j] + e<t>[j] over i and k

    Source: Seshadri and Sundberg 1994, "List Viterbi decoding algorithms with applications", the
    parallel one.

    Args:
        form: of the algorithm that normalizes.
        emissions, mask, matrix: of the module.
        n: how many.

    Returns:
        Tags int32 `[batch, n, time]`, the most probable path first, 0 at padded steps; log p of
        each `[batch, n]`; and how many there are, int32 `[batch]`: a short sequence has fewer than
        n. Behind them tags are 0 and log p is minus infinity. Paths that are forbidden are none,
        unless no other one is left.

    Example:
        >>> emissions = tf.math.log([[[0.9, 0.1], [0.6, 0.4]]])
        >>> mask, matrix = tf.ones([1, 2], tf.bool), tf.zeros([3, 3])
        >>> tags, log_p, count = best_paths(Form(2), emissions, mask, matrix, n=3)
        >>> tags.numpy().tolist(), tf.exp(log_p).numpy().astype(float).round(2).tolist()
        ([[[0, 0], [0, 1], [1, 0]]], [[0.54, 0.36, 0.06]])
    """
    found, tags = _forward_and_back(balanced(emissions, mask), mask, matrix, n)
    real = found > tf.maximum(found[:, :1] + FORBIDDEN / 2, ABSENT / 2)
    real |= tf.range(n) == 0
    tags = tf.where(real[:, :, None] & mask[:, None], tags, 0)

    # Scores once more, of the whole emissions: what was added up step by step has rounding errors.
    def each(x: tf.Tensor) -> tf.Tensor:
        return tf.repeat(x, n, axis=0)

    paths = tf.reshape(tags, [-1, tf.shape(mask)[1]])
    scores = score_of(each(without_padding(emissions, mask)), paths, each(mask), matrix)
    scores = tf.reshape(scores, [-1, n])
    best = log_likelihood(form, emissions, tags[:, 0], mask, matrix)
    log_p = scores - scores[:, :1] + best[:, None]
    count = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
    return tags, tf.where(real, log_p, -float("inf")), count


def _forward_and_back(
    emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor, n: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores `[batch, n]` and tags int32 `[batch, n, time]` of the best paths, the best first."""
    batch, time = tf.unstack(tf.shape(mask))
    states = matrix.shape[0]
    places = tf.range(states * n)  # of path k to tag i: i n + k
    scores = tf.pad(emissions, [[0, 0], [0, 0], [0, 1]], constant_values=ABSENT)

    def step(t: tf.Tensor, s: tf.Tensor, came_from: tf.TensorArray) -> tuple:
        # [batch, to, from and path]
        arriving = s[:, None] + tf.transpose(matrix)[None, :, :, None]
        best, place = tf.math.top_k(tf.reshape(arriving, [batch, states, states * n]), n)
        new = best + scores[:, t, :, None]
        real = mask[:, t, None]
        stays = tf.broadcast_to(places, [batch, states * n])
        place = tf.where(real, tf.reshape(place, [batch, states * n]), stays)
        return t + 1, tf.where(real[..., None], new, s), came_from.write(t, place)

    # One path to the boundary: that of no steps.
    start = tf.fill([batch, states, n], tf.cast(ABSENT, emissions.dtype))
    nothing = tf.one_hot([(states - 1) * n], states * n, on_value=True, off_value=False)
    start = tf.where(tf.reshape(nothing, [1, states, n]), tf.zeros_like(start), start)
    came_from = tf.TensorArray(tf.int32, time, element_shape=[None, None])
    _, s, came_from = tf.while_loop(
        lambda t, *_: t < time, step, (0, start, came_from), parallel_iterations=1
    )
    ending = tf.reshape(s + matrix[:, -1][None, :, None], [batch, states * n])
    found, place = tf.math.top_k(ending, n)

    def back(t: tf.Tensor, place: tf.Tensor, tags: tf.TensorArray) -> tuple:
        earlier = tf.gather(came_from.read(t), place, batch_dims=1)
        return t - 1, earlier, tags.write(t, place // n)

    # One step more than there are, so that no path is empty.
    tags = tf.TensorArray(tf.int32, time + 1, element_shape=[None, None]).write(time, place)
    _, _, tags = tf.while_loop(
        lambda t, *_: t >= 0, back, (time - 1, place, tags), parallel_iterations=1
    )
    return found, tf.transpose(tags.stack()[:-1], [1, 2, 0])
