"""Vocabularies: every word has the line that its id says."""

from collections import Counter

import tensorflow as tf

from tasks.framework.configuration import WordReaderData
from tasks.framework.vocabularies import make_vocabulary
from zoo import text


def lines_and_ids(counts, folder):
    folder.mkdir()
    vocabulary, _ = make_vocabulary(counts, WordReaderData(), str(folder), 0)
    lines = (folder / "vocabulary.txt").read_bytes().decode().split("\n")[:-1]
    assert vocabulary.size == 1 + len(lines)
    return lines, vocabulary(tf.constant(lines)).numpy().tolist()


def test_words_that_a_line_cannot_hold_shift_no_other(tmp_path):
    odd = ["a\rb", "a\nb", "\r", "\n", "a\u2028b", "a\x85b", "\u2029", "a\x0bb", "a\x1cb", "a\0b"]
    lines, ids = lines_and_ids(text.count_words([*odd * 3, *["ab", "z"] * 2]), tmp_path / "1")
    assert {"ab", "z"} < set(lines)
    assert ids == [text.UNKNOWN, *range(2, 1 + len(lines))]
    # Whatever becomes of such words before they are counted.
    counts = Counter({"a\rb": 9, "a\nb": 8, "a\0b": 7, "ab": 6, "z": 5})
    assert lines_and_ids(counts, tmp_path / "2") == ([text.UNKNOWN_WORD, "ab", "z"], [1, 2, 3])
