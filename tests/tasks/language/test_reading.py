"""Texts for language models: plain files, running text, tables and JSON lines."""

import pytest

from tasks.data.errors import DataError
from tasks.data.unlabelled import read_text_file
from tasks.language.reading import load_corpus


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_a_text_a_line(write):
    assert read_text_file(write("\ufeffone\r\n\r\n two, 2 \r\nthree\u2028four\r\n")) == [
        "one",
        "two, 2",
        "three\u2028four",
    ]
    assert read_text_file(write("one\rtwo\r", "a")) == ["one", "two"]


@pytest.mark.parametrize(
    "content",
    [
        "one\n\n two\t3\nfour \t\n  \n",
        '{"text": "x"}\n',
        "a\tB\nc\tD\n",
        "<html>\n<p>x</p>\n</html>",
        "text,label\nx,y\n",
    ],
)
def test_running_text_is_all_that_is_there(write, content):
    for name in ("a.txt", "a", "a.py", "a.html"):
        assert read_text_file(write(content, name), running=True) == [content.removesuffix("\n")]


@pytest.mark.parametrize("running", [False, True])
def test_a_table_and_json_lines_have_a_column_of_texts(write, running):
    table = 'id,review\n1,"one,\ntwo"\n2,\n3,three\n'
    for content, name in (
        (table, "a.csv"),
        ('{"review": "one,\\ntwo"}\n{"review": ""}\n{"review": "three"}\n', "a.jsonl"),
    ):
        found = read_text_file(write(content, name), running, "review")
        assert found == ["one,\ntwo", "three"]
    corpus = load_corpus(
        "files", {"train": write(table, "a.csv")}, ["train"], running=running, text_column="review"
    )
    assert len(corpus["train"]) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", ": expected text, found none"),
        ("a.txt", " \n\n", ": expected text, found none"),
        ("a.csv", "id\n1\n", ":1: expected a column 'text', found id; --text_column says which"),
        ("a.conll", "a\tO\nb\tO\n", ": expected plain text, .csv, .tsv or .jsonl, found columns"),
        ("a.txt", "hello\tbonjour\nbye\tau revoir\n", ": expected plain text, .csv, .tsv or"),
        ("a.txt", "<!doctype html>\nx\n", ": expected text or data, found a file of HTML or XML"),
        ("a.txt", b"\x1f\x8b\x08", ": expected a text file in UTF-8, found a gzip file"),
        ("a.txt", "one\n".encode("utf-16"), ": expected a text file in UTF-8, found UTF-16"),
        ("a.txt", b"one\n\xe9\n", ":2: expected UTF-8, found byte 0xe9"),
        ("a.txt", b"one\n\0\n", ":2: expected UTF-8, found byte 0x00"),
    ],
)
def test_what_is_no_text_is_refused(write, name, content, message):
    path = write(content, name)
    with pytest.raises(DataError) as error:
        read_text_file(path)
    assert str(error.value).startswith(f"{path}{message}")
    assert "\n" not in str(error.value)
