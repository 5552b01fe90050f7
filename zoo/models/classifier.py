"""A label for a whole text."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import layers
from zoo import text
from zoo.models.parts import WordDropout


@keras.saving.register_keras_serializable("zoo")
class Classifier(keras.Model):
    """One label for a whole text: many-to-one.

        words → embeddings → stack of recurrent layers → last state or pooling → scores of classes

    With `cell="none"` it is the lecture's standard network, which is one-to-one: a text is one
    vector, with a hidden layer of `units` tanh units on it.

    Args:
        vocabulary_size: number of word ids, padding and `<UNK>` included.
        classes: number of classes.
        cell, units, depth, bidirectional, recurrent_dropout: as in `layers.Stack`.
        inputs: `"embedding"`, or `"one_hot"`: vectors with one 1 among `vocabulary_size` numbers,
            as the lecture draws x<t>. A network that reads them has its embedding in its first
            weights, and computes the same function at the price of their size.
        embedding_dim: width of the embedding.
        pooling: what of the stack is classified: where each direction ends, `"last"`, or
            `"max"`, `"mean"` or `"attention"` over all steps, see `layers.Pooling`.
        standard: what the standard network reads: `"bag"`, the mean of its words' vectors, or
            `"concatenated"`, one-hot vectors of `max_length` words side by side, as the lecture
            draws it: weights for each word at each place.
        max_length: most words that `"concatenated"` has room for; later ones it does not see.
        dropout: on the inputs and outputs of the stack and between its layers.
        word_dropout: share of the words that are `<UNK>` in training.
        jit: of the recurrent layers, see `layers.recurrent.Recurrent`.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Input: a dict of `words`, int32 `[batch, time]`; 0 is padding, on the right. Output: scores
    `[batch, classes]`, whose softmax are probabilities. A text without words has an answer too.

    Source: Andrew Ng, Sequence Models, week 1, "Recurrent Neural Network Model", "Different types
    of RNNs".
    """

    def __init__(
        self,
        vocabulary_size: int,
        classes: int,
        cell: str = "lstm",
        units: int = 128,
        depth: int = 1,
        bidirectional: bool = True,
        inputs: str = "embedding",
        embedding_dim: int = 100,
        pooling: str = "max",
        standard: str = "bag",
        max_length: int = 400,
        dropout: float = 0.5,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
        embeddings: np.ndarray | None = None,
        jit: bool | str = "auto",
        make_stack: Callable[..., keras.layers.Layer] = layers.Stack,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.word_dropout = WordDropout(word_dropout)
        self.input_dropout = keras.layers.Dropout(dropout)
        self.output_dropout = keras.layers.Dropout(dropout)
        self.stack = self.pooling = self.word_embedding = self.places = self.hidden = None
        if cell == "none" and standard == "concatenated":
            # A product with one-hot vectors is a row of the weights.
            self.places = keras.layers.Embedding(max_length * vocabulary_size, units)
        elif inputs == "embedding":
            initial = "uniform" if embeddings is None else keras.initializers.Constant(embeddings)
            self.word_embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, initial)
        if cell == "none" and self.places is None:
            self.hidden = keras.layers.Dense(units, activation="tanh")
            self.pooling = layers.Pooling("mean")
        elif cell != "none":
            self.stack = make_stack(
                cell,
                units,
                depth,
                bidirectional,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
                return_sequences=pooling != "last",
                layer={"jit": jit},
            )
            self.pooling = None if pooling == "last" else layers.Pooling(pooling)
        self.scores = keras.layers.Dense(classes)

    def call(self, inputs, training=False):
        words, real = inputs["words"], inputs["words"] > text.PADDING
        words = self.word_dropout(words, training=training)
        if self.places is not None:
            x = self._concatenated(words)
        else:
            x = self.input_dropout(self._vectors(words), training=training)
            x = self._read(x, real, training)
        return self.scores(self.output_dropout(x, training=training))

    def _vectors(self, words):
        if self.word_embedding is not None:
            return self.word_embedding(words)
        return tf.one_hot(words, self.vocabulary_size, dtype=self.compute_dtype)

    def _read(self, x, real, training):
        if self.stack is None:
            return self.hidden(self.pooling(x, mask=real))
        x = self.stack(x, mask=real, training=training)
        return x if self.pooling is None else self.pooling(x, mask=real)

    def _concatenated(self, words):
        """tanh(W [x<1>, ..., x<T>]) of one-hot x<t>."""
        words = words[:, : self.max_length]
        places = tf.range(tf.shape(words)[1]) * self.vocabulary_size
        x = self.places(words + places)
        real = tf.cast(words > text.PADDING, x.dtype)[:, :, None]
        return tf.tanh(tf.reduce_sum(x * real, axis=1))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean of -log ŷ of the right class over the texts that have words."""
        del sample_weight, training
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(y_pred, tf.float32))
        weights = tf.cast(tf.reduce_any(x["words"] > text.PADDING, axis=1), tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights)) + sum(
            self.losses
        )

    def probabilities(self, inputs) -> tf.Tensor:
        """`[batch, classes]`, float32."""
        return tf.nn.softmax(tf.cast(self(inputs, training=False), tf.float32))
