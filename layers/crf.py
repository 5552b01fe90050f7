"""Linear-chain conditional random field.

The loops below run over sequences that are framed by one more tag, the boundary: it stands before
the first and after the last real step, so that start and end are transitions like all others, and
a sequence of padding alone is the transition from boundary to boundary, whose score is 0.

In the loops, the batch is the last axis: sums over tags are then sums of whole vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from layers.arguments import GRADIENTS, JIT, one_of, positive_integer

# Score of a forbidden transition: finite, so that no gradient meets inf - inf.
_FORBIDDEN = -1e6
# Score of a state that cannot be: the boundary at a real step, any other tag before the first.
_ABSENT = -1e9
# In a portable graph a turn of the loop costs more than a small step: several steps share one.
_STEPS_PER_TURN = 4
# Sequences of unknown length are padded to a multiple of this before XLA sees them, so that XLA
# compiles for few lengths.
_TIME_BUCKET = 16


@keras.saving.register_keras_serializable("layers")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field: whole sequences of tags instead of tag by tag.

        score(y) = start[y<1>] + Σ_t emissions[t, y<t>] + Σ_t transitions[y<t-1>, y<t>] + end[y<T>]
        p(y)     = exp(score(y)) / Z,    Z = Σ_y exp(score(y))

    The layer stands at the end of a model. A call returns the emissions as they are, since they are
    what training and decoding start from; the methods below are the interface.

    Emissions `[batch, time, tags]` are scores (logits). Masks: bool `[batch, time]`, True where a
    step is real. Padding may lie anywhere and is skipped: the neighbour of a real step is the next
    real step. So a sequence gives the same answer alone or padded. A sequence of padding alone has
    log-likelihood 0. All arithmetic is in float32, or float64 where emissions or weights are.

    Sources: Lafferty, McCallum and Pereira 2001; Rabiner 1989 for forward-backward and Viterbi;
    Lample et al. 2016 for the tagger with start and end.

    Args:
        tags: number of tags.
        forbidden: pairs (from, to) of tags that never follow each other. They have probability 0
            and are never decoded, unless no other sequence of that length is left, or the emissions
            of a sequence differ by about a million. Observed all the same, in `log_likelihood`,
            each costs a million, and trains nothing but the rest.
        forbidden_start: tags with which no sequence starts.
        forbidden_end: tags with which no sequence ends.
        transition_initializer: of the transitions; start and end begin as zeros.
        transition_regularizer: of the transitions.
        gradient: `"by_hand"`, observed minus expected counts, or `"automatic"`, differentiation of
            the forward algorithm: the reference, slower, and the one with second derivatives.
        jit: `"auto"`, True or False: run the loops compiled by XLA. `"auto"` compiles likelihoods
            in a graph in training, never under a distribution strategy, and nothing else, since
            what is exported must run without XLA.

    Weights:
        transitions: `[tags, tags]`, from row to column.
        start, end: `[tags]`.

    Raises:
        ValueError: for arguments, emissions, tags or masks of the wrong kind or shape.

    Example:
        >>> crf = CRF(3, forbidden=[(0, 2)], forbidden_start=[2])
        >>> emissions = crf(tf.random.normal([2, 5, 3]))
        >>> crf.loss(emissions, tags=tf.ones([2, 5], tf.int32)).shape
        TensorShape([2])
        >>> tags, score = crf.decode(emissions)
        >>> tags.shape, score.shape
        (TensorShape([2, 5]), TensorShape([2]))
    """

    def __init__(
        self,
        tags: int,
        forbidden: Sequence[tuple[int, int]] = (),
        forbidden_start: Sequence[int] = (),
        forbidden_end: Sequence[int] = (),
        transition_initializer="zeros",
        transition_regularizer=None,
        gradient: str = "by_hand",
        jit: bool | str = "auto",
        **kwargs,
    ):
        # Emissions pass through as they are: no cast to the precision of the policy.
        super().__init__(autocast=False, **kwargs)
        self.tags = positive_integer("tags", tags)
        self.forbidden = _pairs("forbidden", forbidden, self.tags)
        self.forbidden_start = _tags("forbidden_start", forbidden_start, self.tags)
        self.forbidden_end = _tags("forbidden_end", forbidden_end, self.tags)
        self.transition_initializer = keras.initializers.get(transition_initializer)
        self.transition_regularizer = keras.regularizers.get(transition_regularizer)
        self.gradient = one_of("gradient", gradient, GRADIENTS)
        self.jit = one_of("jit", jit, JIT)
        self.supports_masking = True
        self.supports_jit = False

    def build(self, emissions_shape):
        if len(emissions_shape) != 3 or emissions_shape[-1] != self.tags:
            raise ValueError(
                f"{self.name}: expected emissions of shape [batch, time, {self.tags}]. "
                f"Received shape: {tuple(emissions_shape)}"
            )
        self.transitions = self.add_weight(
            name="transitions",
            shape=(self.tags, self.tags),
            initializer=self.transition_initializer,
            regularizer=self.transition_regularizer,
        )
        self.start = self.add_weight(name="start", shape=(self.tags,), initializer="zeros")
        self.end = self.add_weight(name="end", shape=(self.tags,), initializer="zeros")

    def call(self, emissions, mask=None):
        """The emissions as they are; a mask goes on to the next layer."""
        del mask
        return emissions

    # --- The interface ---------------------------------------------------------------------------

    def log_likelihood(self, emissions, tags, mask=None, training: bool = False) -> tf.Tensor:
        """log p(tags), by the forward algorithm.

        Args:
            emissions: `[batch, time, tags]`.
            tags: integers `[batch, time]` in [0, number of tags); at padded steps, anything. The
                range is not checked.
            mask: bool `[batch, time]`, True where a step is real.
            training: whether `jit="auto"` may compile.

        Returns:
            `[batch]`.
        """
        emissions, mask = self._check(emissions, mask)
        tags = self._check_tags(tags, emissions)
        matrix = self._matrix(emissions.dtype)
        if self.gradient == "automatic":
            return _log_likelihood(False, emissions, tags, mask, matrix)

        compiled, time = self._compile(training), emissions.shape[1]
        if compiled and time is None:
            padding = [[0, 0], [0, -tf.shape(emissions)[1] % _TIME_BUCKET]]
            emissions = tf.pad(emissions, [*padding, [0, 0]])
            tags, mask = tf.pad(tags, padding), tf.pad(mask, padding)
        return _differentiable(compiled, emissions, tags, mask, matrix)

    def loss(self, emissions, tags, mask=None, training: bool = True) -> tf.Tensor:
        """Negative log-likelihood `[batch]`. Arguments as in `log_likelihood`."""
        return -self.log_likelihood(emissions, tags, mask, training)

    def decode(self, emissions, mask=None) -> tuple[tf.Tensor, tf.Tensor]:
        """The most probable tags, by the Viterbi algorithm.

        Args:
            emissions: `[batch, time, tags]`.
            mask: bool `[batch, time]`, True where a step is real.

        Returns:
            Tags int32 `[batch, time]`, 0 at padded steps, and their score `[batch]`: score(y) as
            above, not a probability.
        """
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        tags = _function(_viterbi, self.jit is True, self.tags)(emissions, mask, matrix)
        return tags, _score(_without_padding(emissions, mask), tags, mask, matrix)

    def marginals(self, emissions, mask=None) -> tf.Tensor:
        """p(y<t> = tag), by forward-backward: `[batch, time, tags]`, zeros at padded steps.

        Arguments as in `decode`.
        """
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        return _function(_marginals, self.jit is True, self.tags)(emissions, mask, matrix)

    def decode_with_confidence(self, emissions, mask=None) -> tuple[tf.Tensor, tf.Tensor]:
        """The tags of `decode`, and the probability of each one.

        Arguments as in `decode`.

        Returns:
            Tags int32 `[batch, time]`, and their marginal probability `[batch, time]`; both 0 at
            padded steps.
        """
        tags, _ = self.decode(emissions, mask)
        marginals = self.marginals(emissions, mask)
        return tags, tf.reduce_sum(
            marginals * tf.one_hot(tags, self.tags, dtype=marginals.dtype), 2
        )

    # --- Arguments -------------------------------------------------------------------------------

    def _check(self, emissions, mask) -> tuple[tf.Tensor, tf.Tensor]:
        emissions = keras.ops.convert_to_tensor(emissions)
        if emissions.shape.rank != 3 or emissions.shape[2] != self.tags:
            raise ValueError(
                f"{self.name}: expected emissions of shape [batch, time, {self.tags}]. "
                f"Received shape: {tuple(emissions.shape)}"
            )
        if not self.built:
            self.build(tuple(emissions.shape))
        exact = tf.float64 in (emissions.dtype, tf.as_dtype(self.transitions.dtype))
        emissions = tf.cast(emissions, tf.float64 if exact else tf.float32)

        if mask is None:
            return emissions, tf.ones(tf.shape(emissions)[:2], tf.bool)
        mask = tf.cast(keras.ops.convert_to_tensor(mask), tf.bool)
        self._check_steps("a mask", mask, emissions)
        return emissions, mask

    def _check_tags(self, tags, emissions: tf.Tensor) -> tf.Tensor:
        tags = keras.ops.convert_to_tensor(tags)
        self._check_steps("tags", tags, emissions)
        if not tags.dtype.is_integer:
            raise ValueError(
                f"{self.name}: expected tags as integers. Received dtype: {tags.dtype.name}"
            )
        return tf.cast(tags, tf.int32)

    def _check_steps(self, what: str, tensor: tf.Tensor, emissions: tf.Tensor) -> None:
        if tensor.shape.rank != 2 or not tensor.shape.is_compatible_with(emissions.shape[:2]):
            raise ValueError(
                f"{self.name}: expected {what} of shape [batch, time] = "
                f"{tuple(emissions.shape[:2])}. Received shape: {tuple(tensor.shape)}"
            )

    def _compile(self, training: bool) -> bool:
        if self.jit != "auto":
            return bool(self.jit)
        return bool(training) and not tf.executing_eagerly() and not tf.distribute.has_strategy()

    def _matrix(self, dtype: tf.DType) -> tf.Tensor:
        """All transitions, the boundary as the last tag: `[tags + 1, tags + 1]`."""
        transitions, start, end = (
            tf.cast(keras.ops.convert_to_tensor(weight), dtype)
            for weight in (self.transitions, self.start, self.end)
        )
        matrix = tf.concat(
            [
                tf.concat([transitions, end[:, None]], axis=1),
                tf.concat([start, tf.zeros([1], dtype)], axis=0)[None],
            ],
            axis=0,
        )
        return tf.where(self._forbidden_matrix(), tf.constant(_FORBIDDEN, dtype), matrix)

    def _forbidden_matrix(self) -> np.ndarray:
        matrix = np.zeros([self.tags + 1, self.tags + 1], bool)
        for before, after in self.forbidden:
            matrix[before, after] = True
        matrix[self.tags, list(self.forbidden_start)] = True
        matrix[list(self.forbidden_end), self.tags] = True
        return matrix

    # --- Keras -----------------------------------------------------------------------------------

    def compute_output_shape(self, emissions_shape):
        return emissions_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "tags": self.tags,
            "forbidden": [list(pair) for pair in self.forbidden],
            "forbidden_start": list(self.forbidden_start),
            "forbidden_end": list(self.forbidden_end),
            "transition_initializer": keras.initializers.serialize(self.transition_initializer),
            "transition_regularizer": keras.regularizers.serialize(self.transition_regularizer),
            "gradient": self.gradient,
            "jit": self.jit,
        }


def _tags(name: str, tags: Iterable[int], count: int) -> tuple[int, ...]:
    tags = tuple(int(tag) for tag in tags)
    if not all(0 <= tag < count for tag in tags):
        raise ValueError(f"{name}: expected tags in [0, {count}). Received: {tags}")
    return tags


def _pairs(name: str, pairs: Iterable[tuple[int, int]], count: int) -> tuple[tuple[int, int], ...]:
    pairs = tuple(tuple(pair) for pair in pairs)
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError(f"{name}: expected pairs (from, to) of tags. Received: {pairs}")
    return tuple(_tags(name, pair, count) for pair in pairs)


# --- The score of given tags, and the gradient ---------------------------------------------------


def _score(emissions, tags, mask, matrix) -> tf.Tensor:
    """score(tags), `[batch]`."""
    count = emissions.shape[2]
    before, after = _neighbours(tags, mask, count)
    transitions = tf.gather(tf.reshape(matrix, [-1]), before * (count + 1) + after)
    chosen = emissions * tf.one_hot(tags, count, dtype=emissions.dtype)
    return tf.reduce_sum(chosen, [1, 2]) + tf.reduce_sum(transitions, 1)


def _neighbours(tags, mask, boundary: int) -> tuple[tf.Tensor, tf.Tensor]:
    """All transitions, padding left out: tags before and after, `[batch, time + 1]` each.

    Tags 7 _ 8 9 _ (padding _, boundary |) give before | 7 8 9 | | and after 7 8 9 | | |.
    """
    time = tf.shape(tags)[1]
    numbers = tf.range(time)
    real_first = tf.argsort(tf.where(mask, numbers, numbers + time), axis=1)
    tags = tf.gather(tf.where(mask, tags, boundary), real_first, batch_dims=1)
    framed = tf.pad(tags, [[0, 0], [1, 1]], constant_values=boundary)
    return framed[:, :-1], framed[:, 1:]


def _differentiable(compiled: bool, emissions, tags, mask, matrix) -> tf.Tensor:
    """The log-likelihood, with observed minus expected counts as its gradient."""

    @tf.custom_gradient
    def differentiable(*arguments):
        # Detached, so that no tape records the loops as well.
        emissions, matrix = (tf.stop_gradient(argument) for argument in arguments)
        algorithm = _function(_likelihood_and_gradient, compiled, emissions.shape[2])
        likelihood, of_emissions, of_matrix = algorithm(emissions, tags, mask, matrix)

        def gradient(d_likelihood):
            d_emissions = d_likelihood[:, None, None] * of_emissions
            d_matrix = tf.linalg.matvec(of_matrix, d_likelihood)
            return _refuse_second_derivative(d_emissions, d_matrix, *arguments)

        return likelihood, gradient

    return differentiable(emissions, matrix)


@tf.custom_gradient
def _refuse_second_derivative(d_emissions, d_matrix, *arguments):
    """The gradients unchanged; differentiating them once more is an error, not a wrong number."""
    del arguments

    def refuse(*_):
        raise NotImplementedError(
            "Second derivatives of a CRF are not available with the gradient by hand. "
            "Build the layer with gradient='automatic' for them."
        )

    return (tf.identity(d_emissions), tf.identity(d_matrix)), refuse


# --- The three algorithms ------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _function(algorithm: Callable, compiled: bool, tags: int) -> Callable:
    """An algorithm as `tf.function`, shared by all layers of so many tags: XLA compiles it once.

    `tags` keeps functions apart that would otherwise be generalized to an unknown number of tags.
    """
    del tags
    return tf.function(
        functools.partial(algorithm, compiled),
        jit_compile=compiled or None,
        autograph=False,
        reduce_retracing=True,
    )


def _log_likelihood(compiled: bool, emissions, tags, mask, matrix) -> tf.Tensor:
    """The forward algorithm alone: what automatic differentiation starts from."""
    emissions = _balanced(emissions, mask)
    scores, real = _time_first(emissions, mask)
    alpha = _steps(compiled, _log_sum_exp, scores[:, None], _to_from(matrix)[:1], real[:, None])
    log_z = _log_sum_exp(alpha[-1, 0] + matrix[:, -1:])
    return _score(emissions, tags, mask, matrix) - log_z


def _likelihood_and_gradient(compiled: bool, emissions, tags, mask, matrix) -> tuple:
    """The log-likelihood and its derivatives, each sequence for itself.

    Returns:
        The log-likelihood `[batch]`, and its derivatives by the emissions `[batch, time, tags]` and
        by the matrix `[tags + 1, tags + 1, batch]`.
    """
    emissions = _balanced(emissions, mask)
    count, dtype = emissions.shape[2], emissions.dtype
    log_z, marginals, expected = _forward_backward(compiled, emissions, mask, matrix)

    observed_tags = tf.one_hot(tf.where(mask, tags, -1), count, dtype=dtype)
    before, after = (
        tf.one_hot(tags, count + 1, dtype=dtype) for tags in _neighbours(tags, mask, count)
    )
    observed = tf.transpose(tf.matmul(before, after, transpose_a=True), [1, 2, 0])
    likelihood = _score(emissions, tags, mask, matrix) - log_z
    return likelihood, observed_tags - marginals, observed - expected


def _marginals(compiled: bool, emissions, mask, matrix) -> tf.Tensor:
    return _forward_backward(compiled, _balanced(emissions, mask), mask, matrix)[1]


def _forward_backward(compiled: bool, emissions, mask, matrix) -> tuple:
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
    states = _steps(compiled, _log_sum_exp, both_scores, _to_from(matrix), both_real)
    alpha, gamma = states[:, 0], tf.reverse(states[1:, 1], [0])
    alpha_prev, alpha = alpha[:-1], alpha[1:]

    # The boundary is no tag of a real step: from here on, only the other ones arrive anywhere.
    scores, alpha, gamma = scores[:, :-1], alpha[:, :-1], gamma[:, :-1]
    joint = alpha + gamma - scores
    log_z_here = _log_sum_exp(joint)[:, None]  # log Z, with the rounding errors of this step
    marginals = tf.where(real, tf.exp(joint - log_z_here), tf.zeros([], scores.dtype))

    # p(y<t-1> = i, y<t> = j) = exp(α<t-1>[i] + M[i, j] + γ<t>[j] - log Z)
    rest = tf.where(real, gamma - log_z_here, tf.constant(_ABSENT, scores.dtype))
    pairs = tf.exp(alpha_prev[:, :, None] + matrix[:, :-1, None] + rest[:, None])

    to_end = states[-1, 0] + matrix[:, -1:]
    log_z = _log_sum_exp(to_end)
    ends = tf.exp(to_end - log_z)
    expected = tf.concat([tf.reduce_sum(pairs, axis=0), ends[:, None]], axis=1)
    return log_z, tf.transpose(marginals, [2, 0, 1]), expected


def _viterbi(compiled: bool, emissions, mask, matrix) -> tf.Tensor:
    """The best path: forward with max in place of the sum, then back along it."""
    scores, real = _time_first(_balanced(emissions, mask), mask)
    best = functools.partial(tf.reduce_max, axis=-2)
    states = _steps(compiled, best, scores[:, None], _to_from(matrix)[:1], real[:, None])
    states, real = states[1:, 0, :-1], real[:, 0]
    arriving = matrix[:-1]
    time, batch = tf.unstack(tf.shape(real))

    def step(i, tag, path):
        t = time - 1 - i
        leading = states[t] + tf.gather(arriving, tag, axis=1)
        tag = tf.where(real[t], tf.argmax(leading, axis=0, output_type=tf.int32), tag)
        return i + 1, tag, path.write(t, tag)

    # One step more than there are, so that no path is empty.
    path = tf.TensorArray(tf.int32, size=time + 1, element_shape=real.shape[1:])
    boundary = tf.fill([batch], matrix.shape[0] - 1)
    path = _loop(compiled, time, step, boundary, path.write(time, boundary)).stack()[:-1]
    return tf.where(mask, tf.transpose(path), 0)


# --- The loops -----------------------------------------------------------------------------------


def _steps(compiled: bool, combine: Callable, scores, matrices, real) -> tf.Tensor:
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
    start = tf.one_hot(tags - 1, tags, on_value=0.0, off_value=_ABSENT, dtype=scores.dtype)
    start = tf.broadcast_to(start[:, None], [directions, tags, batch])
    start = tf.ensure_shape(start, scores.shape[1:])
    matrices = matrices[..., None]

    def step(t, states, history):
        arriving = combine(matrices + states[:, None])
        states = tf.where(real[t], scores[t] + arriving, states)
        return t + 1, states, history.write(t + 1, states)

    history = tf.TensorArray(scores.dtype, size=time + 1, element_shape=start.shape)
    return _loop(compiled, time, step, start, history.write(0, start)).stack()


def _loop(compiled: bool, count, step: Callable, state, history: tf.TensorArray) -> tf.TensorArray:
    """Runs `step(number, state, history)` `count` times; returns the history."""
    variables = (tf.constant(0), state, history)
    if not compiled:

        def several(*variables):
            for _ in range(_STEPS_PER_TURN):
                variables = step(*variables)
            return variables

        variables = tf.while_loop(
            lambda t, *_: t + _STEPS_PER_TURN <= count, several, variables, parallel_iterations=1
        )
    return tf.while_loop(lambda t, *_: t < count, step, variables, parallel_iterations=1)[2]


def _log_sum_exp(scores: tf.Tensor) -> tf.Tensor:
    """log Σ exp over the last axis but one. Everything here is finite: nothing to guard."""
    top = tf.stop_gradient(tf.reduce_max(scores, axis=-2, keepdims=True))
    return tf.math.log(tf.reduce_sum(tf.exp(scores - top), axis=-2)) + tf.squeeze(top, -2)


def _without_padding(emissions, mask) -> tf.Tensor:
    return tf.where(mask[:, :, None], emissions, tf.zeros([], emissions.dtype))


def _balanced(emissions, mask) -> tf.Tensor:
    """Emissions less a number for each step, so that sums over long sequences stay small.

    Probabilities do not depend on that number, and so it takes no part in gradients.
    """
    total = tf.reduce_logsumexp(emissions, axis=2, keepdims=True)
    return _without_padding(emissions - tf.stop_gradient(total), mask)


def _time_first(emissions, mask) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores `[time, tags + 1, batch]` with the boundary, and what is real, `[time, 1, batch]`."""
    scores = tf.pad(emissions, [[0, 0], [0, 0], [0, 1]], constant_values=_ABSENT)
    return tf.transpose(scores, [1, 2, 0]), tf.transpose(mask)[:, None]


def _to_from(matrix: tf.Tensor) -> tf.Tensor:
    """The matrices of the forward and of the backward direction, scores from column to row."""
    return tf.stack([tf.transpose(matrix), matrix])
