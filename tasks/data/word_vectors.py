"""Word vectors that others trained."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tasks.framework.errors import UserError
from zoo import text


def read_vectors(path: str, words: list[str], size: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Vectors from a text file, GloVe's or word2vec's: a word and its numbers a line.

    Args:
        path: of the file.
        words: of a vocabulary, `<UNK>` first.
        size: the vocabulary grows by the file's words, from the first on, up to this many.
        seed: of the small random vectors of words that the file lacks.

    Returns:
        The words of the larger vocabulary, and vectors `[1 + words, width]`, padding's first.

    Raises:
        UserError: the file cannot be read, or a line is malformed.
    """
    vectors: dict[str, np.ndarray] = {}
    width = 0
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                word, *values = line.rstrip().split(" ")
                if number == 1 and len(values) == 1:
                    continue  # word2vec's first line counts words and width
                width = width or len(values)
                try:
                    vector = np.array(values, np.float32)
                except ValueError:
                    vector = np.zeros(0, np.float32)
                if len(vector) != width or not width:
                    raise UserError(
                        f"{path}:{number}: expected a word and {width or 'its'} numbers, found "
                        f"{line[:60].rstrip()!r}"
                    )
                vectors.setdefault(word, vector)
    except OSError as error:
        raise UserError(f"--embeddings_file: {path}: {error.strerror}") from None
    if not vectors:
        raise UserError(f"{path}: expected a word and its numbers a line, found none")
    normal = text.normalize(tf.constant(list(vectors))).numpy()
    by_word: dict[str, np.ndarray] = {}
    for word, vector in zip(normal, vectors.values(), strict=True):
        by_word.setdefault(word.decode(), vector)
    known = set(words)
    words = [*words, *(word for word in by_word if word not in known)]
    words = words[: max(size, len(known))]
    table = np.random.default_rng(seed).normal(0, 0.1, (len(words) + 1, width))
    for i, word in enumerate(words, start=1):
        if word in by_word:
            table[i] = by_word[word]
    return words, table.astype(np.float32)
