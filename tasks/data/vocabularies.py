"""The vocabulary of tasks that read words, and its flags."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import flags as absl_flags

from tasks.data.word_vectors import read_vectors
from tasks.framework import flags
from zoo import text

WORD_DROPOUT = absl_flags.DEFINE_float(
    "word_dropout",
    0.1,
    "Share of words read as <UNK> in training.",
    lower_bound=0,
    upper_bound=0.99,
)
MIN_COUNT = absl_flags.DEFINE_integer(
    "min_count", 2, "Rarer words of the training corpus are <UNK>.", lower_bound=1
)
EMBEDDINGS_FILE = absl_flags.DEFINE_string(
    "embeddings_file", None, "Word vectors as text, GloVe or word2vec; sets --embedding_dim."
)
_TEXTS_AT_ONCE = 512

FLAGS = ("word_dropout", "min_count", "embeddings_file")


def in_batches(texts: Sequence[str], function: Callable) -> Iterator:
    """What a function of TensorFlow gives for texts, `[batch]`, batch by batch, as NumPy."""
    data = tf.data.Dataset.from_tensor_slices(tf.constant(list(texts), tf.string))
    data = data.batch(_TEXTS_AT_ONCE).map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return data.as_numpy_iterator()


def make_vocabulary(counts: Counter, folder: str) -> tuple[text.Vocabulary, np.ndarray | None]:
    """The vocabulary of a training corpus, written into a folder, and the vectors of its words.

    Args:
        counts: how often each word occurs, see `text.count_words`.
        folder: for `vocabulary.txt`.
    """
    words, vectors = text.most_common(counts, flags.VOCAB_SIZE.value, MIN_COUNT.value), None
    if EMBEDDINGS_FILE.value:
        words, vectors = read_vectors(
            EMBEDDINGS_FILE.value, words, flags.VOCAB_SIZE.value, flags.SEED.value
        )
    path = text.write_lines(os.path.join(folder, "vocabulary.txt"), words)
    return text.Vocabulary(path), vectors


def embedding_arguments(vectors: np.ndarray | None) -> dict:
    """Arguments of a model for its embedding."""
    if vectors is None:
        return {"embedding_dim": flags.EMBEDDING_DIM.value}
    return {"embeddings": vectors, "embedding_dim": vectors.shape[1]}
