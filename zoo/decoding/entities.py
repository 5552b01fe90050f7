"""From the tags of words to entities, inside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from zoo.text.characters import rows_of
from zoo.text.tags import OUTSIDE, split_tag


class Entities(NamedTuple):
    """Entities of a batch of texts.

    Attributes:
        type: index into `EntityTags.types`, ragged int32 `[batch, (entities)]`.
        first, last: the words where each begins and ends, both within it, counted in its text.
        confidence: of the least certain of its words.
    """

    type: tf.RaggedTensor
    first: tf.RaggedTensor
    last: tf.RaggedTensor
    confidence: tf.RaggedTensor


class EntityTags:
    """What a set of tags says of entities: which begin, which go on, of which type.

    Args:
        names: of the tags, in a scheme of `zoo.text.tags`.

    Attributes:
        types: the types of entities, in order.

    Raises:
        ValueError: a tag fits no scheme.

    Example:
        >>> tags = EntityTags(["O", "B-PER", "I-PER"])
        >>> ids = tf.ragged.constant([[1, 2, 0]], dtype=tf.int32)
        >>> found = tags.entities(ids, tf.ragged.constant([[0.9, 0.8, 1.0]]))
        >>> found.first.to_list(), found.last.to_list()
        ([[0]], [[1]])
    """

    def __init__(self, names: Sequence[str]):
        parts = [split_tag(name) for name in names]
        self.types = sorted({kind for prefix, kind in parts if prefix != OUTSIDE})
        self._type = [self.types.index(k) if p != OUTSIDE else -1 for p, k in parts]
        self._goes_on = [prefix in ("I", "E") for prefix, _ in parts]
        self._stays_open = [prefix in ("B", "I") for prefix, _ in parts]

    def entities(self, tags: tf.RaggedTensor, confidence: tf.RaggedTensor) -> Entities:
        """The entities that tags mark, read leniently as `zoo.text.tags.entities` reads them.

        Args:
            tags: ids, ragged int32 `[batch, (words)]`.
            confidence: of each, ragged float `[batch, (words)]`.
        """
        flat, rows = tags.flat_values, rows_of(tags)
        kind = tf.gather(self._type, flat)
        open_kind = tf.where(tf.gather(self._stays_open, flat), kind, -1)
        # What may be gone on with stands one word before, in the same text.
        before = tf.concat([[-1], open_kind], axis=0)[:-1]
        same_text = tf.concat([[-1], rows], axis=0)[:-1] == rows
        before = tf.where(same_text, before, -1)
        inside = kind >= 0
        begins = inside & ~(tf.gather(self._goes_on, flat) & (before == kind))
        number = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        count = tf.reduce_sum(tf.cast(begins, tf.int32))
        words = tags.with_flat_values(tf.ragged.range(tags.row_lengths()).flat_values)
        position = tf.cast(words.flat_values, tf.int32)
        of_entities = [tf.boolean_mask(x, inside) for x in (number, position)]
        last = tf.math.unsorted_segment_max(of_entities[1], of_entities[0], count)
        least = tf.math.unsorted_segment_min(
            tf.boolean_mask(confidence.flat_values, inside), of_entities[0], count
        )
        row = tf.cast(tf.boolean_mask(rows, begins), tf.int64)

        def ragged(values: tf.Tensor) -> tf.RaggedTensor:
            return tf.RaggedTensor.from_value_rowids(values, row, tags.nrows())

        first = tf.boolean_mask(position, begins)
        return Entities(
            ragged(tf.boolean_mask(kind, begins)), ragged(first), ragged(last), ragged(least)
        )
