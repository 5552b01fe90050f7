"""A label for a whole text."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import layers
from zoo import text
from zoo.configuration import ClassifierConfig
from zoo.models.by_length import in_groups
from zoo.models.parts import Inputs, Labelled, MakeStack, RecurrentModel
from zoo.models.step_by_step import step_by_step
from zoo.models.weighting import exact, weights_of_rows
from zoo.models.words import WordDropout, WordEmbedding


@keras.saving.register_keras_serializable("zoo")
class Classifier(RecurrentModel):
    """One label for a whole text: many-to-one.

        words → embeddings → stack of recurrent layers → last state or pooling → scores of classes

    With `cell="none"` it is the lecture's standard network, which is one-to-one: a text is one
    vector, with a hidden layer of `units` tanh units on it.

    What stands for a word, `config.inputs`, is an embedding, or a one-hot vector with one 1 among
    `vocabulary_size` numbers, as the lecture draws x<t>: a network that reads these has its
    embedding in its first weights, and computes the same function at the price of their size.

    What of the stack is classified, `config.pooling`, is where each direction ends, `"last"`, or
    the maximum, mean or attention over all steps, see `layers.Pooling`.

    What the standard network reads, `config.standard`, is the mean of its words' vectors, `"bag"`,
    or `"concatenated"`, one-hot vectors of `max_length` words side by side, as the lecture draws
    it: weights for each word at each place; words beyond it does not see.

    Args:
        config: what it is made of; `vocabulary_size` and the names of the `labels` are needed.
        embeddings: vectors of others `[vocabulary_size, width]`, see `WordEmbedding`, or None.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Input: a dict of `words`, int32 `[batch, time]`; 0 is padding, on the right. Output: scores
    `[batch, classes]`, whose softmax are probabilities. A text without words has an answer too.

    Source: Andrew Ng, Sequence Models, week 1, "Recurrent Neural Network Model", "Different types
    of RNNs".

    Example:
        >>> model = Classifier(ClassifierConfig(vocabulary_size=100, labels=("bad", "good")))
        >>> model({"words": tf.constant([[4, 9, 0]])}).shape
        TensorShape([1, 2])
    """

    configuration = ClassifierConfig
    config: ClassifierConfig
    # None where the configuration has no use for them.
    stack: Any
    pooling: Any
    reader: Any
    places: Any
    hidden: Any

    def __init__(
        self,
        config: ClassifierConfig,
        embeddings: np.ndarray | None = None,
        make_stack: MakeStack = layers.Stack,
        **kwargs: Any,
    ):
        super().__init__(config, make_stack, **kwargs)
        self._require(config.labels, "labels=..., the names of the classes")
        self.input_dropout = self.dropout()
        self.output_dropout = self.dropout()
        self.stack = self.pooling = self.reader = self.places = self.hidden = None
        if config.is_concatenated:
            # A product with one-hot vectors is a row of the weights.
            self.places = keras.layers.Embedding(
                config.max_length * config.vocabulary_size, config.units, dtype=self.dtype_policy
            )
        elif config.inputs == "embedding":
            self.reader = WordEmbedding(config, embeddings, dtype=self.dtype_policy)
        if self.reader is None:
            self.word_dropout = WordDropout(config.word_dropout)
        if config.cell == "none" and self.places is None:
            self.hidden = self.dense(config.units, activation="tanh")
            self.pooling = layers.Pooling("mean", dtype=self.dtype_policy)
        elif config.cell != "none":
            self.stack = self.recurrent(
                config.units,
                depth=config.depth,
                bidirectional=config.bidirectional,
                dropout=config.dropout,
                recurrent_dropout=config.recurrent_dropout,
                return_sequences=config.pooling != "last",
            )
            if config.pooling != "last":
                self.pooling = layers.Pooling(config.pooling, dtype=self.dtype_policy)
        self.scores = self.dense(len(config.labels))

    def build(self, input_shape: object = None) -> None:
        config = self.config
        read = config.vocabulary_size
        if self.reader is not None:
            read = self.reader.width
        for embedding in (self.reader, self.places):
            if embedding is not None:
                embedding.build((None, None))
        if self.hidden is not None:
            self.hidden.build((None, read))
        width = config.units
        if self.stack is not None:
            self.stack.build((None, None, read))
            width = config.units * (2 if config.bidirectional else 1)
            if self.pooling is not None:
                self.pooling.build((None, None, width))
        self.scores.build((None, width))

    def of_labels(self) -> Labelled:
        return self.config.labels, [(self.scores.kernel, (1,)), (self.scores.bias, (0,))]

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Scores `[batch, classes]` of the classes."""
        words, real = inputs["words"], inputs["words"] > text.PADDING
        if self.places is not None:
            x = self._concatenated(self.word_dropout(words, training=training))
            return self.scores(self.output_dropout(x, training=training))
        return self._scores_of(self._vectors(words, training), real, training)

    def _vectors(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        if self.reader is not None:
            return self.reader(words, training=training)
        words = self.word_dropout(words, training=training)
        return tf.one_hot(words, self.config.vocabulary_size, dtype=self.compute_dtype)

    def _read(self, x: tf.Tensor, real: tf.Tensor, training: bool) -> tf.Tensor:
        x = self.input_dropout(x, training=training)
        if self.stack is None:
            return self.hidden(self.pooling(x, mask=real))
        x = self.stack(x, mask=real, training=training)
        return x if self.pooling is None else self.pooling(x, mask=real)

    def _scores_of(self, x: tf.Tensor, real: tf.Tensor, training: bool) -> tf.Tensor:
        x = self._read(x, real, training)
        return self.scores(self.output_dropout(x, training=training))

    def _concatenated(self, words: tf.Tensor) -> tf.Tensor:
        """tanh(W [x<1>, ..., x<T>]) of one-hot x<t>."""
        words = words[:, : self.config.max_length]
        places = tf.range(tf.shape(words)[1]) * self.config.vocabulary_size
        x = self.places(words + places)
        real = tf.cast(words > text.PADDING, x.dtype)[:, :, None]
        return tf.tanh(tf.reduce_sum(x * real, axis=1))

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean of -log ŷ of the right class over the texts that have words; where `y` are
        probabilities of the classes `[batch, classes]`, of -Σ y log ŷ.

        In training with `config.adversarial`, half of it is that of embeddings moved against the
        model, see `moved`; `y_pred` is not asked then, since their gradient is.

        `sample_weight` `[batch]` weighs texts, `class_weight` of `fit` the right classes, see
        `zoo.models.weighting`; of probabilities each: -Σ w y log ŷ.

        Raises:
            ValueError: `y` are neither numbers nor probabilities of the classes.
        """
        y, of_classes = self._targets(tf.convert_to_tensor(y), training)
        if training and self.config.adversarial:
            losses = self._adversarial_losses(x["words"], y)
        else:
            losses = _cross_entropy(y, y_pred)
        real = tf.reduce_any(x["words"] > text.PADDING, axis=1)
        weights = weights_of_rows(sample_weight, "text") * of_classes
        weights *= tf.cast(real, tf.float32)
        total = tf.reduce_sum(losses * tf.cast(weights, losses.dtype))
        count = tf.cast(self.loss_count(x), total.dtype)
        return tf.math.divide_no_nan(total, count) + sum(self.losses)

    def _adversarial_losses(self, words: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Of each text the mean of two: as it is, and moved against the model."""
        real = words > text.PADDING
        x = self._vectors(words, training=True)

        def losses_of(x: tf.Tensor) -> tf.Tensor:
            return _cross_entropy(y, self._scores_of(x, real, training=True))

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            losses = losses_of(x)
            # Only the direction of g counts, and small ones are zeros in float16.
            scaled = losses * (1024.0 if x.dtype == tf.float16 else 1.0)
        g = tf.convert_to_tensor(tape.gradient(scaled, x))
        return (losses + losses_of(self.moved(x, g, real))) / 2

    def moved(self, x: tf.Tensor, g: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        """Embeddings of texts, moved to where the loss of each is the highest nearby:

            x + r,   r = ε |x| g / |g|,   g = ∂L / ∂x

        where |.| is the norm over all words of a text. r counts as a constant.

        Source: Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text
        Classification"; there |r| = ε, with embeddings that are normalized. Here r is a share of
        |x|, so that embeddings do not outgrow it.

        Args:
            x: embeddings `[batch, time, width]`.
            g: the gradient of the losses by them, of the same shape.
            real: bool `[batch, time]`, True where there is a word.
        """
        g = exact(g)
        here = exact(x) * tf.cast(real, g.dtype)[:, :, None]
        # Far below 1 where the model is sure of itself: squares would be zeros.
        g = tf.math.divide_no_nan(g, tf.reduce_max(tf.abs(g), axis=[1, 2], keepdims=True))
        r = self.config.adversarial * tf.math.divide_no_nan(_norm(here) * g, _norm(g))
        return x + tf.stop_gradient(tf.cast(r, x.dtype))

    def _targets(self, y: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor | float]:
        """Classes as numbers `[batch]` or probabilities `[batch, classes]`, and what the loss of
        each text is multiplied by."""
        classes, floating = len(self.config.labels), y.dtype.is_floating
        shape = [None, classes] if floating else [None]
        known = floating or y.dtype.is_integer
        if not known or not y.shape.is_compatible_with(shape):
            raise ValueError(
                "y: expected the numbers of classes, integers [batch], or their probabilities, "
                f"[batch, {classes}]. Received: {y.dtype.name} of shape {y.shape}"
            )
        y = tf.ensure_shape(y, shape)
        if not floating:
            y = tf.cast(y, tf.int32)
            return y, self._weights_of_classes(y, training)
        if self._class_weights is None or not training:
            return y, 1.0
        # Σ w y (-log ŷ) is that of y' = w y / Σ w y, times Σ w y.
        weighted = tf.cast(y, tf.float32) * self._class_weights
        total = tf.reduce_sum(weighted, axis=1)
        return tf.math.divide_no_nan(weighted, total[:, None]), total

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Texts that have words."""
        return tf.math.count_nonzero(tf.reduce_any(inputs["words"] > text.PADDING, axis=1))

    def weighted_classes(self) -> tuple[str, ...]:
        return self.config.labels

    def probabilities(self, inputs: Inputs) -> tf.Tensor:
        """`[batch, classes]`, float32."""
        return tf.nn.softmax(tf.cast(self(inputs, training=False), tf.float32))

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        words = inputs["words"]
        return self.stack.gate_activations(self._vectors(words), mask=words > text.PADDING)

    def zero_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """What a classifier of one direction carries from word to word, before the first one: the
        states of all layers, each `[batch, units]`, and what its pooling carries."""
        states = self.stack.get_initial_state(batch)
        if self.pooling is None:
            return states
        return [*states, *self.pooling.zero_states(batch, self.config.units)]

    def read_on(
        self, words: tf.Tensor, states: list[tf.Tensor], first: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """What is to be said of texts by their words so far, from given states.

        Args:
            words: int32 `[batch, time]`; 0 is padding, on the right.
            states: as `zero_states` gives them.
            first: bool `[batch]`, whether the first word here is the first of its text.

        Returns:
            Probabilities `[batch, classes]`, float32, and the last states.

        Raises:
            ValueError: the model sees words that are yet to come.
        """
        if not self.config.reads_forward:
            raise ValueError(
                "read_on: expected a recurrent classifier of one direction, which needs no words "
                f"that are yet to come. Received: {self.config!r}"
            )
        is_first = first[:, None] & (tf.range(tf.shape(words)[1]) == 0)
        per_layer = self.stack.states_per_layer
        count = per_layer * len(self.stack.recurrent_layers)

        def step(
            inputs: list[tf.Tensor], states: list[tf.Tensor]
        ) -> tuple[tf.Tensor, list[tf.Tensor]]:
            x, is_first = inputs
            a, after = self.stack.step(x, states[:count])
            pooled = states[count:] and self.pooling.step(a, states[count:], is_first)
            return tf.zeros([tf.shape(a)[0], 0]), [*after, *pooled]

        inputs = [self._vectors(words), is_first]
        _, states = step_by_step(step, inputs, words > text.PADDING, states)
        # The first state of the last layer is its output.
        whole = (
            states[count - per_layer]
            if self.pooling is None
            else tf.cast(self.pooling.pooled(states[count:]), self.compute_dtype)
        )
        return tf.nn.softmax(tf.cast(self.scores(whole), tf.float32)), states

    def classify_texts(self, words: tf.RaggedTensor) -> tf.Tensor:
        """What `probabilities` gives, of texts in groups of like length: time and memory follow the
        real words.

        Args:
            words: their ids, int32 `[texts, (words)]`.

        Returns:
            `[texts, classes]`, float32.
        """
        (found,) = in_groups(
            words.row_lengths(),
            lambda group: [self.probabilities({"words": group.padded(words.flat_values)})],
            of_rows=[tf.zeros([words.nrows(), len(self.config.labels)])],
            splits=words.row_splits,
        )
        return found


def _cross_entropy(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """-Σ y log ŷ of each text; y are numbers of classes `[batch]`, or their probabilities."""
    scores = exact(scores)
    if y.dtype.is_floating:
        return tf.nn.softmax_cross_entropy_with_logits(tf.cast(y, scores.dtype), scores)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)


def _norm(x: tf.Tensor) -> tf.Tensor:
    """Over all words of a text, `[batch, 1, 1]`."""
    return tf.norm(x, axis=[1, 2], keepdims=True)
