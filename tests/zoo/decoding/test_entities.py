"""Entities inside the graph are those of the reference in Python."""

import functools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from zoo.decoding.entities import EntityTags
from zoo.text.tags import entities

SCHEMES = {
    "BIO": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "BIOES": ["O", *(f"{p}-{t}" for p in "BIES" for t in ("X", "Y"))],
    "BILOU": ["O", *(f"{p}-{t}" for p in "BILU" for t in ("X", "Y"))],
    "without_O": ["B-A", "I-A"],
}


@functools.cache
def traced(names):
    """The tags, and one graph for sentences of any length, as a SavedModel has it."""
    tags = EntityTags(list(names))
    specs = [tf.RaggedTensorSpec([None, None], dtype, 1) for dtype in (tf.int32, tf.float32)]
    return tags, tf.function(tags.entities, input_signature=specs, autograph=False)


def found_in_graph(names, rows):
    tags, function = traced(tuple(names))
    ids = tf.ragged.constant(
        [[names.index(t) for t in row] for row in rows], tf.int32, ragged_rank=1
    )
    confidence = ids.with_flat_values(
        1 / (1 + tf.range(tf.size(ids.flat_values), dtype=tf.float32))
    )
    found = function(ids, confidence)
    lists = [part.to_list() for part in found]
    return [
        [
            (tags.types[k], a, b + 1)
            for k, a, b in zip(*(part[i] for part in lists[:3]), strict=True)
        ]
        for i in range(len(rows))
    ], found


@pytest.mark.parametrize("names", SCHEMES.values(), ids=SCHEMES)
@hypothesis.given(data=st.data())
def test_entities_are_those_of_conlleval(names, data):
    rows = data.draw(st.lists(st.lists(st.sampled_from(names), max_size=9), min_size=1, max_size=4))
    found, _ = found_in_graph(names, rows)
    assert found == [entities(row) for row in rows]


def test_an_entity_is_as_certain_as_its_least_certain_word():
    _, found = found_in_graph(SCHEMES["BIO"], [["B-PER", "I-PER", "O", "B-LOC"], [], ["I-LOC"]])
    np.testing.assert_allclose(found.confidence.flat_values, [1 / 2, 1 / 4, 1 / 5])


def test_an_unknown_tag_is_an_error():
    with pytest.raises(ValueError, match="expected an entity tag"):
        EntityTags(["O", "NOUN"])
