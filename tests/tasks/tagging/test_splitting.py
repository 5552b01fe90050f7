"""Figures of splitting raw text, by the counts of a few sentences."""

import pytest
import tensorflow as tf

from tasks.tagging import splitting
from zoo.text.tags import Sentence

RAW = [
    splitting.RawSentence(
        "He  don't.", Sentence(("He", "do", "n't", "."), ("PRON", "AUX", "PART", "PUNCT"))
    ),
    splitting.RawSentence("1 000 km", Sentence(("1 000", "km"), ("NUM", "NOUN"))),
]


def test_words_are_found_in_their_text():
    assert splitting.located("He  don't.", RAW[0].sentence.tokens) == [
        (0, 2), (4, 6), (6, 9), (9, 10),
    ]  # fmt: skip
    assert splitting.located("1 000 km", ["1 000", "km"]) == [(0, 5), (6, 8)]
    assert splitting.located(" \u3000", []) == []


@pytest.mark.parametrize("words", [["a"], ["a", "c"], ["a", "b", "c"], ["ab", ""]])
def test_words_of_another_text_are_an_error(words):
    with pytest.raises(ValueError, match="expected the words of 'a b'"):
        splitting.located("a b", words)


def test_splitting_is_counted_by_words():
    found = splitting.of_splitting(RAW)  # our "1" and "000" are one word there
    assert found == splitting.Agreement(gold=6, found=7, right=5)
    assert (found.precision, found.recall) == (5 / 7, 5 / 6)
    assert found.f1 == pytest.approx(10 / 13)


def test_a_splitting_of_another_kind():
    def at_blanks(texts):
        words = tf.strings.split(texts)
        ends = tf.ragged.map_flat_values(tf.strings.length, words)
        return words, tf.zeros_like(ends), ends

    assert splitting.of_splitting(RAW[1:], at_blanks) == splitting.Agreement(2, 3, 0)


def test_a_tag_is_right_where_its_word_is():
    spans = [[(0, 2), (4, 6), (6, 10)], [(0, 5), (6, 8)]]
    tags = [["PRON", "VERB", "PART"], ["NUM", "NOUN"]]
    assert splitting.of_tags(RAW, spans, tags) == splitting.Agreement(6, 5, 3)


def test_no_words_are_no_agreement():
    nothing = splitting.agreement([], [])
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
