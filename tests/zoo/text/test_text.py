"""Tokens and what a model reads of them."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from zoo import text


def tokens(string):
    return [token.decode() for token in text.tokenize(tf.constant([string])).to_list()[0]]


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("He said, Teddy's well-known.", ["He", "said", ",", "Teddy's", "well-known", "."]),
        ('(3.5%) -- "no"...', ["(", "3.5", "%", ")", "--", '"', "no", '"', "..."]),
        ("", []),
        (" \t\n\u00a0\u3000", []),
        ("a\0b", ["a", "b"]),
        ("שלום, עולם!", ["שלום", ",", "עולם", "!"]),
        ("e\u0301te\u0301 👍", ["e\u0301te\u0301", "👍"]),
    ],
)
def test_text_splits_at_white_space_and_punctuation(string, expected):
    assert tokens(string) == expected


def test_bytes_that_are_not_utf8_become_replacement_characters():
    (found,) = text.tokenize(tf.constant([b"\xff ok"])).to_list()
    assert found == ["\ufffd".encode(), b"ok"]


@given(st.text(max_size=40))
def test_no_letter_is_lost_and_no_token_is_empty(string):
    found = tokens(string)
    assert all(found)
    letters = [c for c in string if c.isalpha()]
    assert [c for c in "".join(found) if c.isalpha()] == letters


def test_shapes_tell_words_apart():
    words = ["word", "Word", "A", "NATO", "McDonald", "(", "1984", "3.5", "B2", "iPhone", "a-b"]
    shapes = text.word_shapes(tf.constant(words)).numpy()
    assert shapes.tolist() == list(range(1, 12))


def test_long_words_keep_both_ends():
    word = "begin" + "x" * 30 + "ending"
    (found,) = text.word_bytes(tf.constant([word])).numpy()
    assert bytes(found).decode() == word[:10] + word[-10:]


def test_short_words_are_padded_with_zeros():
    (found,) = text.word_bytes(tf.constant(["ab"])).numpy()
    np.testing.assert_array_equal(found, [97, 98] + [0] * (text.WORD_BYTES - 2))


def test_a_vocabulary_knows_normalized_words_and_no_others(tmp_path):
    counts = text.count_words(["Cat", "cat", "in", "1984", "1066", "rare"])
    words = text.most_common(counts, size=10, minimum=2)
    assert words == ["<UNK>", "0000", "cat"]
    vocabulary = text.Vocabulary(text.write_lines(str(tmp_path / "words.txt"), words))
    assert vocabulary(tf.constant(["CAT", "2001", "dog", ""])).numpy().tolist() == [3, 2, 1, 1]
    assert vocabulary.size == 4


def test_a_vocabulary_is_its_own_where_another_had_the_same_path(tmp_path):
    path = str(tmp_path / "vocabulary.txt")
    first = text.Vocabulary(text.write_lines(path, [text.UNKNOWN_WORD, "cat", "dog"]))
    second = text.Vocabulary(text.write_lines(path, [text.UNKNOWN_WORD, "dog", "cat"]))
    assert [int(v(tf.constant("cat"))) for v in (first, second)] == [2, 3]
    assert str(tmp_path) not in first.table._shared_name
