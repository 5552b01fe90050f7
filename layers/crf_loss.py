"""The loss of a conditional random field, for `model.compile`."""

from __future__ import annotations

import keras
import tensorflow as tf

from layers.crf import field_of


@keras.saving.register_keras_serializable("layers")
class CRFLoss(keras.losses.Loss):
    """Negative log-likelihood of the tags, for models that end in a `CRF` layer.

        L = -log p(tags)     of each sequence

    The loss finds the transitions in the layer that the predictions come from, so that it holds
    nothing itself, and a model is saved and loaded with it. The mask is the one that reaches the
    `CRF` layer, from `keras.layers.Embedding(mask_zero=True)` or `keras.layers.Masking`, or zeros
    in a `sample_weight` of `[batch, time]`; a step is real where both say so.

    Args:
        reduction: how the losses of a batch become one number, as in Keras: by default their mean
            over the sequences.
        name: of the loss.
        dtype: as in all losses of Keras.

    Call arguments:
        y_true: integers `[batch, time]`, or `[batch, time, 1]`; at padded steps, anything.
        y_pred: what the `CRF` layer returned, `[batch, time, tags]`.
        sample_weight: `[batch]` or `[batch, 1]`, how much each sequence counts; or `[batch, time]`,
            0 at padded steps and 1 at real ones, since a sequence is one prediction, and its steps
            have no losses of their own.

    Raises:
        ValueError: the predictions do not come from a `CRF` layer, or tags or weights have another
            shape.
        tf.errors.InvalidArgumentError: weights of steps that are neither 0 nor 1.

    Example:
        >>> words = keras.Input((None,), dtype="int32")
        >>> x = keras.layers.Embedding(100, 8, mask_zero=True)(words)
        >>> x = Stack("lstm", 8, bidirectional=True)(x)
        >>> crf = CRF(3)
        >>> model = keras.Model(words, crf(keras.layers.Dense(3)(x)))
        >>> model.compile("adam", CRFLoss())
        >>> sentences, tags = np.array([[4, 9, 0], [7, 2, 5]]), np.array([[1, 2, 0], [0, 0, 1]])
        >>> losses = model.fit(sentences, tags, verbose=0).history["loss"]
        >>> best, score = crf.decode(model.predict(sentences, verbose=0), mask=sentences != 0)
        >>> best.shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "crf_loss",
        dtype: str | None = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def __call__(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> tf.Tensor:
        """One number, or `[batch]` with `reduction=None`."""
        field, mask = field_of(y_pred), getattr(y_pred, "_keras_mask", None)
        if sample_weight is not None:
            sample_weight, real = self._weights(sample_weight, tf.shape(y_pred)[:2])
            mask = real if mask is None else tf.cast(mask, tf.bool) & real
        y_true = keras.ops.convert_to_tensor(y_true)
        if y_true.shape.rank is None or (y_true.shape.rank == 3 and y_true.shape[2] == 1):
            y_true = tf.reshape(y_true, tf.shape(y_pred)[:2])
        losses = field.loss(y_pred, tf.cast(y_true, tf.int32), mask)
        # What is left is to weigh and to reduce, which all losses of Keras do alike.
        return super().__call__(losses, losses, sample_weight)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The losses `[batch]` as they are: `__call__` has computed them."""
        del y_true
        return y_pred

    def _weights(self, sample_weight: tf.Tensor, shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """How much each sequence counts, `[batch]`, and what is real, bool `[batch, time]`."""
        weights = keras.ops.convert_to_tensor(sample_weight)
        rank = weights.shape.rank
        if rank not in (None, 1, 2):
            raise ValueError(
                f"{self.name}: expected sample_weight of shape [batch], or [batch, time] with 0 at "
                f"padded steps. Received shape: {tuple(weights.shape)}"
            )
        ones = tf.ones(shape, weights.dtype)
        if rank == 1:
            return weights, ones != 0
        if rank == 2 and weights.shape[1] is not None:
            of_steps = tf.constant(weights.shape[1] != 1)
        else:
            # Keras forgets the rank where one function has met weights of both shapes.
            of_steps = tf.equal(tf.rank(weights), 2) & (tf.shape(weights)[-1] != 1)
        by_sequence = tf.cond(of_steps, lambda: ones[:, 0], lambda: tf.reshape(weights, shape[:1]))
        by_step = tf.cond(of_steps, lambda: tf.reshape(weights, shape), lambda: ones)
        return by_sequence, _zero_or_one(by_step) != 0


def _zero_or_one(weights: tf.Tensor) -> tf.Tensor:
    """The weights of steps, if they say no more than what is real."""
    check = tf.debugging.assert_equal(
        weights * (weights - 1),
        tf.zeros([], weights.dtype),
        "sample_weight: expected 0 at padded steps and 1 at real ones, since the loss of a CRF is "
        "one for a sequence. Weigh sequences with a sample_weight of shape [batch].",
    )
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(weights)
