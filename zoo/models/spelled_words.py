"""What a tagger reads of a word: what it means, its shape, and how it is spelt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import text
from zoo.configuration import SpelledWordsConfig
from zoo.models.parts import Inputs
from zoo.models.words import WordEmbedding

_SHAPE_DIM = 8
# Rows are padded to these numbers, since each new one costs a compilation.
_ROWS = [m << k for k in range(3, 24) for m in (2, 3)]


class SpelledWords(keras.layers.Layer):
    """x<t> = [word, shape, spelling]: the embedding of a word, that of its shape, and where a
    bidirectional recurrent layer ends that reads its bytes (Lample et al. 2016); with
    `cell="none"`, the sum of the embeddings of its bytes.

    Args:
        config: of the model.
        vectors: of others, `[vocabulary_size, width]`, see `WordEmbedding`, or None.
        recurrent: makes recurrent layers, as `RecurrentModel.recurrent` does.

    Call: a dict of `words` and `shapes`, int32 `[batch, time]`, and `bytes`, integers
    `[batch, time, text.WORD_BYTES]`, 0 for padding → `[batch, time, width]`.
    """

    # None where the network has no recurrent layers.
    character_stack: Any

    def __init__(
        self,
        config: SpelledWordsConfig,
        vectors: np.ndarray | None,
        recurrent: Callable[..., keras.layers.Layer],
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.config = config
        self.word_embedding = WordEmbedding(config, vectors, dtype=self.dtype_policy)
        self.shape_embedding = keras.layers.Embedding(
            len(text.SHAPES) + 2, _SHAPE_DIM, dtype=self.dtype_policy
        )
        self.byte_embedding = keras.layers.Embedding(
            256, config.character_dim, dtype=self.dtype_policy
        )
        self.character_stack = None
        if config.cell != "none":
            self.character_stack = recurrent(
                config.character_dim, bidirectional=True, return_sequences=False
            )

    def build(self, input_shape: object = None) -> None:
        for embedding in (self.word_embedding, self.shape_embedding, self.byte_embedding):
            embedding.build((None, None))
        if self.character_stack is not None:
            self.character_stack.build((None, None, self.config.character_dim))

    @property
    def spelling_width(self) -> int:
        """Of what is read of a word's bytes, in both directions."""
        return self.config.character_dim * (1 if self.character_stack is None else 2)

    @property
    def width(self) -> int:
        """Of x<t>."""
        return self.word_embedding.width + _SHAPE_DIM + self.spelling_width

    def call(self, inputs: Inputs, training: bool = False, distinct: bool = True) -> tf.Tensor:
        """x<t>; with `distinct`, each distinct word of the batch is spelt once."""
        word_bytes = inputs["bytes"]
        shape = tf.shape(word_bytes)
        each = tf.reshape(tf.cast(word_bytes, tf.int32), [-1, text.WORD_BYTES])
        if distinct:
            each, which = _distinct(each)
            spelling = tf.gather(self.spelling(each, training), which)
        else:
            spelling = self.spelling(each, training)
        spelling = tf.reshape(spelling, [shape[0], shape[1], spelling.shape[-1]])
        return self.beside(inputs["words"], inputs["shapes"], spelling, training)

    def beside(
        self, words: tf.Tensor, shapes: tf.Tensor, spelling: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """x<t> of ids and shapes `[batch, time]`, and what was read of the words' bytes."""
        embedded = self.word_embedding(words, training=training)
        return tf.concat([embedded, self.shape_embedding(shapes), spelling], axis=-1)

    def spelling(self, word_bytes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What is read of words' bytes: int32 `[words, bytes]`, 0 behind the last one →
        `[words, spelling_width]`."""
        real = word_bytes > text.PADDING
        x = self.byte_embedding(word_bytes)
        if self.character_stack is not None:
            return self.character_stack(x, mask=real, training=training)
        return tf.reduce_sum(x * tf.cast(real, x.dtype)[:, :, None], axis=1)


def _distinct(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The distinct rows, with rows of zeros below them, and for each row which one it is."""
    distinct, which = tf.raw_ops.UniqueV2(x=rows, axis=[0])
    count = tf.shape(distinct)[0]
    padded = tf.gather(_ROWS, tf.searchsorted(_ROWS, [count])[0])
    distinct = tf.pad(distinct, [[0, padded - count], [0, 0]])
    return tf.ensure_shape(distinct, [None, rows.shape[1]]), which
