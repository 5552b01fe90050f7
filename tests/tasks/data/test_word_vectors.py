"""Word vectors of others: what their files hold, and what is refused."""

import gzip
import tracemalloc

import numpy as np
import pytest

from tasks.data.errors import UserError
from tasks.data.word_vectors import read_vectors

UNKNOWN = "<UNK>"


@pytest.fixture
def vectors(tmp_path):
    """Words and vectors of a file with some content."""

    def read(content, words=(UNKNOWN,), size=100):
        path = tmp_path / "vectors.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_vectors(str(path), list(words), size, seed=0)

    return read


@pytest.mark.parametrize(
    "content",
    [
        "the 1 2\nCat 3 4\n",
        "the 1 2\nCat 3 4",
        "2 2\nthe 1 2 \nCat 3 4 \n",  # word2vec and fastText
        "the 1 2\r\nCat 3 4\r\n",
        "the\t1\t2\nCat\t3\t4\n",
        "\ufeffthe 1 2\nCat 3 4\n",
        "the 1 2\n\nCat 3.0 4e0\n\n",
        "the 1 2\nCat 3 4\nCat 5 6\ncat 7 8\n",  # the first one counts
    ],
)
def test_files_of_vectors(vectors, content):
    words, table = vectors(content)
    assert words == [UNKNOWN, "the", "cat"]
    assert table.shape == (4, 2)
    np.testing.assert_array_equal(table[2:], [[1, 2], [3, 4]])


def test_words_of_a_file_follow_those_of_the_vocabulary(vectors):
    words, table = vectors("a 1 2\nb 3 4\nc 5 6\n", [UNKNOWN, "c", "z"], size=4)
    assert words == [UNKNOWN, "c", "z", "a"]
    np.testing.assert_array_equal(table[[2, 4]], [[5, 6], [1, 2]])


def test_words_of_a_file_are_written_as_tokens_are(vectors):
    """fastText has typographic apostrophes, and letters whose accents are characters."""
    known = [UNKNOWN, "n't", "caf\u00e9"]
    words, table = vectors("n\u2019t 1 2\ncafe\u0301 3 4\n\u2014 5 6\nn't 7 8\n", known)
    assert words == [*known, "--"]
    np.testing.assert_array_equal(table[2:], [[1, 2], [3, 4], [5, 6]])


def test_of_a_large_file_no_more_is_held_than_what_is_kept(vectors, tmp_path):
    """20,000 words of 300 numbers are 24 MB as float32; two of them are kept."""
    letters = str.maketrans("0123456789", "abcdefghij")  # digits are all one digit in tokens
    rows = [str(number).translate(letters) + " 1" * 300 for number in range(20_000)]
    vectors("\n".join(rows[:9]))  # TensorFlow's first operations
    (tmp_path / "large.txt").write_text("\n".join(rows))
    tracemalloc.start()
    try:
        words, table = read_vectors(str(tmp_path / "large.txt"), [UNKNOWN, "bjjjj"], 3, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert words == [UNKNOWN, "bjjjj", "a"]
    np.testing.assert_array_equal(table[2:], np.ones([2, 300]))
    assert peak < 12e6


def test_words_with_blanks_and_words_that_no_line_can_hold_are_passed_over(vectors):
    content = "the 1 2\n. . . 3 4\nat name@domain.com 5 6\nca\rt 7 8\n\u2028 9 9\n\xa0 1 1\n"
    words, _ = vectors(content + "\u200b 2 2\ncat 3 4\n")
    assert words == [UNKNOWN, "the", "cat"]
    # The first line tells nothing of the width where its word has a blank.
    words, table = vectors("to name@domain.com 5 6\nthe 1 2\ncat 3 4\n")
    assert words == [UNKNOWN, "the", "cat"]
    np.testing.assert_array_equal(table[2:], [[1, 2], [3, 4]])


def test_words_that_are_no_utf8_are_no_reason_to_stop(vectors):
    words, _ = vectors(b"the 1 2\ncaf\xe9 3 4\n")
    assert words == [UNKNOWN, "the", "caf\ufffd"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2 3\nb 1 x 3\n", ":2: expected a word and 3 numbers, found 'b 1 x 3'"),
        ("a 1 2 3\nb 1 2\n", ":2: expected a word and 3 numbers, found 'b 1 2'"),
        ("a 1 2 3\nb 1 2 3 4\n", ":2: expected a word and 3 numbers, found 'b 1 2 3 4'"),
        ("a 1 2\nb nan 2\n", ":2: expected a word and 2 numbers, found 'b nan 2'"),
        ("a 1 2\nb inf 2\n", ":2: expected a word and 2 numbers, found 'b inf 2'"),
        ("2 2\na 1 2\nb 1\n", ":3: expected a word and 2 numbers, found 'b 1'"),
        ("", ": expected a word and its numbers a line, found none"),
        ("word\n", ":1: expected a word and 1 numbers, found 'word'"),
        (
            gzip.compress(b"a 1 2\n", mtime=0),
            ": expected a text file in UTF-8, found a gzip file; unpack it",
        ),
        ("a 1 2\n".encode("utf-16"), ": expected a text file in UTF-8, found UTF-16"),
    ],
)
def test_a_malformed_file_says_where_and_what(vectors, tmp_path, content, message):
    with pytest.raises(UserError) as error:
        vectors(content)
    assert str(error.value).startswith(f"{tmp_path / 'vectors.txt'}{message}")
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match=f"--embeddings_file: {path}: "):
            read_vectors(str(path), [UNKNOWN], 10, 0)
