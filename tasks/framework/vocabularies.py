"""Vocabularies of training corpora, and the vectors of their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from tasks.data import batching
from tasks.data.errors import UserError
from tasks.data.names import can_be_line
from tasks.data.word_vectors import read_vectors
from tasks.framework import starting
from tasks.framework.checkpoints import keep_lines
from tasks.framework.configuration import DataConfig
from zoo import text
from zoo.catalog.sources import Source

_TEXTS_AT_ONCE = 512
K = TypeVar("K", bound=Hashable)


def in_batches(texts: Sequence[str], function: Callable) -> Iterator:
    """What a function of TensorFlow gives for texts, `[batch]`, batch by batch, as NumPy."""
    data = tf.data.Dataset.from_tensor_slices(tf.constant(list(texts), tf.string))
    data = data.batch(_TEXTS_AT_ONCE).map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return data.as_numpy_iterator()


def encode(
    parts: Mapping[K, Sequence[str]],
    read: Callable[[tf.Tensor], tf.RaggedTensor],
    name: str = "ids",
) -> dict[K, batching.Sequences]:
    """What a model reads of the texts of several parts of a corpus.

    All of them are read in one pass: to make its graph takes as long as to read thousands of texts.

    Args:
        parts: texts, by the names of the parts.
        read: from texts `[batch]` to numbers, ragged `[batch, (tokens)]`.
        name: what the numbers are called in the result.
    """

    def flat(some: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found = read(some)
        return found.flat_values, found.row_lengths()

    texts = [text for some in parts.values() for text in some]
    values, lengths = (np.concatenate(x) for x in zip(*in_batches(texts, flat), strict=True))
    found, first, start = {}, 0, 0
    for part, some in parts.items():
        ends = np.cumsum(lengths[first : first + len(some)])
        size = ends[-1] if len(some) else 0
        found[part] = batching.Sequences(ends, {name: values[start : start + size]})
        first, start = first + len(some), start + size
    return found


def make_vocabulary(
    counts: Counter,
    config: DataConfig,
    folder: str,
    embeddings_file: str | None,
    seed: int,
    source: Source | None = None,
) -> tuple[text.Vocabulary, np.ndarray | None]:
    """The vocabulary of a training corpus, written into a folder, and the vectors of its words.

    Args:
        counts: how often each word occurs, see `text.count_words`.
        config: how many words, and how often each must occur.
        folder: for `vocabulary.txt`.
        embeddings_file: word vectors of others, whose words join the vocabulary, or None.
        seed: of the vectors of words that the file lacks.
        source: a trained model, whose vocabulary it is.

    Returns:
        The vocabulary, and vectors `[vocabulary.size, width]` or None.
    """
    counts = Counter({word: count for word, count in counts.items() if can_be_line(word)})
    words, vectors = text.most_common(counts, config.vocab_size, config.min_count), None
    if source is not None:
        words = starting.lines(source, "vocabulary.txt")
    if embeddings_file and source is not None:
        raise UserError(
            "expected --embeddings_file or --init_from, which has an embedding of its own. "
            "Received: both"
        )
    if embeddings_file:
        words, vectors = read_vectors(embeddings_file, words, config.vocab_size, seed)
    path = keep_lines(folder, "vocabulary.txt", words)
    return text.Vocabulary(path), vectors
