"""Word vectors that others trained."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError, why
from tasks.data.formats import BLANKS, check_beginning
from tasks.data.names import can_be_line
from zoo import text

# So many lines are looked at to tell how many numbers a word has.
_LINES_TO_TELL = 1000
# So many words are made tokens at once.
_LINES_AT_ONCE = 1024


def read_vectors(path: str, words: list[str], size: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Vectors from a text file, GloVe's, word2vec's or fastText's: a word and its numbers a line.

    Words are written as tokens are, see `text.normalize_text`. Those with blanks, of which GloVe
    840B has some, and those that no line of a vocabulary can hold are passed over. Of a large file,
    no more is held than what is returned.

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
    known, found = set(words), False
    kept: dict[str, np.ndarray] = {}
    room = max(0, size - len(known))
    lines = _lines(path)
    while some := list(itertools.islice(lines, _LINES_AT_ONCE)):
        found = True
        for word, (_, vector) in zip(_as_tokens([one for one, _ in some]), some, strict=True):
            if word in kept or " " in word or not can_be_line(word):
                continue
            if word in known or room:
                kept[word] = vector
                room -= word not in known
    if not found:
        raise UserError(f"{path}: expected a word and its numbers a line, found none")
    words = [*words, *(word for word in kept if word not in known)]
    width = len(vector)
    table = np.random.default_rng(seed).normal(0, 0.1, (len(words) + 1, width))
    for i, word in enumerate(words, start=1):
        if word in kept:
            table[i] = kept[word]
    return words, table.astype(np.float32)


def _lines(path: str) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a file that have no blank, as they are written, and their vectors."""
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
                    yield word, vector
    except OSError as error:
        raise UserError(
            f"--embeddings_file: {path}: expected a readable file, found: {why(error)}"
        ) from None


def _as_tokens(words: list[str]) -> list[str]:
    """Words as a vocabulary looks them up."""
    normal = text.normalize(text.normalize_text(tf.constant(words))).numpy()
    return [word.decode() for word in normal]


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
