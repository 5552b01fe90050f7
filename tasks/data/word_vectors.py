"""Word vectors that others trained."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from tasks.data.formats import BLANKS, check_beginning
from tasks.data.names import can_be_line
from zoo import text

# So many lines are looked at to tell how many numbers a word has.
_LINES_TO_TELL = 1000


def read_vectors(path: str, words: list[str], size: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Vectors from a text file, GloVe's, word2vec's or fastText's: a word and its numbers a line.

    Words with blanks, of which GloVe 840B has some, and those that no line of a vocabulary can hold
    are passed over.

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
    try:
        with open(path, "rb") as file:
            check_beginning(file.peek(), path)
            numbered = enumerate(map(_cells, file), start=1)
            lines = ((number, cells) for number, cells in numbered if cells != [""])
            first = list(itertools.islice(lines, _LINES_TO_TELL))
            if first and len(first[0][1]) == 2 and all(map(str.isdecimal, first[0][1])):
                del first[0]  # word2vec and fastText begin with how many words there are, and width
            width = _width(cells for _, cells in first)
            for number, cells in itertools.chain(first, lines):
                word, vector = " ".join(cells[:-width]), _vector(cells, width)
                if vector is None:
                    raise UserError(
                        f"{path}:{number}: expected a word and {width} numbers, found "
                        f"{' '.join(cells)[:60]!r}"
                    )
                if " " not in word and can_be_line(word):
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


def _cells(line: bytes) -> list[str]:
    """A line at its blanks; words need not be UTF-8, as those of Common Crawl are not."""
    text = line.decode("utf-8", "replace").removeprefix("\ufeff")
    return text.rstrip(BLANKS + "\n").replace("\t", " ").split(" ")


def _width(rows: Iterable[list[str]]) -> int:
    """How many numbers a line has: what most of the first ones say, as some words have blanks."""
    counts = Counter(len(row) for row in rows)
    return max(1, counts.most_common(1)[0][0] - 1) if counts else 1


def _vector(cells: Sequence[str], width: int) -> np.ndarray | None:
    """The numbers at the end of a line; None where it is no word with so many numbers."""
    words = cells[:-width]
    if not words or any(map(_is_number, words[1:])):
        return None
    try:
        vector = np.array(cells[-width:], np.float32)
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
