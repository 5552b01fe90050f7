"""Words to ids and back: lookup tables that a SavedModel holds as assets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import tensorflow as tf

from zoo import files
from zoo.text.tokenizing import normalize
from zoo.text.typography import normalize_text

PADDING, UNKNOWN = 0, 1
UNKNOWN_WORD = "<UNK>"


def count_words(words: Iterable[str]) -> Counter:
    """How often each word occurs, as `normalize_text` and `normalize` write it."""
    distinct = Counter(words)
    normal = normalize(normalize_text(tf.constant(list(distinct) or [""]))).numpy()
    counts: Counter[str] = Counter()
    for word, count in zip(normal, distinct.values(), strict=False):
        counts[word.decode()] += count
    return counts


class _Lines(tf.lookup.TextFileInitializer):
    """TensorFlow names such a table by the path of its file: a SavedModel would tell where it was
    trained, and of two that were trained in one folder the second would get the first one's.
    Without a name it draws one."""

    _shared_name = ""


def numbers_of_lines(asset: tf.saved_model.Asset, default: int) -> tf.lookup.StaticHashTable:
    """From a line of a text file to its number, int64, from 0 up."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = _Lines(asset.asset_path, tf.string, line, tf.int64, number)
    return tf.lookup.StaticHashTable(lines, default)


def lines_of_numbers(asset: tf.saved_model.Asset) -> tf.lookup.StaticHashTable:
    """From the number of a line of a text file, int64, from 0 up, to the line."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = _Lines(asset.asset_path, tf.int64, number, tf.string, line)
    return tf.lookup.StaticHashTable(lines, "")


class Vocabulary(tf.Module):
    """Words with ids from 2 up; 1 is `<UNK>`, 0 is padding.

    Args:
        path: a text file with one word a line, of which the first is `<UNK>`. In a SavedModel it
            becomes an asset.
        normalized: whether words are looked up as `normalize` makes them. They must have gone
            through `normalize_text`, as tokens and `features` have.

    Example:
        >>> path = write_lines("vocabulary.txt", [UNKNOWN_WORD, "a", "cat"])
        >>> Vocabulary(path)(tf.constant(["A", "dog"])).numpy()
        array([2, 1], dtype=int32)
    """

    def __init__(self, path: str, normalized: bool = True):
        super().__init__()
        self.normalized = normalized
        self.asset = tf.saved_model.Asset(path)
        self.size = 1 + len(files.read_lines(path))
        self.table = numbers_of_lines(self.asset, default=UNKNOWN - 1)

    def __call__(self, words: tf.Tensor) -> tf.Tensor:
        """Ids of words of any shape, int32."""
        words = normalize(words) if self.normalized else words
        return tf.cast(self.table.lookup(words), tf.int32) + 1


def most_common(counts: Counter, size: int, minimum: int) -> list[str]:
    """`<UNK>` and the most common words, at most `size`, each at least `minimum` times."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [word for word, count in ordered if count >= minimum and word.strip()]
    return [UNKNOWN_WORD, *words[: max(0, size - 1)]]


def write_lines(path: str, lines: Sequence[str]) -> str:
    """Writes a text file, one line each, and returns its path."""
    files.write_text(path, "".join(f"{line}\n" for line in lines))
    return path
