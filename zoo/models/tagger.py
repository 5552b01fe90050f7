"""A tag for each word."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import layers
from zoo import text
from zoo.models.parts import WordDropout


@keras.saving.register_keras_serializable("zoo")
class Tagger(keras.Model):
    """A tag for each word: many-to-many of equal length.

        words, shapes, bytes → embeddings → stack of recurrent layers → scores of tags → CRF

    Each word is the concatenation of its embedding, that of its shape, and where a bidirectional
    recurrent layer ends that reads its bytes (Lample et al. 2016). With `cell="none"` nothing is
    recurrent: a word sees the two words on either side, and its own bytes as a bag.

    Args:
        vocabulary_size: number of word ids, padding and `<UNK>` included.
        tags: number of tags.
        cell, units, depth, bidirectional, recurrent_dropout: as in `layers.Stack`.
        embedding_dim: width of the word embedding.
        character_dim: width of the embedding of a byte, and units of each direction over bytes.
        dropout: on the inputs and outputs of the stack and between its layers.
        word_dropout: share of the words that are `<UNK>` in training, so that `<UNK>` is trained.
        crf: a CRF over the scores, or an independent softmax for each word.
        forbidden, forbidden_start, forbidden_end: tags that never follow each other, as in
            `layers.CRF`.
        embeddings: initial word embeddings `[vocabulary_size, embedding_dim]`, or None.
        jit: of the recurrent layers and the CRF, see `layers.recurrent.Recurrent`.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Inputs: a dict of `words` and `shapes`, int32 `[batch, time]`, and `bytes`, integers
    `[batch, time, text.WORD_BYTES]`; 0 is padding, on the right. Output: scores
    `[batch, time, tags]`. Source: Huang, Xu and Yu 2015; Lample et al. 2016.
    """

    def __init__(
        self,
        vocabulary_size: int,
        tags: int,
        cell: str = "lstm",
        units: int = 128,
        depth: int = 1,
        bidirectional: bool = True,
        embedding_dim: int = 100,
        character_dim: int = 32,
        dropout: float = 0.5,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.1,
        crf: bool = True,
        forbidden=(),
        forbidden_start=(),
        forbidden_end=(),
        embeddings: np.ndarray | None = None,
        jit: bool | str = "auto",
        make_stack: Callable[..., keras.layers.Layer] = layers.Stack,
        **kwargs,
    ):
        super().__init__(**kwargs)
        initial = "uniform" if embeddings is None else keras.initializers.Constant(embeddings)
        self.word_embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, initial)
        self.shape_embedding = keras.layers.Embedding(len(text.SHAPES) + 2, 8)
        self.byte_embedding = keras.layers.Embedding(256, character_dim)
        self.input_dropout = keras.layers.Dropout(dropout)
        self.output_dropout = keras.layers.Dropout(dropout)
        self.word_dropout = WordDropout(word_dropout)
        self.character_stack = self.stack = None
        if cell == "none":
            self.hidden = keras.layers.Dense(units, activation="tanh")
        else:
            self.character_stack = make_stack(
                cell,
                character_dim,
                bidirectional=True,
                return_sequences=False,
                layer={"jit": jit},
            )
            self.stack = make_stack(
                cell,
                units,
                depth,
                bidirectional,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
                layer={"jit": jit},
            )
        self.scores = keras.layers.Dense(tags)
        self.crf = (
            layers.CRF(tags, forbidden, forbidden_start, forbidden_end, jit=jit) if crf else None
        )

    def call(self, inputs, training=False):
        words, real = inputs["words"], inputs["words"] > text.PADDING
        x = tf.concat(
            [
                self.word_embedding(self.word_dropout(words, training=training)),
                self.shape_embedding(inputs["shapes"]),
                self._read_bytes(inputs["bytes"], training),
            ],
            axis=-1,
        )
        x = self.input_dropout(x, training=training)
        if self.stack is None:
            x = self.hidden(_neighbours(x, real))
        else:
            x = self.stack(x, mask=real, training=training)
        x = self.scores(self.output_dropout(x, training=training))
        return x if self.crf is None else self.crf(x)

    def _read_bytes(self, word_bytes, training):
        """`[batch, time, bytes]` → `[batch, time, width]`; a word that comes twice is read once."""
        shape = tf.shape(word_bytes)
        each, which = _distinct(tf.reshape(tf.cast(word_bytes, tf.int32), [-1, text.WORD_BYTES]))
        real = each > text.PADDING
        x = self.byte_embedding(each)
        if self.character_stack is None:
            share = tf.cast(real, x.dtype)[:, :, None]
            x = tf.reduce_sum(x * share, axis=1)
        else:
            x = self.character_stack(x, mask=real, training=training)
        return tf.reshape(tf.gather(x, which), [shape[0], shape[1], x.shape[-1]])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the sentences of the negative log-likelihood of their tags."""
        del sample_weight
        real = x["words"] > text.PADDING
        if self.crf is not None:
            losses = self.crf.loss(y_pred, y, mask=real, training=training)
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(y_pred, tf.float32))
            losses = tf.reduce_sum(tf.where(real, losses, 0.0), axis=1)
        return tf.reduce_mean(losses) + sum(self.losses)

    def decode(self, inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """The best tags, int32 `[batch, time]`, and the probability of each, `[batch, time]`."""
        scores, real = self(inputs, training=False), inputs["words"] > text.PADDING
        if self.crf is not None:
            return self.crf.decode_with_confidence(scores, mask=real)
        probabilities = tf.nn.softmax(tf.cast(scores, tf.float32))
        tags = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        confidence = tf.reduce_max(probabilities, axis=-1)
        return tf.where(real, tags, 0), tf.where(real, confidence, 0.0)


# Rows are padded to these numbers, since each new one costs a compilation.
_ROWS = [m << k for k in range(3, 24) for m in (2, 3)]


def _distinct(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The distinct rows, with rows of zeros below them, and for each row which one it is."""
    distinct, which = tf.raw_ops.UniqueV2(x=rows, axis=[0])
    count = tf.shape(distinct)[0]
    padded = tf.gather(_ROWS, tf.searchsorted(_ROWS, [count])[0])
    distinct = tf.pad(distinct, [[0, padded - count], [0, 0]])
    return tf.ensure_shape(distinct, [None, rows.shape[1]]), which


def _neighbours(x: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Each word beside the two before and the two after it: `[batch, time, 5 * width]`."""
    x = x * tf.cast(real, x.dtype)[:, :, None]
    time = tf.shape(x)[1]
    padded = tf.pad(x, [[0, 0], [2, 2], [0, 0]])
    return tf.concat([padded[:, i : i + time] for i in range(5)], axis=-1)
