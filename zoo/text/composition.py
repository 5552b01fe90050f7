"""Canonical composition (NFC) in the graph: "e" and U+0301 are "é", as `unicodedata.normalize`
would have it, for all of Unicode 14.

The algorithm of Unicode's annex 15 goes from character to character. Here all texts take its steps
at once: decompose; sort the marks behind each letter by their class; then, three times, join each
letter with the first mark that it can be joined with. No character is made of more than four, so
three times are enough.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.text import unicode_tables as tables
from zoo.text.characters import Characters, is_among, is_first, look_up, previous

_MOST_JOINED = 3


def compose(given: Characters) -> Characters:
    """Characters in NFC. Those that `unicode_tables.recomposed` names must be replaced before.

    A composed character comes from where the first of its parts begins to where the last ends.
    """
    classes = combining_class(given.code)
    in_order = (classes == 0) | (previous(classes, given.row) <= classes)
    composed = tf.reduce_all(in_order & ~is_among(given.code, tables.second_in_pairs()))
    return Characters(*tf.cond(composed, lambda: given, lambda: _compose(given)))


def _compose(given: Characters) -> Characters:
    parts = given.replaced(tables.replacements(tables.decompositions()))
    return tf.while_loop(
        lambda *_: True,
        lambda *parts: _joined(Characters(*parts)),
        _sorted(parts),
        shape_invariants=Characters(*[tf.TensorShape([None])] * len(parts)),
        maximum_iterations=_MOST_JOINED,
    )


def combining_class(codes: tf.Tensor) -> tf.Tensor:
    """The canonical combining class of each character; 0 is that of letters and of some marks."""
    return look_up(tables.combining_classes(), codes)


def _sorted(parts: Characters) -> Characters:
    """The marks behind each letter by their classes; those of one class stay in order."""
    classes = combining_class(parts.code)
    letter = tf.cumsum(tf.cast((classes == 0) | is_first(parts.row), tf.int64))
    keys = letter * 256 + tf.cast(classes, tf.int64)
    return parts.gathered(tf.argsort(keys, stable=True))


def _joined(parts: Characters) -> Characters:
    """Each letter joined with one more character, where it can be."""
    index = tf.range(tf.size(parts.code))
    classes = combining_class(parts.code)
    is_letter = classes == 0
    letters = tf.concat([[-1], tf.cast(tf.where(is_letter)[:, 0], tf.int32)], 0)
    # The letter before each character, -1 for none.
    letter = tf.gather(letters, tf.cumsum(tf.cast(is_letter, tf.int32), exclusive=True))
    safe = tf.maximum(letter, 0)
    # A mark is cut off from its letter by another of its class, and a letter by anything.
    near = (letter == index - 1) | (previous(classes, parts.row) < classes)
    same_text = (letter >= 0) & (tf.gather(parts.row, safe) == parts.row)
    whole = _pair(tf.gather(parts.code, safe), parts.code)
    can = same_text & near & (whole > 0)
    # Of several, the first; and none whose letter is itself joined with the one before.
    count = tf.cumsum(tf.cast(can, tf.int32), exclusive=True)
    joins = can & (count == tf.gather(count, safe)) & ~tf.gather(can, safe)
    ones, into = tf.boolean_mask(index, joins), tf.boolean_mask(letter, joins)[:, None]
    merged = parts._replace(
        code=tf.tensor_scatter_nd_update(parts.code, into, tf.gather(whole, ones)),
        start=tf.tensor_scatter_nd_min(parts.start, into, tf.gather(parts.start, ones)),
        end=tf.tensor_scatter_nd_max(parts.end, into, tf.gather(parts.end, ones)),
    )
    return merged.kept(~joins)


def _pair(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """What two characters are as one, 0 for nothing."""
    number = {code: index for index, code in enumerate(sorted({b for _, b in tables.pairs()}), 1)}
    width = len(number) + 1
    keys = {a * width + number[b]: whole for (a, b), whole in tables.pairs().items()}
    seconds = look_up(number, second)
    found = tf.where(seconds > 0, look_up(keys, first * width + seconds), 0)

    initial, vowel = first - tables.FIRST_CONSONANTS, second - tables.VOWELS
    open_syllable = tables.SYLLABLES + (initial * tables.VOWEL_COUNT + vowel) * tables.LAST_COUNT
    is_open = _within(initial, 0, tables.FIRST_COUNT) & _within(vowel, 0, tables.VOWEL_COUNT)

    syllable, final = first - tables.SYLLABLES, second - tables.LAST_CONSONANTS
    is_closed = (
        _within(syllable, 0, tables.SYLLABLE_COUNT)
        & (syllable % tables.LAST_COUNT == 0)
        & _within(final, 1, tables.LAST_COUNT)
    )
    return tf.where(is_open, open_syllable, tf.where(is_closed, first + final, found))


def _within(values: tf.Tensor, low: int, high: int) -> tf.Tensor:
    return (values >= low) & (values < high)
