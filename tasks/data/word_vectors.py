"""Word vectors that others trained."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import itertools
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader, RawIOBase
from typing import cast

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
_GZIP = b"\x1f\x8b"
_FASTTEXT = (793712314).to_bytes(4, "little")
# No word has more bytes or numbers: what has, is no file of vectors.
_MOST = 10_000
# Control characters that no text has, and numbers in binary form sooner or later.
_NOT_TEXT = frozenset(range(32)) - frozenset(b"\t\n\v\f\r")

Lines = Iterator[tuple[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """The words of a vocabulary, and their vectors.

    Attributes:
        words: those of the training corpus, `<UNK>` first, and behind them more of the file's.
        table: float32 `[1 + words, width]`, padding's first.
        found: how many of the corpus' words the file has.
        known: how many words the corpus has.
    """

    words: list[str]
    table: np.ndarray
    found: int
    known: int

    @property
    def width(self) -> int:
        return self.table.shape[1]

    def __str__(self) -> str:
        more = len(self.words) - self.known
        return (
            f"{self.found:,} of {self.known - 1:,} words of the training texts have vectors of "
            f"{self.width} numbers, and {more:,} more words"
        )


def read_vectors(path: str, words: list[str], more: int, seed: int) -> WordVectors:
    """Vectors of GloVe, word2vec or fastText: a word and its numbers a line, or word2vec's binary
    form; either may be packed by gzip.

    Words are written as tokens are, see `text.normalize_text`; of several that are then alike, the
    one that the file writes so is taken, or else the first. Those with blanks, of which GloVe
    840B has some, are never a token, and like those that no line of a vocabulary can hold they are
    passed over. Of a large file, no more is held than what is returned.

    Args:
        path: of the file.
        words: of the training corpus, `<UNK>` first.
        more: so many of the file's other words, from the first on, join them.
        seed: of the small random vectors of words that the file lacks.

    Raises:
        UserError: the file cannot be read, or is malformed.
    """
    known, width, exact = set(words), 0, set()
    kept: dict[str, np.ndarray] = {}
    with _opened(path) as file:
        lines = _entries(file, path)
        while some := list(itertools.islice(lines, _LINES_AT_ONCE)):
            width = len(some[0][1])
            for word, (written, vector) in zip(
                _as_tokens([one for one, _ in some]), some, strict=True
            ):
                same = word == written and word not in exact
                if (word in kept and not same) or " " in word or not can_be_line(word):
                    continue
                if word in kept or word in known or more > 0:
                    more -= word not in known and word not in kept
                    kept[word] = vector
                    if same:
                        exact.add(word)
    if not width:
        raise UserError(f"{path}: expected a word and its numbers a line, found none")
    all_words = [*words, *(word for word in kept if word not in known)]
    table = np.random.default_rng(seed).normal(0, 0.1, (len(all_words) + 1, width))
    for i, word in enumerate(all_words, start=1):
        if word in kept:
            table[i] = kept[word]
    found = sum(word in kept for word in words)
    return WordVectors(all_words, table.astype(np.float32), found, len(words))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BufferedReader]:
    """A file, unpacked if it is one of gzip."""
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(path, "rb"))
            if file.peek(2).startswith(_GZIP):
                unpacked = stack.enter_context(gzip.open(file))
                file = BufferedReader(cast(RawIOBase, unpacked))
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: expected a whole gzip file, found: {error}") from None
    except OSError as error:
        raise UserError(
            f"--embeddings_file: {path}: expected a readable file, found: {why(error)}"
        ) from None


def _entries(file: BufferedReader, path: str) -> Lines:
    """The words of a file that have no blank, as they are written, and their vectors."""
    beginning = file.peek(_MOST)
    if beginning.startswith(_FASTTEXT):
        raise UserError(
            f"{path}: expected word vectors as text or in word2vec's binary form, found a model of "
            "fastText; take the .vec file beside it"
        )
    check_beginning(beginning, path)
    first, _, rest = beginning.partition(b"\n")
    sizes = first.split()
    if len(sizes) == 2 and all(map(bytes.isdigit, sizes)) and _NOT_TEXT.intersection(rest[:1000]):
        found = _binary_entries(file, path)
    else:
        found = _text_entries(file, path)
    return ((word, vector) for word, vector in found if " " not in word and can_be_line(word))


def _binary_entries(file: BufferedReader, path: str) -> Lines:
    """word2vec's binary form: how many words there are, and how many numbers a word; then each
    word, a blank, and its numbers as float32, behind which there may be the end of a line."""
    count, width = map(int, file.readline().split())
    if not 0 < width <= _MOST:
        raise UserError(f"{path}: expected 1 to {_MOST:,} numbers a word, found {width:,}")
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b"") and len(word) < _MOST:
            word += byte
        numbers = file.read(4 * width)
        vector = np.frombuffer(numbers, "<f4") if len(numbers) == 4 * width else np.array([np.nan])
        if byte != b" " or not np.isfinite(vector).all():
            raise UserError(
                f"{path}: expected {count:,} words of {width} finite numbers in word2vec's binary "
                f"form, found something else at word {number:,}: the file is damaged or cut"
            )
        yield word.decode("utf-8", "replace").lstrip("\n"), vector
    if file.read(2).strip():
        raise UserError(f"{path}: expected {count:,} words, as its first line says, found more")


def _text_entries(file: BufferedReader, path: str) -> Lines:
    numbered = enumerate(map(_cells, file), start=1)
    lines = ((number, cells) for number, cells in numbered if cells != [""])
    first = list(itertools.islice(lines, _LINES_TO_TELL))
    said = None
    if first and len(first[0][1]) == 2 and all(map(str.isdecimal, first[0][1])):
        # word2vec and fastText begin with how many words there are, and width.
        said = tuple(map(int, first.pop(0)[1]))
    width, count = _width(cells for _, cells in first), 0
    for number, cells in itertools.chain(first, lines):
        vector = _vector(cells, width)
        if vector is None:
            raise UserError(
                f"{path}:{number}: expected a word and {width} numbers, found "
                f"{' '.join(cells)[:60]!r}; GloVe's, fastText's and word2vec's files are read"
            )
        count += 1
        yield " ".join(cells[:-width]), vector
    if said is not None and said != (count, width):
        raise UserError(
            f"{path}: expected {said[0]:,} words of {said[1]:,} numbers, as its first line says, "
            f"found {count:,}{f' of {width:,}' if count else ''}: the file is damaged or cut"
        )


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
