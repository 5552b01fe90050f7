"""What a model reads of tokens."""

import numpy as np
import tensorflow as tf

from zoo import text


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


def test_words_of_a_corpus_are_read_as_tokens_of_raw_text_are(tmp_path):
    corpus = ["n’t", "Beyonce\u0301", "\ufeffword", "e‑mail", "‘"]
    raw = ["n't", "Beyoncé", "word", "e-mail", "'"]
    counts = text.count_words(corpus)
    assert counts == text.count_words(raw)
    words = text.most_common(counts, size=10, minimum=1)
    vocabulary = text.Vocabulary(text.write_lines(str(tmp_path / "words.txt"), words))
    found, expected = (text.features(tf.constant(some), vocabulary) for some in (corpus, raw))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert sorted(expected["words"].numpy()) == [2, 3, 4, 5, 6]


def test_a_vocabulary_is_its_own_where_another_had_the_same_path(tmp_path):
    path = str(tmp_path / "vocabulary.txt")
    first = text.Vocabulary(text.write_lines(path, [text.UNKNOWN_WORD, "cat", "dog"]))
    second = text.Vocabulary(text.write_lines(path, [text.UNKNOWN_WORD, "dog", "cat"]))
    assert [int(v(tf.constant("cat"))) for v in (first, second)] == [2, 3]
    assert str(tmp_path) not in first.table._shared_name
