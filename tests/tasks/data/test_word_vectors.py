"""Word vectors of others: what their files hold, and what is refused."""

import gzip
import tracemalloc

import numpy as np
import pytest

from tasks.data.errors import UserError
from tasks.data.word_vectors import read_vectors

UNKNOWN = "<UNK>"


def binary(entries, end=b"\n", width=None):
    """A file as word2vec writes it in binary form."""
    width = width or len(next(iter(entries.values())))
    rows = (f"{w} ".encode() + np.array(v, "<f4").tobytes() + end for w, v in entries.items())
    return f"{len(entries)} {width}\n".encode() + b"".join(rows)


@pytest.fixture
def vectors(tmp_path):
    """Words and vectors of a file with some content."""

    def read(content, words=(UNKNOWN,), more=100):
        path = tmp_path / "vectors.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = read_vectors(str(path), list(words), more, seed=0)
        return found.words, found.table

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
        "the 1 2\nCat 3 4\nCat 5 6\nCAT 7 8\n",  # the first one counts
        "the 1 2\nCat 5 6\ncat 3 4\ncat 7 8\n",  # or the first that is written so
        binary({"the": [1, 2], "Cat": [3, 4]}),
        binary({"the": [1, 2], "Cat": [3, 4]}, end=b""),
        gzip.compress(b"the 1 2\nCat 3 4\n"),
        gzip.compress(b"the 1 2\n") + gzip.compress(b"Cat 3 4\n"),
        gzip.compress(binary({"the": [1, 2], "Cat": [3, 4]})),
    ],
    ids=range(14),
)
def test_files_of_vectors(vectors, content):
    words, table = vectors(content)
    assert words == [UNKNOWN, "the", "cat"]
    assert table.shape == (4, 2)
    np.testing.assert_array_equal(table[2:], [[1, 2], [3, 4]])


def test_words_of_a_file_follow_those_of_the_vocabulary(vectors):
    words, table = vectors("a 1 2\nb 3 4\nc 5 6\n", [UNKNOWN, "c", "z"], more=1)
    assert words == [UNKNOWN, "c", "z", "a"]
    np.testing.assert_array_equal(table[[2, 4]], [[5, 6], [1, 2]])


def test_words_of_a_file_are_written_as_tokens_are(vectors):
    """fastText has typographic apostrophes, and letters whose accents are characters."""
    known = [UNKNOWN, "n't", "caf\u00e9"]
    words, table = vectors("n\u2019t 7 8\ncafe\u0301 3 4\n\u2014 5 6\nn't 1 2\n", known)
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
        found = read_vectors(str(tmp_path / "large.txt"), [UNKNOWN, "bjjjj"], 1, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.words == [UNKNOWN, "bjjjj", "a"]
    np.testing.assert_array_equal(found.table[2:], np.ones([2, 300]))
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
        (
            "3 2\na 1 2\nb 1 2\n",
            ": expected 3 words of 2 numbers, as its first line says, found 2 ",
        ),
        (
            "1 2\na 1 2\nb 1 2\n",
            ": expected 1 words of 2 numbers, as its first line says, found 2 ",
        ),
        ("1 3\na 1 2\n", ": expected 1 words of 3 numbers, as its first line says, found 1 of 2"),
        (
            binary({"a": [1, 2]}) + b"b 123",
            ": expected 1 words, as its first line says, found more",
        ),
        ("", ": expected a word and its numbers a line, found none"),
        ("word\n", ":1: expected a word and 1 numbers, found 'word'"),
        (gzip.compress(b"a 1 2\n" * 99, mtime=0)[:-9], ": expected a whole gzip file, found: "),
        (b"\x1f\x8b", ": expected a whole gzip file, found: "),
        (b"PK\x03\x04...", ": expected a text file in UTF-8, found a zip archive"),
        (
            binary({"a": [1, 2], "b": [3, 4]})[:-2],
            ": expected 2 words of 2 finite numbers in word2vec's binary form, found something "
            "else at word 2",
        ),
        (binary({"a": [1, 2], "b": [3, np.inf]}), ": expected 2 words of 2 finite numbers in "),
        (
            binary({"a": [1, 2]}, width=20_000),
            ": expected 1 to 10,000 numbers a word, found 20,000",
        ),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", ": expected word vectors as text or in word2vec's binary"),
        ("a 1 2\n".encode("utf-16"), ": expected a text file in UTF-8, found UTF-16"),
    ],
)
def test_a_malformed_file_says_where_and_what(vectors, tmp_path, content, message):
    with pytest.raises(UserError) as error:
        vectors(content)
    assert str(error.value).startswith(f"{tmp_path / 'vectors.txt'}{message}")
    assert "\n" not in str(error.value)


def test_how_many_words_have_vectors_is_said(tmp_path):
    (tmp_path / "vectors.txt").write_text("a 1 2\nb 3 4\nc 5 6\n")
    found = read_vectors(str(tmp_path / "vectors.txt"), [UNKNOWN, "c", "z"], 9, seed=0)
    assert (found.found, found.known, found.width) == (1, 3, 2)
    assert str(found) == (
        "1 of 2 words of the training texts have vectors of 2 numbers, and 2 more words"
    )


def test_words_of_binary_files_may_hold_blanks_and_any_byte(vectors):
    words, table = vectors(binary({"the": [1, 2], "caf\u00e9": [3, 4], "\u2028": [9, 9]}))
    assert words == [UNKNOWN, "the", "caf\u00e9"]
    np.testing.assert_array_equal(table[2:], [[1, 2], [3, 4]])


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match=f"--embeddings_file: {path}: "):
            read_vectors(str(path), [UNKNOWN], 10, 0)
