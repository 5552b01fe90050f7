"""Linear-chain conditional random field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import forward_backward
from layers.arguments import GRADIENTS, JIT, Identifier, one_of, positive_integer
from layers.engine.compiling import compiles
from layers.n_best import best_paths

# The attribute of what a CRF layer returns that is the layer.
_FIELD = "_crf"


@keras.saving.register_keras_serializable("layers")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field: whole sequences of tags instead of tag by tag.

        score(y) = start[y<1>] + Σ_t emissions[t, y<t>] + Σ_t transitions[y<t-1>, y<t>] + end[y<T>]
        p(y)     = exp(score(y)) / Z,    Z = Σ_y exp(score(y))

    The layer stands at the end of a model. A call returns the emissions as they are, since training
    and decoding start from them; the methods below are the interface. `layers.CRFLoss` is the loss
    for `model.compile`.

    Emissions `[batch, time, tags]` are scores (logits). Masks: bool `[batch, time]`, True where a
    step is real. Padding may lie anywhere and is skipped: the neighbour of a real step is the next
    real step, so that a sequence gives the same answer alone or padded. A sequence of padding alone
    has log-likelihood 0. Arithmetic is in float32, or in float64 where emissions or weights are.

    Sources: Lafferty, McCallum and Pereira 2001; Rabiner 1989 for forward-backward and Viterbi;
    Lample et al. 2016 for the tagger with start and end.

    Args:
        tags: number of tags.
        forbidden: pairs (from, to) of tags that never follow each other. They have probability 0
            and are never decoded, unless no other sequence of that length is left, or the emissions
            of a sequence differ by about a million. If a text has them all the same, each takes a
            million off its `log_likelihood`, and only the rest of its tags is trained.
        forbidden_start: tags with which no sequence starts.
        forbidden_end: tags with which no sequence ends.
        transition_initializer: of the transitions; start and end begin as zeros.
        transition_regularizer: of the transitions.
        gradient: `"by_hand"`, observed minus expected counts, or `"automatic"`, differentiation of
            the forward algorithm: slower, the reference in tests, and the one that has second
            derivatives.
        jit: whether XLA compiles the loops: True, False, or `"auto"`: likelihoods in a graph in
            training. `"auto"` compiles no decoding, since what is exported must run without XLA.

    Weights:
        transitions: `[tags, tags]`, from row to column.
        start: of the first tag of a sequence, `[tags]`.
        end: of the last tag of a sequence, `[tags]`.

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
        transition_initializer: Identifier = "zeros",
        transition_regularizer: Identifier = None,
        gradient: str = "by_hand",
        jit: bool | str = "auto",
        **kwargs: Any,
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

    built: bool

    def build(self, emissions_shape: Sequence[int | None]) -> None:
        """Makes the weights, for emissions of shape `[batch, time, tags]`."""
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
            autocast=False,  # arithmetic is in float32 at least
        )
        self.start = self.add_weight(
            name="start", shape=(self.tags,), initializer="zeros", autocast=False
        )
        self.end = self.add_weight(
            name="end", shape=(self.tags,), initializer="zeros", autocast=False
        )

    def call(self, emissions: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """The emissions `[batch, time, tags]` as they are; a mask goes on to the next layer."""
        del mask
        emissions = tf.identity(emissions)
        setattr(emissions, _FIELD, self)  # as Keras says a tensor's mask; for `field_of`
        return emissions

    # --- The interface ---------------------------------------------------------------------------

    def log_likelihood(
        self,
        emissions: tf.Tensor,
        tags: tf.Tensor,
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """log p(tags), by the forward algorithm.

        Args:
            emissions: `[batch, time, tags]`.
            tags: integers `[batch, time]` in [0, number of tags); at padded steps, anything. The
                range is not checked.
            mask: bool `[batch, time]`, True where a step is real.
            training: whether `jit="auto"` may compile.

        Returns:
            `[batch]`.

        Example:
            >>> one_of_nine = CRF(3).log_likelihood(tf.zeros([1, 2, 3]), tf.constant([[0, 2]]))
            >>> round(float(tf.exp(one_of_nine[0])), 4)
            0.1111
        """
        emissions, mask = self._check(emissions, mask)
        tags = self._check_tags(tags, emissions)
        matrix = self._matrix(emissions.dtype)
        if self.gradient == "automatic":
            return forward_backward.automatic_log_likelihood(emissions, tags, mask, matrix)
        form = forward_backward.Form(self.tags, compiles(self.jit, pays=training))
        return forward_backward.log_likelihood(form, emissions, tags, mask, matrix)

    def loss(
        self,
        emissions: tf.Tensor,
        tags: tf.Tensor,
        mask: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Negative log-likelihood `[batch]`. Arguments as in `log_likelihood`.

        Example:
            >>> CRF(3).loss(tf.zeros([2, 5, 3]), tf.zeros([2, 5], tf.int32)).shape
            TensorShape([2])
        """
        return -self.log_likelihood(emissions, tags, mask, training)

    def decode(
        self, emissions: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The most probable tags, by the Viterbi algorithm.

        Args:
            emissions: `[batch, time, tags]`.
            mask: bool `[batch, time]`, True where a step is real.

        Returns:
            Tags int32 `[batch, time]`, 0 at padded steps, and their score `[batch]`: score(y) as
            above, not a probability.

        Example:
            >>> tags, score = CRF(2).decode(tf.constant([[[0.0, 1.0], [2.0, 0.0]]]))
            >>> tags.numpy().tolist(), score.numpy().tolist()
            ([[1, 0]], [3.0])
        """
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        return forward_backward.best_path(self._decoding, emissions, mask, matrix)

    def decode_n_best(
        self, emissions: tf.Tensor, n: int | tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The n most probable sequences of tags, and how probable each one is.

        Args:
            emissions: `[batch, time, tags]`.
            n: how many, 1 or more; a tensor is not checked.
            mask: bool `[batch, time]`, True where a step is real.

        Returns:
            Tags int32 `[batch, n, time]`, the most probable sequence first, 0 at padded steps;
            log p of each, `[batch, n]`; and how many there are, int32 `[batch]`: of a short text
            fewer than n. Behind them tags are 0 and log p is minus infinity.

        Example:
            >>> emissions = tf.math.log([[[0.9, 0.1], [0.6, 0.4]]])
            >>> tags, log_p, count = CRF(2).decode_n_best(emissions, n=2)
            >>> tags.numpy().tolist(), tf.exp(log_p).numpy().astype(float).round(2).tolist()
            ([[[0, 0], [0, 1]]], [[0.54, 0.36]])
        """
        if not tf.is_tensor(n):
            n = positive_integer("n", n)
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        return best_paths(self._decoding, emissions, mask, matrix, n)

    def marginals(self, emissions: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """p(y<t> = tag), by forward-backward: `[batch, time, tags]`, zeros at padded steps.

        Arguments as in `decode`.

        Example:
            >>> CRF(2).marginals(tf.zeros([1, 1, 2])).numpy().round(3).tolist()
            [[[0.5, 0.5]]]
        """
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        return forward_backward.marginals(self._decoding, emissions, mask, matrix)

    def decode_with_confidence(
        self, emissions: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The tags of `decode`, and the probability of each one.

        Arguments as in `decode`.

        Returns:
            Tags int32 `[batch, time]`, and their marginal probabilities `[batch, time]`; both are
            0 at padded steps.

        Example:
            >>> tags, confidence = CRF(2).decode_with_confidence(tf.zeros([1, 1, 2]))
            >>> confidence.numpy().round(3).tolist()
            [[0.5]]
        """
        emissions, mask = self._check(emissions, mask)
        matrix = self._matrix(emissions.dtype)
        tags, marginals = forward_backward.best_path_and_marginals(
            self._decoding, emissions, mask, matrix
        )
        return tags, tf.gather(marginals, tags, batch_dims=2)

    def step(self, emissions: tf.Tensor, before: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        """One step of the forward algorithm: how probable each tag is by what came up to it.

            α<1>[j] = emissions<1>[j] + start[j]
            α<t>[j] = emissions<t>[j] + log Σ_i exp(α<t-1>[i] + transitions[i, j])

        Each less its log Σ exp, so that nothing grows with time. `marginals` also know what comes
        behind; at the last step they differ by `end` alone.

        Args:
            emissions: of the step, `[batch, tags]`.
            before: α of the step before, `[batch, tags]`; at a first step, anything.
            first: bool `[batch]`, whether it is the first step of a sequence.

        Returns:
            α, log p(y<t> = tag | x<1>, ..., x<t>): `[batch, tags]`.

        Example:
            >>> crf = CRF(2, forbidden_start=[1])
            >>> crf.build((None, None, 2))
            >>> alpha = crf.step(tf.zeros([1, 2]), tf.zeros([1, 2]), tf.constant([True]))
            >>> tf.exp(alpha).numpy().tolist()
            [[1.0, 0.0]]
        """
        matrix = self._matrix(emissions.dtype)
        start, transitions = matrix[-1, :-1], matrix[:-1, :-1]
        arriving = tf.reduce_logsumexp(before[:, :, None] + transitions, axis=1)
        return tf.nn.log_softmax(emissions + tf.where(first[:, None], start, arriving))

    # --- Arguments -------------------------------------------------------------------------------

    def _check(self, emissions: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
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

    def _check_tags(self, tags: tf.Tensor, emissions: tf.Tensor) -> tf.Tensor:
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

    @property
    def _decoding(self) -> forward_backward.Form:
        """The form in which decoding runs: compiled only where asked for, since it is exported."""
        return forward_backward.Form(self.tags, compiled=self.jit is True)

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
        return tf.where(
            self._forbidden_matrix(), tf.constant(forward_backward.FORBIDDEN, dtype), matrix
        )

    def _forbidden_matrix(self) -> np.ndarray:
        matrix = np.zeros([self.tags + 1, self.tags + 1], bool)
        for before, after in self.forbidden:
            matrix[before, after] = True
        matrix[self.tags, list(self.forbidden_start)] = True
        matrix[list(self.forbidden_end), self.tags] = True
        return matrix

    # --- Keras -----------------------------------------------------------------------------------

    def compute_output_shape(self, emissions_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of the emissions."""
        return emissions_shape

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
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


def field_of(emissions: tf.Tensor) -> CRF:
    """The CRF layer that returned a tensor.

    Raises:
        ValueError: it comes from elsewhere.

    Example:
        >>> crf = CRF(3)
        >>> field_of(crf(tf.zeros([2, 5, 3]))) is crf
        True
    """
    field = getattr(emissions, _FIELD, None)
    if field is None:
        raise ValueError(
            "CRFLoss: expected predictions that a layers.CRF layer returned in this step, as the "
            "last layer of the model or of that output. Received a tensor from elsewhere, of shape "
            f"{getattr(emissions, 'shape', None)}"
        )
    return field


def _tags(name: str, tags: Iterable[int], count: int) -> tuple[int, ...]:
    tags = tuple(int(tag) for tag in tags)
    if not all(0 <= tag < count for tag in tags):
        raise ValueError(f"{name}: expected tags in [0, {count}). Received: {tags}")
    return tags


def _pairs(name: str, pairs: Iterable[tuple[int, int]], count: int) -> tuple[tuple[int, int], ...]:
    given = tuple(tuple(pair) for pair in pairs)
    if not all(len(pair) == 2 for pair in given):
        raise ValueError(f"{name}: expected pairs (from, to) of tags. Received: {given}")
    checked = [_tags(name, pair, count) for pair in given]
    return tuple((before, after) for before, after in checked)
