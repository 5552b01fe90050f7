"""Taggers of names say where in the text a name is."""

import json

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from zoo import predictions, text
from zoo.configuration import TaggerConfig
from zoo.models import Tagger
from zoo.records import found_entities, record
from zoo.saving.in_memory import InMemory
from zoo.saving.tagger import TaggerModule

STRINGS = [tf.TensorSpec([None], tf.string)]
normalize = tf.function(text.normalize_text, input_signature=STRINGS, autograph=False)

NAMES = {"BIO": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], "POS": ["NOUN", "VERB", "PUNCT"]}
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.text("Aé\u0301 .,'’\u00ad\ufeff👩\u200d🍷日本ไทย\n\t", max_size=30),
        st.just("Marie Curie doesn’t live in New York."),
    ),
    min_size=1,
    max_size=4,
)


def make(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("tagger")
    words = text.write_lines(str(folder / "vocabulary.txt"), [text.UNKNOWN_WORD, "a", "in"])
    tags = text.write_lines(str(folder / "tags.txt"), names)
    vocabulary = text.Vocabulary(words)
    small = {"units": 3, "embedding_dim": 3, "character_dim": 3, "cell": "rnn", "jit": False}
    model = Tagger(TaggerConfig(vocabulary_size=vocabulary.size, tags=tuple(names), **small))
    model.build()
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 1, variable.shape))
    return InMemory(TaggerModule(model, vocabulary, tags))


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return make(tmp_path_factory, NAMES["BIO"])


@hypothesis.given(texts=TEXTS)
def test_entities_are_those_that_the_tags_mark_and_lie_where_they_say(tagger, texts):
    texts = [one.encode("utf-8", "replace").decode() for one in texts]
    tagged = predictions.tagged(tagger(texts), texts)
    found = tagger.entities(texts)
    for entities, one in zip(found, tagged, strict=True):
        expected = found_entities(one)
        assert [e.text for e in entities] == [e.text for e in expected]
        assert [(e.label, e.start, e.end) for e in entities] == [
            (e.label, e.start, e.end) for e in expected
        ]
        np.testing.assert_allclose(
            [e.confidence for e in entities], [e.confidence for e in expected], atol=1e-5
        )
    for one, entities in zip(texts, found, strict=True):
        assert all(one[e.start : e.end] == e.text and e.text for e in entities)
    tokens = [token for one in tagged for token in one.tokens]
    there = [
        one.text[start:end] for one in tagged for start, end in zip(one.start, one.end, strict=True)
    ]
    normal = normalize(tf.constant(there, tf.string)).numpy()
    assert [one.decode() for one in normal] == tokens


def test_one_text_gives_a_list_and_several_a_list_of_lists(tagger):
    one = "Anna met Paul in Rome."
    alone, (first, none, last) = tagger.entities(one), tagger.entities([one, "", one])
    assert none == []
    assert [e.text for e in alone] == [e.text for e in first] == [e.text for e in last]
    assert alone
    assert tagger.entities([]) == []


def test_bytes_that_are_no_utf8_count_as_one_character_each(tagger):
    (found,) = tagger.entities([b"\xff\xfe Anna \x80 Paul"])
    whole = b"\xff\xfe Anna \x80 Paul".decode("utf-8", "replace")
    assert all(whole[e.start : e.end] == e.text for e in found)


def test_parts_of_speech_have_no_entities(tmp_path_factory):
    tagger = make(tmp_path_factory, NAMES["POS"])
    assert list(tagger.signatures) == ["serving_default", "tokens", "n_best"]
    with pytest.raises(ValueError, match="Received: 'entities'"):
        tagger.entities("Anna")
    (one,) = predictions.tagged(tagger("Anna sleeps"), "Anna sleeps")
    assert "entities" not in record(one)


def test_json_has_entities_and_offsets_where_there_is_a_text(tagger):
    (one,) = predictions.tagged(tagger("Anna  met Paul."), "Anna  met Paul.")
    values = json.loads(json.dumps(record(one)))
    assert values["start"] == [0, 6, 10, 14]
    assert values["end"] == [4, 9, 14, 15]
    for entity in values["entities"]:
        assert "Anna  met Paul."[entity["start"] : entity["end"]] == entity["text"]
    split = predictions.tagged(
        tagger.ask("tokens", {"tokens": [["Anna", "met", "Paul"]], "lengths": [3]})
    )
    values = record(split[0])
    assert "start" not in values
    assert all("Anna met Paul"[e["start"] : e["end"]] == e["text"] for e in values["entities"])
