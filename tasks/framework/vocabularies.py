"""Vocabularies of training corpora, and the vectors of their words."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from tasks.data import batching
from tasks.data.errors import UserError
from tasks.data.names import can_be_line
from tasks.data.word_vectors import WordVectors, read_vectors
from tasks.framework.checkpoints import keep_lines
from tasks.framework.configuration import WordReaderData
from zoo import text
from zoo.configuration import WordReaderConfig

_TEXTS_AT_ONCE = 512
_REPLACEMENT = "\ufffd"
K = TypeVar("K", bound=Hashable)


def in_batches(texts: Sequence[str], function: Callable) -> Iterator:
    """What a function of TensorFlow gives for texts, `[batch]`, batch by batch, as NumPy."""
    data = tf.data.Dataset.from_tensor_slices(tf.constant(list(texts), tf.string))
    data = data.batch(_TEXTS_AT_ONCE).map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return data.as_numpy_iterator()


def count_tokens(texts: Sequence[str]) -> Counter:
    """How often each normalized word occurs in texts."""
    counts: Counter = Counter()
    for tokens in in_batches(
        texts, lambda some: text.tokenize(text.without_markup(some)).flat_values
    ):
        counts.update(tokens.tolist())
    return text.count_words(counts)


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
    config: WordReaderData,
    folder: str,
    seed: int,
    known: list[str] | None = None,
) -> tuple[text.Vocabulary, WordVectors | None]:
    """The vocabulary of a training corpus, written into a folder, and vectors of its words.

    Args:
        counts: how often each word occurs, see `text.count_words`.
        config: how many words, how often each must occur, and where vectors are, whose words join
            the vocabulary.
        folder: for `vocabulary.txt`.
        seed: of the vectors of words that the file lacks.
        known: the words of a trained model to start from, which are the vocabulary then.

    Raises:
        UserError: the file of vectors is not as it must be, or given beside such a model.
    """
    counts = Counter({word: count for word, count in counts.items() if can_be_line(word)})
    del counts[_REPLACEMENT]  # it stands for anything
    words, vectors = text.most_common(counts, config.vocab_size, config.min_count), None
    if known is not None:
        words = known
    if config.embeddings_file and known is not None:
        raise UserError(
            "expected --embeddings_file, or a model to start from by --init_from or "
            "--pretrain_from, which has an embedding of its own. Received: both"
        )
    if config.embeddings_file:
        vectors = read_vectors(config.embeddings_file, words, config.embeddings_vocabulary, seed)
        print(f"{config.embeddings_file}: {vectors}", flush=True)
        words = vectors.words
    elif "embeddings_vocabulary" in config.changed():
        print("--embeddings_vocabulary has no effect without --embeddings_file.", file=sys.stderr)
    path = keep_lines(folder, "vocabulary.txt", words)
    return text.Vocabulary(path), vectors


def sizes(
    config: WordReaderConfig,
    vocabulary: text.Vocabulary,
    vectors: WordVectors | None,
    starts: bool,
) -> dict[str, int]:
    """What of a model's configuration follows from its words and their vectors.

    Args:
        config: of the model.
        vocabulary: its words.
        vectors: of others.
        starts: whether it starts from a trained model, and has the vectors of that.

    Raises:
        UserError: it asks for vectors, and there are none.
    """
    if vectors is not None:
        return {"vocabulary_size": vocabulary.size, "embedding_dim": vectors.width}
    if config.vectors != "trained" and not starts:
        raise UserError(f"--vectors={config.vectors}: expected --embeddings_file. Received: none")
    return {"vocabulary_size": vocabulary.size}
