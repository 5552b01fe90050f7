"""Vocabularies: every word has the line that its id says."""

import tensorflow as tf

from tasks.framework.configuration import DataConfig
from tasks.framework.vocabularies import make_vocabulary
from zoo import text


def test_words_that_a_line_cannot_hold_shift_no_other(tmp_path):
    odd = ["a\rb", "a\nb", "\r", "\n"]
    held = ["a\u2028b", "a\x85b", "\u2029", "a\x0bb", "a\x1cb", "ab", "z"]
    counts = text.count_words([*odd * 3, *held * 2])
    vocabulary, _ = make_vocabulary(counts, DataConfig(), str(tmp_path), None, 0)
    lines = (tmp_path / "vocabulary.txt").read_bytes().decode().split("\n")[:-1]
    assert vocabulary.size == 1 + len(lines)
    assert lines[0] == text.UNKNOWN_WORD
    assert set(lines[1:]) == {word for word in held if word.strip()}
    ids = vocabulary(tf.constant(lines[1:])).numpy()
    assert ids.tolist() == list(range(2, 1 + len(lines)))
    assert set(vocabulary(tf.constant(odd)).numpy()) == {text.UNKNOWN}
