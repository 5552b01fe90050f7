"""Drawn words as people write them."""

import pytest
import tensorflow as tf

from zoo.text import tokens


def joined(*words):
    return tokens.join(tf.constant([words]), "words").numpy()[0].decode()


@pytest.mark.parametrize(
    "string",
    [
        "Teddy's dogs' bears can't run, he'd said; they're gonna stay.",
        "We cannot, I'm sure, won't and dont. Gotta go!",
        "It was (as [he] said) 10% off: $5.50, £3 and #1...",
        'He said "yes", and "no" to a well-known and/or 15-year-old e-mail.',
        "At 5 pm, Mr. Hill went to the U.S. and back?!",
        "今天天气很好。明天、再见！",
        "a -- b :) @user #tag http://x.org/a",
        "first line\nsecond (line)\nthird",
        "",
    ],
)
def test_text_comes_back_as_it_was(string):
    split = tokens.tokenize(tf.constant([string]), "words")
    assert tokens.join(split.to_tensor(), "words").numpy()[0].decode() == string


def test_padding_and_the_last_end_of_text_are_nothing():
    rows = tf.constant([["do", "n't", "<EOS>", ""], ["(", "a", ")", "<EOS>"], ["", "", "", ""]])
    assert tokens.join(rows, "words").numpy().tolist() == [b"don't", b"(a)", b""]
    assert tokens.join(tf.zeros([2, 0], tf.string), "words").numpy().tolist() == [b"", b""]


def test_quotes_open_and_close_in_turn():
    assert joined('"', "a", '"', "b", '"', "c", '"') == '"a" b "c"'


def test_hyphens_between_words_alone():
    assert joined("a", "-", "b", "-", "-", ".") == "a-b - -."


@pytest.mark.parametrize(
    "string",
    ["It’s—“so”… e\u0301 \ufeffx", "do n't ( 10 % )", "Zoë\u00a0: ﬁ", "<unk> 's @-@ `` a ''"],
)
def test_characters_and_split_text_are_read_as_they_are(string):
    characters = tokens.tokenize(tf.constant([string]), "characters").to_list()[0][:-1]
    assert [c.decode() for c in characters] == list(string)
    words = tokens.tokenize(tf.constant([string]), "split").to_list()[0][:-1]
    assert [word.decode() for word in words] == string.replace("\u00a0", "\u00a0").split(" ")
