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
    """x<t> = E[w], with word dropout in training.

    E starts from the vectors of others, or without any from small random numbers; with
    `config.vectors="frozen"` it stays as it starts.

    Args:
        config: `vocabulary_size` words, vectors of `embedding_dim` numbers.
        vectors: `[vocabulary_size, embedding_dim]`, or None.

    Call: word ids, int32 `[batch, time]`, 0 for padding → `[batch, time, embedding_dim]`.

    Example:
        >>> config = WordReaderConfig(vocabulary_size=9, embedding_dim=4)
        >>> WordEmbedding(config)(tf.constant([[3, 8]])).shape
        TensorShape([1, 2, 4])
    """

    def __init__(self, config: WordReaderConfig, vectors: np.ndarray | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        self.word_dropout = WordDropout(config.word_dropout)
        self.embedding = keras.layers.Embedding(
            config.vocabulary_size,
            config.embedding_dim,
            "uniform" if vectors is None else keras.initializers.Constant(vectors),
            trainable=config.vectors == "trained",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: object = None) -> None:
        self.embedding.build((None, None))

    @property
    def width(self) -> int:
        """Of what stands for a word."""
        return self.config.embedding_dim

    def call(self, words: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.embedding(self.word_dropout(words, training=training))
