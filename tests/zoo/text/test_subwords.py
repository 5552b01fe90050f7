"""Subwords: the graph reads as SentencePiece does, and what is written is what was read."""

import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import given

from tasks.translation import demo
from zoo import text
from zoo.text import subwords, tokens

LINES = [part for pair in demo.corpus()["validation"] for part in pair]
ODD = [
    *("", " ", "\t", "a", "▁", "▁▁ a▁b", "<UNK>", "<EOS> <EOS>", "Der  Hund\tschläft .", "Ünïcödé"),
    *("日本語 テキスト", "😀😀 😀", "chat😀日chat", "don’t “quote”…", "e\u0301te\u0301", "a\0b"),
    *("x" * 100, "1,234.5 $%&", "\u00a0chien\u202f!", "\ufeffchat", "chien\u200bchat"),
]


@pytest.fixture(scope="module")
def model():
    return subwords.train(LINES, 400)


@pytest.fixture(scope="module")
def read(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("subwords") / "subwords.txt"
    pieces = [model.id_to_piece(number) for number in range(model.get_piece_size())]
    return subwords.Subwords(text.write_lines(str(path), pieces))


@pytest.fixture(scope="module")
def ids(read):
    return tf.function(read.ids, input_signature=[tf.TensorSpec([None], tf.string)])


def expected(model, texts):
    """What SentencePiece says, in our numbers: 0 is padding."""
    normal = [one.decode() for one in subwords.normal(tf.constant(texts)).numpy()]
    return [[number + 1 for number in [*one, 1]] for one in model.encode(normal)]


def test_a_corpus_is_read_as_sentencepiece_reads_it(model, ids):
    assert ids(tf.constant(LINES)).to_list() == expected(model, LINES)


def test_odd_texts_are_read_as_sentencepiece_reads_them(model, ids):
    found = ids(tf.constant(ODD)).to_list()
    for one, here, there in zip(ODD, found, expected(model, ODD), strict=True):
        assert here == there, one


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_is_read_as_sentencepiece_reads_it(model, ids, texts):
    assert ids(tf.constant(texts)).to_list() == expected(model, texts)


def test_what_is_written_is_what_was_read(read, ids):
    found = ids(tf.constant(LINES))
    assert int(tf.reduce_max(found.row_lengths())) > int(tf.reduce_min(found.row_lengths()))
    written = read.write(found.to_tensor()).numpy()
    assert [one.decode() for one in written] == LINES


def test_a_row_does_not_depend_on_its_batch(ids):
    alone = [ids(tf.constant([one])).to_list()[0] for one in ODD]
    assert ids(tf.constant(ODD)).to_list() == alone
    assert ids(tf.zeros([0], tf.string)).to_list() == []


def test_a_word_without_end_is_read_in_parts(model, ids):
    word = "chat" * 2500
    (found,) = ids(tf.constant([word])).to_list()
    parts = model.encode(word)
    assert len(parts) <= len(found) <= len(parts) + 2 * 10_000 // subwords.WORD_CHARACTERS


def test_what_no_piece_has_is_one_unknown(ids, read):
    (found,) = ids(tf.constant(["chat 日本 本chat"])).to_list()
    assert found.count(tokens.UNKNOWN) == 2
    assert read.write(tf.constant([found])).numpy()[0].decode() == "chat <UNK> <UNK>chat"


def test_too_few_pieces_are_an_error():
    with pytest.raises(ValueError, match=r"subwords: expected .* Received: 5"):
        subwords.learn(LINES, 5)
    few = subwords.learn(["ab ab", "abc"], 1000)
    assert few[:2] == [text.UNKNOWN_WORD, tokens.END_OF_TEXT] and "▁ab" in few
