"""The algorithms of a linear-chain conditional random field: forward-backward and Viterbi.

The loops run over sequences that are framed by one more tag, the boundary: it stands before the
first and after the last real step, so that start and end are transitions like all others, and a
sequence of padding alone is the transition from boundary to boundary, whose score is 0.

In the loops, the batch is the last axis: sums over tags are then sums of whole vectors.

All functions here take emissions `[batch, time, tags]`, tags int32 `[batch, time]`, a mask, bool
`[batch, time]`, and the matrix of all transitions `[tags + 1, tags + 1]`, from row to column, the
boundary last. `layers.crf.CRF` checks what users give, and makes these of it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from layers.engine.compiling import padding_to_bucket, shared_function
from layers.engine.gradient import refuse_second_derivatives
from layers.engine.loops import STEPS_PER_TURN, repeat

# Score of a forbidden transition: finite, so that no gradient meets inf - inf.
FORBIDDEN = -1e6
# Score of a state that cannot be: the boundary at a real step, any other tag before the first.
ABSENT = -1e9


@dataclasses.dataclass(frozen=True)
class Form:
    """The form in which an algorithm runs: what is known before the data.

    Attributes:
        tags: number of tags. It keeps functions apart that TensorFlow would otherwise generalize to
            an unknown number of tags.
        compiled: by XLA, or portable.

    Example:
        >>> Form(tags=3) == Form(tags=3, compiled=False)
        True
    """

    tags: int
    compiled: bool = False


# --- What the layer asks for ---------------------------------------------------------------------


def log_likelihood(
    form: Form, emissions: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tf.Tensor:
    """log p(tags), `[batch]`, with observed minus expected counts as its gradient.

    Example:
        >>> emissions, tags = tf.zeros([1, 2, 3]), tf.zeros([1, 2], tf.int32)
        >>> all_real, matrix = tf.ones([1, 2], tf.bool), tf.zeros([4, 4])
        >>> p = tf.exp(log_likelihood(Form(3), emissions, tags, all_real, matrix))
        >>> round(float(p[0]), 4)  # one of nine paths that are alike
        0.1111
    """
    if form.compiled and emissions.shape[1] is None:
        padding = [[0, 0], [0, padding_to_bucket(tf.shape(emissions)[1])]]
        emissions = tf.pad(emissions, [*padding, [0, 0]])
        tags, mask = tf.pad(tags, padding), tf.pad(mask, padding)

    @tf.custom_gradient
    def differentiable(*arguments: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        # Detached, so that no tape records the loops as well.
        emissions, matrix = (tf.stop_gradient(argument) for argument in arguments)
        algorithm = shared_function(_likelihood_and_gradient, form)
        likelihood, of_emissions, of_matrix = algorithm(emissions, tags, mask, matrix)

        def gradient(d_likelihood: tf.Tensor) -> list[tf.Tensor]:
            d_emissions = d_likelihood[:, None, None] * of_emissions
            d_matrix = tf.linalg.matvec(of_matrix, d_likelihood)
            return refuse_second_derivatives([d_emissions, d_matrix], arguments, "a CRF")

        return likelihood, gradient

    return differentiable(emissions, matrix)


def automatic_log_likelihood(
    emissions: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tf.Tensor:
    """log p(tags), `[batch]`, by the forward algorithm alone, for automatic differentiation.

    Example:
        >>> emissions, tags = tf.zeros([1, 2, 3]), tf.zeros([1, 2], tf.int32)
        >>> all_real, matrix = tf.ones([1, 2], tf.bool), tf.zeros([4, 4])
        >>> p = tf.exp(automatic_log_likelihood(emissions, tags, all_real, matrix))
        >>> round(float(p[0]), 4)
        0.1111
    """
    form, emissions = Form(emissions.shape[2]), balanced(emissions, mask)
    scores, real = _time_first(emissions, mask)
    alpha = _steps(form, _log_sum_exp, scores[:, None], _to_from(matrix)[:1], real[:, None])
    log_z = _log_sum_exp(alpha[-1, 0] + matrix[:, -1:])
    return score_of(emissions, tags, mask, matrix) - log_z


def best_path(
    form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable tags, int32 `[batch, time]`, 0 at padded steps; and their score `[batch]`.

    Example:
        >>> emissions = tf.constant([[[0.0, 1.0], [2.0, 0.0]]])
        >>> tags, score = best_path(Form(2), emissions, tf.ones([1, 2], tf.bool), tf.zeros([3, 3]))
        >>> tags.numpy().tolist(), score.numpy().tolist()
        ([[1, 0]], [3.0])
    """
    tags = shared_function(_viterbi, form)(emissions, mask, matrix)
    return tags, score_of(without_padding(emissions, mask), tags, mask, matrix)


def marginals(form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """p(y<t> = tag), `[batch, time, tags]`, zeros at padded steps.

    Example:
        >>> emissions, mask = tf.zeros([1, 2, 2]), tf.constant([[True, False]])
        >>> marginals(Form(2), emissions, mask, tf.zeros([3, 3])).numpy().round(3).tolist()
        [[[0.5, 0.5], [0.0, 0.0]]]
    """
    return shared_function(_marginals, form)(emissions, mask, matrix)


def best_path_and_marginals(
    form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The tags of `best_path` and what `marginals` gives, with one loop forward for both.

    Example:
        >>> emissions = tf.constant([[[0.0, 1.0], [2.0, 0.0]]])
        >>> both = best_path_and_marginals(
        ...     Form(2), emissions, tf.ones([1, 2], tf.bool), tf.zeros([3, 3])
        ... )
        >>> both[0].numpy().tolist(), both[1].numpy().argmax(-1).tolist()
        ([[1, 0]], [[1, 0]])
    """
    return shared_function(_viterbi_and_marginals, form)(emissions, mask, matrix)


# --- The score of given tags ---------------------------------------------------------------------


def score_of(
    emissions: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tf.Tensor:
    """score(tags), `[batch]`.

    Example:
        >>> all_real, matrix = tf.ones([1, 2], tf.bool), tf.zeros([3, 3])
        >>> score_of(tf.ones([1, 2, 2]), tf.constant([[0, 1]]), all_real, matrix).numpy().tolist()
        [2.0]
    """
    count = emissions.shape[2]
    before, after = _neighbours(tags, mask, count)
    transitions = tf.gather(tf.reshape(matrix, [-1]), before * (count + 1) + after)
    chosen = emissions * tf.one_hot(tags, count, dtype=emissions.dtype)
    return tf.reduce_sum(chosen, [1, 2]) + tf.reduce_sum(transitions, 1)


def _neighbours(tags: tf.Tensor, mask: tf.Tensor, boundary: int) -> tuple[tf.Tensor, tf.Tensor]:
    """All transitions, padding left out: tags before and after, `[batch, time + 1]` each.

    Tags 7 _ 8 9 _ (padding _, boundary |) give before | 7 8 9 | | and after 7 8 9 | | |.
    """
    time = tf.shape(tags)[1]
    numbers = tf.range(time)
    real_first = tf.argsort(tf.where(mask, numbers, numbers + time), axis=1)
    tags = tf.gather(tf.where(mask, tags, boundary), real_first, batch_dims=1)
    framed = tf.pad(tags, [[0, 0], [1, 1]], constant_values=boundary)
    return framed[:, :-1], framed[:, 1:]


# --- The algorithms ------------------------------------------------------------------------------


def _likelihood_and_gradient(
    form: Form, emissions: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The log-likelihood and its derivatives, each sequence for itself.

    Returns:
        The log-likelihood `[batch]`, and its derivatives by the emissions `[batch, time, tags]` and
        by the matrix `[tags + 1, tags + 1, batch]`.
    """
    emissions = balanced(emissions, mask)
    count, dtype = emissions.shape[2], emissions.dtype
    log_z, marginals, expected = _forward_backward(form, emissions, mask, matrix)

    observed_tags = tf.one_hot(tf.where(mask, tags, -1), count, dtype=dtype)
    before, after = (
        tf.one_hot(tags, count + 1, dtype=dtype) for tags in _neighbours(tags, mask, count)
    )
    observed = tf.transpose(tf.matmul(before, after, transpose_a=True), [1, 2, 0])
    likelihood = score_of(emissions, tags, mask, matrix) - log_z
    return likelihood, observed_tags - marginals, observed - expected


def _forward_backward(
    form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Both directions in one loop; what follows from them, for all steps at once.

        α<t>[j] = e<t>[j] + log Σ_i exp(α<t-1>[i] + M[i, j])
        γ<t>[i] = e<t>[i] + log Σ_j exp(M[i, j] + γ<t+1>[j])        (γ = e + the usual β)

    Returns:
        log Z `[batch]`, marginals `[batch, time, tags]`, and how often each transition is expected,
        `[tags + 1, tags + 1, batch]`.
    """
    scores, real = _time_first(emissions, mask)
    both_scores = tf.stack([scores, tf.reverse(scores, [0])], axis=1)
    both_real = tf.stack([real, tf.reverse(real, [0])], axis=1)
    states = _steps(form, _log_sum_exp, both_scores, _to_from(matrix), both_real)
    alpha, gamma = states[:, 0], tf.reverse(states[1:, 1], [0])
    scores, alpha_prev, gamma = scores[:, :-1], alpha[:-1], gamma[:, :-1]
    marginals, log_z_here = _marginals_of(scores, alpha[1:, :-1], gamma, real)

    # p(y<t-1> = i, y<t> = j) = exp(α<t-1>[i] + M[i, j] + γ<t>[j] - log Z)
    rest = tf.where(real, gamma - log_z_here, tf.constant(ABSENT, scores.dtype))
    pairs = tf.exp(alpha_prev[:, :, None] + matrix[:, :-1, None] + rest[:, None])

    to_end = states[-1, 0] + matrix[:, -1:]
    log_z = _log_sum_exp(to_end)
    ends = tf.exp(to_end - log_z)
    expected = tf.concat([tf.reduce_sum(pairs, axis=0), ends[:, None]], axis=1)
    return log_z, tf.transpose(marginals, [2, 0, 1]), expected


def _marginals_of(
    scores: tf.Tensor, alpha: tf.Tensor, gamma: tf.Tensor, real: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """p(y<t> = tag), and log Z `[time, 1, batch]`, with the rounding errors of each step.

    The boundary is no tag of a real step: it is left out of scores, α and γ, which are
    `[time, tags, batch]`; `real` is bool `[time, 1, batch]`.
    """
    joint = alpha + gamma - scores
    log_z_here = _log_sum_exp(joint)[:, None]
    return tf.where(real, tf.exp(joint - log_z_here), tf.zeros([], scores.dtype)), log_z_here


def _marginals(form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    return _forward_backward(form, balanced(emissions, mask), mask, matrix)[1]


def _viterbi(form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The best path: forward with max in place of the sum, then back along it."""
    scores, real = _time_first(balanced(emissions, mask), mask)
    best = functools.partial(tf.reduce_max, axis=-2)
    states = _steps(form, best, scores[:, None], _to_from(matrix)[:1], real[:, None])
    return _way_back(form, states[:, 0], mask, matrix)


def _viterbi_and_marginals(
    form: Form, emissions: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Three directions in one loop: α, γ, and α with max in place of the sum."""
    scores, real = _time_first(balanced(emissions, mask), mask)
    forward, backward = tf.unstack(_to_from(matrix))
    sums = tf.constant([1.0, 1.0, 0.0], scores.dtype)[:, None, None]

    def combine(some: tf.Tensor) -> tf.Tensor:
        top = tf.reduce_max(some, axis=-2)
        return top + sums * tf.math.log(tf.reduce_sum(tf.exp(some - top[..., None, :]), axis=-2))

    states = _steps(
        form,
        combine,
        tf.stack([scores, tf.reverse(scores, [0]), scores], axis=1),
        tf.stack([forward, backward, forward]),
        tf.stack([real, tf.reverse(real, [0]), real], axis=1),
    )
    alpha, gamma = states[1:, 0, :-1], tf.reverse(states[1:, 1, :-1], [0])
    marginals, _ = _marginals_of(scores[:, :-1], alpha, gamma, real)
    return _way_back(form, states[:, 2], mask, matrix), tf.transpose(marginals, [2, 0, 1])


def _way_back(form: Form, states: tf.Tensor, mask: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The tags of the best path, int32 `[batch, time]`, from the states before the first step and
    after each one, `[time + 1, tags + 1, batch]`."""
    states, real, arriving = states[1:, :-1], tf.transpose(mask), matrix[:-1]
    time, batch = tf.unstack(tf.shape(real))

    def step(
        i: tf.Tensor, tag: tf.Tensor, path: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray]:
        t = time - 1 - i
        leading = states[t] + tf.gather(arriving, tag, axis=1)
        tag = tf.where(real[t], tf.argmax(leading, axis=0, output_type=tf.int32), tag)
        return tag, path.write(t, tag)

    # One step more than there are, so that no path is empty.
    path = tf.TensorArray(tf.int32, size=time + 1, element_shape=real.shape[1:])
    boundary = tf.fill([batch], matrix.shape[0] - 1)
    path = _loop(form, time, step, boundary, path.write(time, boundary)).stack()[:-1]
    return tf.where(mask, tf.transpose(path), 0)


# --- The loops -----------------------------------------------------------------------------------


def _steps(
    form: Form, combine: Callable, scores: tf.Tensor, matrices: tf.Tensor, real: tf.Tensor
) -> tf.Tensor:
    """Steps through time, all directions at once.

    Args:
        combine: sum or maximum over the tags before, in logarithms.
        scores: `[time, directions, tags + 1, batch]`.
        matrices: `[directions, tags + 1, tags + 1]`, scores from column to row.
        real: bool `[time, directions, 1, batch]`. A padded step leaves the state as it is.

    Returns:
        The states before the first step and after each one,
        `[time + 1, directions, tags + 1, batch]`.
    """
    time, directions, tags, batch = tf.unstack(tf.shape(scores))
    start = tf.one_hot(tags - 1, tags, on_value=0.0, off_value=ABSENT, dtype=scores.dtype)
    start = tf.broadcast_to(start[:, None], [directions, tags, batch])
    start = tf.ensure_shape(start, scores.shape[1:])
    matrices = matrices[..., None]

    def step(
        t: tf.Tensor, states: tf.Tensor, history: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray]:
        arriving = combine(matrices + states[:, None])
        states = tf.where(real[t], scores[t] + arriving, states)
        return states, history.write(t + 1, states)

    history = tf.TensorArray(scores.dtype, size=time + 1, element_shape=start.shape)
    return _loop(form, time, step, start, history.write(0, start)).stack()


def _loop(
    form: Form, count: tf.Tensor, step: Callable, state: tf.Tensor, history: tf.TensorArray
) -> tf.TensorArray:
    """Runs `step(number, state, history)` `count` times; returns the history."""
    steps_per_turn = 1 if form.compiled else STEPS_PER_TURN
    return repeat(count, step, (state, history), steps_per_turn)[1]


def _log_sum_exp(scores: tf.Tensor) -> tf.Tensor:
    """log Σ exp over the last axis but one. Everything here is finite: nothing to guard."""
    top = tf.stop_gradient(tf.reduce_max(scores, axis=-2, keepdims=True))
    return tf.math.log(tf.reduce_sum(tf.exp(scores - top), axis=-2)) + tf.squeeze(top, -2)


def without_padding(emissions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Emissions, zeros at padded steps.

    Example:
        >>> without_padding(tf.ones([1, 2, 1]), tf.constant([[True, False]])).numpy().tolist()
        [[[1.0], [0.0]]]
    """
    return tf.where(mask[:, :, None], emissions, tf.zeros([], emissions.dtype))


def balanced(emissions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Emissions less a number for each step, so that sums over long sequences stay small.

    Probabilities do not depend on that number, and so it takes no part in gradients.

    Example:
        >>> float(tf.reduce_sum(tf.exp(balanced(tf.zeros([1, 1, 4]), tf.constant([[True]])))))
        1.0
    """
    total = tf.reduce_logsumexp(emissions, axis=2, keepdims=True)
    return without_padding(emissions - tf.stop_gradient(total), mask)


def _time_first(emissions: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores `[time, tags + 1, batch]` with the boundary, and what is real, `[time, 1, batch]`."""
    scores = tf.pad(emissions, [[0, 0], [0, 0], [0, 1]], constant_values=ABSENT)
    return tf.transpose(scores, [1, 2, 0]), tf.transpose(mask)[:, None]


def _to_from(matrix: tf.Tensor) -> tf.Tensor:
    """The matrices of the forward and of the backward direction, scores from column to row."""
    return tf.stack([tf.transpose(matrix), matrix])
