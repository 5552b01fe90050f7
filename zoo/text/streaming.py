"""Texts that come in chunks: what of one can be read now, and what may still grow.

A part of a text is ready where a reader makes the same of it, whatever comes behind it: what it
reads of the parts, one after the other, is then what it reads of the whole. The rest is kept, byte
for byte, until more of the text is there or its end. Bytes may be cut anywhere, in the middle of a
character too.

What `text.tokenize` makes of a word follows from that word alone, but for these: a dot that ends
the text is a token of its own, the digits behind "No." belong to it, and "U.S" and ":(" take the
blank behind them, which then makes no emoticon of what follows. Such words wait for the next one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from zoo.text import typography, unicode_tables
from zoo.text.characters import following, is_among, previous, rows_of

_BLANKS = tuple(map(ord, "\t\n\f\r "))
_REPLACEMENT = 0xFFFD
# Most bytes that a character lacks of its last one.
_INCOMPLETE = 3
# Most characters of a tag of HTML, see `text.without_markup`.
_MARKUP = 103

# From characters, their texts' numbers and how many bytes of their text are behind each, int32
# `[characters]`, to whether a text may be parted behind each.
Parted = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def ready(texts: tf.Tensor, end: tf.Tensor, parted: Parted) -> tuple[tf.Tensor, tf.Tensor]:
    """What of texts can be read, and the rest that must wait.

    Args:
        texts: strings `[batch]`: what waited before, and behind it what has come.
        end: bool `[batch]`, whether nothing more comes: then nothing waits.
        parted: where a text may be parted, one of this module.

    Example:
        >>> texts = tf.constant(["He said, Ted", "Mr. ", "Mr. "])
        >>> now, later = ready(texts, tf.constant([False, False, True]), behind_words)
        >>> now.numpy().tolist(), later.numpy().tolist()
        ([b'He said, ', b'', b'Mr. '], [b'Ted', b'Mr. ', b''])
    """
    codes, starts = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
    row, size = rows_of(codes), tf.strings.length(texts)
    start = tf.cast(starts.flat_values, tf.int32)
    # Where the next character begins, or the text ends.
    last = tf.concat([row[1:] != row[:-1], tf.ones_like(row[:1], tf.bool)], 0)
    stop = tf.where(last, tf.gather(size, row), tf.concat([start[1:], start[:1]], 0))
    may = parted(codes.flat_values, row, tf.gather(size, row) - start)
    found = tf.math.unsorted_segment_max(tf.where(may, stop, 0), row, tf.size(texts))
    at = tf.where(end, size, tf.maximum(found, 0))
    return tf.strings.substr(texts, tf.zeros_like(at), at), tf.strings.substr(texts, at, size - at)


def behind_characters(codes: tf.Tensor, row: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Behind each character that is whole."""
    del row
    return (codes != _REPLACEMENT) | (left > _INCOMPLETE)


def behind_blanks(codes: tf.Tensor, row: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Behind white space, for texts that it alone separates."""
    del row, left
    return is_among(codes, _BLANKS)


def behind_words(codes: tf.Tensor, row: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Behind the blank that follows a word, for `text.tokenize`."""
    del left
    before = previous(codes, row)
    waits = is_among(before, _waiting()) | is_among(previous(before, row), _hiding())
    return is_among(codes, _BLANKS) & ~waits


def behind_words_and_lines(codes: tf.Tensor, row: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """As `behind_words`, for texts whose lines are read one by one."""
    return behind_words(codes, row, left) | (codes == ord("\n"))


def behind_words_of_markup(codes: tf.Tensor, row: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """As `behind_words`, for texts that are read `text.without_markup`: not within a tag."""
    place = tf.range(tf.size(codes))
    opened = _latest((codes == ord("<")) & ~is_among(following(codes, row), _BLANKS))
    closed = _latest(codes == ord(">"))
    same_text = tf.gather(row, tf.maximum(opened, 0)) == row
    within = (opened > closed) & same_text & (place - opened <= _MARKUP)
    behind_tag = previous(codes, row) == ord(">")
    return behind_words(codes, row, left) & ~within & ~behind_tag


# By the kind of tokens of a language model, see `zoo.text.tokens`.
PARTED: dict[str, Parted] = {
    "characters": behind_characters,
    "words": behind_words_and_lines,
    "split": behind_blanks,
}


def _latest(found: tf.Tensor) -> tf.Tensor:
    """For each character the place of the last one up to it that was found; -1 for none."""
    places = tf.concat([[-1], tf.cast(tf.where(found)[:, 0], tf.int32)], 0)
    return tf.gather(places, tf.cumsum(tf.cast(found, tf.int32)))


@functools.cache
def _hiding() -> frozenset[int]:
    """Characters that are a dot, or behind which one may stand unseen."""
    changed = typography.written_as().items()
    return frozenset({ord("."), *(code for code, written in changed if not written)}).union(
        code for code, written in changed if ord(".") in written
    )


@functools.cache
def _waiting() -> frozenset[int]:
    """Characters at the end of a word that waits: also those that may be part of the one before."""
    blank = {code for code, written in typography.written_as().items() if ord(" ") in written}
    marks = {*unicode_tables.combining_classes(), *unicode_tables.second_in_pairs()}
    return _hiding() | frozenset({ord("("), *_BLANKS, *blank, *marks})
