"""Texts as characters, each with its place in the text that it comes from.

All characters of a batch lie in one line, row after row, so that replacing, dropping and composing
them are a few operations on whole arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.text.unicode_tables import Replacements, ranges


class Characters(NamedTuple):
    """The characters of texts, int32 each, `[characters]`: their numbers in Unicode, which text
    they belong to, and where they come from in it: from `start` to before `end`."""

    code: tf.Tensor
    row: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor

    def gathered(self, indices: tf.Tensor) -> Characters:
        return Characters(*(tf.gather(part, indices) for part in self))

    def kept(self, mask: tf.Tensor) -> Characters:
        return self.gathered(tf.where(mask)[:, 0])

    def replaced(self, table: Replacements) -> Characters:
        """Some replaced by none, one or more, which all come from where the one came from."""
        index, known = _find(table.codes, self.code)
        counts = tf.where(known, tf.gather(table.counts, index), 1)
        which = repeated(counts)
        number = tf.range(tf.size(which)) - tf.gather(tf.cumsum(counts, exclusive=True), which)
        offset = tf.gather(tf.where(known, tf.gather(table.offsets, index), -1), which)
        parts = self.gathered(which)
        written = tf.gather(table.values, tf.maximum(offset, 0) + number)
        return parts._replace(code=tf.where(offset < 0, parts.code, written))

    def texts(self, count: tf.Tensor) -> tf.Tensor:
        """The `count` texts that the characters spell, in UTF-8."""
        rows = tf.RaggedTensor.from_value_rowids(self.code, self.row, count, validate=False)
        return tf.strings.unicode_encode(rows, "UTF-8")


def read(texts: tf.Tensor) -> Characters:
    """The characters of texts, `[texts]`; bytes that are not UTF-8 are U+FFFD."""
    codes = tf.strings.unicode_decode(texts, "UTF-8")
    row = rows_of(codes)
    start = tf.range(tf.size(row)) - tf.gather(tf.cast(codes.row_starts(), tf.int32), row)
    return Characters(codes.flat_values, row, start, start + 1)


def rows_of(ragged: tf.RaggedTensor) -> tf.Tensor:
    """The row of each value, int32 `[values]`.

    What `value_rowids` gives, which takes the memory of a tensor that is padded to the longest row.

    Example:
        >>> rows_of(tf.ragged.constant([[5, 6], [], [7]])).numpy().tolist()
        [0, 0, 2]
    """
    return _rows_of(ragged.row_splits)


def repeated(counts: tf.Tensor) -> tf.Tensor:
    """The number of each count, that many times, int32. `tf.repeat` would take memory as
    `value_rowids` does, see `rows_of`.

    Example:
        >>> repeated(tf.constant([2, 0, 1])).numpy().tolist()
        [0, 0, 2]
    """
    return _rows_of(tf.pad(tf.cumsum(counts), [[1, 0]]))


def _rows_of(splits: tf.Tensor) -> tf.Tensor:
    return tf.searchsorted(splits[1:], tf.range(splits[-1]), side="right")


def parts_of(texts: tf.Tensor, row: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Parts of texts: for each, which text it is cut from, and from where to before where.

    Each text is decoded once; `tf.strings.substr` would take a copy of it, from its beginning, for
    each of its parts.

    Args:
        texts: `[texts]`.
        row, start, end: integers `[parts]`; places are counted in characters.

    Example:
        >>> row, start, end = tf.constant([[1, 0], [0, 0], [1, 2]])
        >>> parts_of(tf.constant(["été", "né"]), row, start, end).numpy()[1].decode()
        'ét'
    """
    codes = tf.strings.unicode_decode(texts, "UTF-8")
    first = tf.gather(tf.cast(codes.row_starts(), tf.int32), row)
    places = tf.ragged.range(first + start, first + end)
    parts = places.with_flat_values(tf.gather(codes.flat_values, places.flat_values))
    return tf.strings.unicode_encode(parts, "UTF-8")


def look_up(table: dict[int, int], codes: tf.Tensor) -> tf.Tensor:
    """What a table says of each character, int32; 0 where it says nothing."""
    ordered = np.array(sorted(table.items()), np.int32)
    index, known = _find(ordered[:, 0], codes)
    return tf.where(known, tf.gather(ordered[:, 1], index), 0)


def is_among(codes: tf.Tensor, some: Iterable[int]) -> tf.Tensor:
    """Whether each character is one of some."""
    bounds = np.array([(first, last + 1) for first, last in ranges(some)], np.int32).ravel()
    return tf.searchsorted(bounds, codes, side="right") % 2 == 1


def previous(values: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """For each character what the one before it has; 0 or False for the first of a text."""
    moved = tf.concat([tf.zeros_like(values[:1]), values[:-1]], 0)
    return tf.where(is_first(row), tf.zeros_like(values), moved)


def following(values: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """For each character what the one after it has; 0 or False for the last of a text."""
    return previous(values[::-1], row[::-1])[::-1]


def is_first(row: tf.Tensor) -> tf.Tensor:
    """Whether each character is the first of its text."""
    return tf.concat([tf.ones_like(row[:1], tf.bool), row[1:] != row[:-1]], 0)


def _find(ordered: np.ndarray, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where values lie in an ordered array, and whether they do."""
    index = tf.minimum(tf.searchsorted(ordered, values), ordered.size - 1)
    return index, tf.gather(ordered, index) == values
