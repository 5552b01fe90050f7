"""What stands for a word: embeddings, vectors of others, word dropout."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import text
from zoo.configuration import WordReaderConfig


@keras.saving.register_keras_serializable("zoo")
class WordDropout(keras.layers.Layer):
    """Reads a share of the words as `<UNK>` in training, so that `<UNK>` is trained.

    Word ids of any shape in and out; padding stays padding.

    Example:
        >>> WordDropout(0.9)(tf.constant([[5, 7, 0]])).numpy()  # in training, mostly [[1, 1, 0]]
        array([[5, 7, 0]], dtype=int32)
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return words
        dropped = keras.random.uniform(tf.shape(words), seed=self.seed_generator) < self.rate
        return tf.where((words > text.PADDING) & dropped, text.UNKNOWN, words)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class WordEmbedding(keras.layers.Layer):
    """x<t> of a word, by what `config.vectors` says of the vectors of others, V:

        trained    x<t> = E[w]             E starts from V, or without any from small random numbers
        frozen     x<t> = V[w]
        beside     x<t> = [E[w], V[w]]     V stays as it is; E knows the words of training alone

    Beside each other, a word that training did not see is `<UNK>` to E and itself to V, and in
    training word dropout shows the rest of the network what that is like.

    Args:
        config: `vocabulary_size` words; of these the first `trained_size` are those of E, where V
            stands beside it.
        vectors: V, `[vocabulary_size, width]`, or None: small random numbers.

    Call: word ids, int32 `[batch, time]`, 0 for padding → `[batch, time, width]`.

    Example:
        >>> config = WordReaderConfig(vocabulary_size=9, trained_size=5, embedding_dim=4,
        ...                           vectors_dim=2, vectors="beside")
        >>> WordEmbedding(config)(tf.constant([[3, 8]])).shape
        TensorShape([1, 2, 6])
    """

    def __init__(self, config: WordReaderConfig, vectors: np.ndarray | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        initial = "uniform" if vectors is None else keras.initializers.Constant(vectors)
        self.word_dropout = WordDropout(config.word_dropout)
        self.beside = None
        size = config.vocabulary_size
        if config.vectors == "beside":
            self.beside = keras.layers.Embedding(
                size, config.vectors_dim, initial, trainable=False, dtype=self.dtype_policy
            )
            initial, size = "uniform", config.trained_size
        self.embedding = keras.layers.Embedding(
            size,
            config.embedding_dim,
            initial,
            dtype=self.dtype_policy,
            trainable=config.vectors != "frozen",
        )

    def build(self, input_shape: object = None) -> None:
        for embedding in (self.embedding, self.beside):
            if embedding is not None:
                embedding.build((None, None))

    @property
    def width(self) -> int:
        """Of what stands for a word."""
        return self.config.embedding_dim + (self.config.vectors_dim if self.beside else 0)

    def call(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        if self.beside is None:
            return self.embedding(self.word_dropout(words, training=training))
        known = tf.where(words < self.config.trained_size, words, text.UNKNOWN)
        known = self.word_dropout(known, training=training)
        return tf.concat([self.embedding(known), self.beside(words)], axis=-1)
