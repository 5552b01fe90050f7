"""Rows of files: what is read, what is bad and why, and that nothing else is lost."""

import gzip
import io
import itertools

import pytest

from zoo.rows import BadRow, Row, blocks, ending, read


def rows(content, path, **options):
    return list(read(io.BytesIO(content), path, **options))


def texts(content, path, **options):
    return [row.text for row in rows(content, path, **options)]


def reasons(content, path, **options):
    found = rows(content, path, **options)
    return [(row.row, row.reason) for row in found if isinstance(row, BadRow)]


def test_a_line_is_a_text():
    content = "\ufeffone\r\n\ntwo\u2028three\nlast".encode()
    assert texts(content, "a.txt") == ["one", "", "two\u2028three", "last"]
    assert rows(b"so", "a.txt", column="body") == [Row("so", {"body": "so"})]


def test_objects_keep_what_comes_with_them():
    content = b'{"id": 1, "body": "so"}\n\n{"body": "and so", "tags": [1]}\n'
    found = rows(content, "a.ndjson", column="body")
    assert [row.text for row in found] == ["so", "and so"]
    assert [row.fields for row in found] == [
        {"id": 1, "body": "so"},
        {"body": "and so", "tags": [1]},
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"so", "expected an object of JSON, found: Expecting value"),
        (b"[1]", "expected an object of JSON, found: [1]"),
        (b'{"id": 1}', "expected 'text', found id"),
        (b"{}", "expected 'text', found none"),
        (b'{"text": null}', "expected a text in 'text', found null"),
        (b'{"text": ["a"]}', "expected a text in 'text', found [\"a\"]"),
        (b'{"text": "a", "text": "b"}', "expected an object of JSON, found: the key 'text' twice"),
        (b'{"text": "\xff"}', "expected UTF-8"),
        (b'{"text": "a", "more": "\\ud800"}', "expected UTF-8"),
        (b'{"text": "a longer one"}', "expected at most 10 characters, found 12"),
        (b"[" * 100_000, "expected an object of JSON, found: "),
    ],
)
def test_a_bad_object_says_why_and_ends_nothing(line, reason):
    before, bad, after = rows(
        b'{"text": "a"}\n' + line + b'\n{"text": "b"}', "a.jsonl", max_characters=10
    )
    assert (before.text, after.text) == ("a", "b")
    assert (bad.file, bad.row) == ("a.jsonl", 2)
    assert bad.reason.startswith(reason)


def test_tables():
    content = b'\xef\xbb\xbfid,text\r\n1,"a ""b"",\r\nc"\r\n\r\n2\r\n3,\xfe\r\n4,d\r\n5,"open\r\n'
    found = rows(content, "a.csv")
    assert [row.fields for row in found if isinstance(row, Row)] == [
        {"id": "1", "text": 'a "b",\nc'},
        {"id": "4", "text": "d"},
    ]
    assert reasons(content, "a.csv") == [
        (5, "expected 2 cells, found 1"),
        (6, "expected UTF-8 of whole characters"),
        (8, "expected a row of a table, found: unexpected end of data"),
    ]
    assert texts(b"text\tid\na,b\t1\n", "a.tsv") == ["a,b"]
    assert texts(b"", "a.csv") == []


@pytest.mark.parametrize("header", [b"id,body", b"text,text", b"\xff,id", b'"text'])
def test_a_table_without_the_column_is_one_bad_row(header):
    ((number, _),) = reasons(header + b"\n1,a\n2,b\n", "a.csv")
    assert number == 1


def test_parquet():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a", None, "b"], "id": [1, 2, 3]}), file)
    content = file.getvalue()
    assert rows(content, "a.parquet")[::2] == [
        Row("a", {"text": "a", "id": 1}),
        Row("b", {"text": "b", "id": 3}),
    ]
    assert reasons(content, "a.parquet") == [(2, "expected a text in 'text', found null")]
    assert reasons(content, "a.parquet", column="body") == [
        (1, "expected a column 'body', found text, id")
    ]
    ((_, reason),) = reasons(b"no table", "a.parquet")
    assert reason.startswith("expected a Parquet file, found: ")


def test_parquet_with_bytes_that_are_no_text():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stored = pyarrow.array([b"a", b"\xff", b"b"]).view("string")
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": stored}), file)
    first, bad, last = rows(file.getvalue(), "a.parquet")
    assert (first.text, last.text) == ("a", "b")
    assert bad == BadRow("a.parquet", 2, "expected UTF-8 of whole characters")


def test_packed_files_are_known_by_the_ending_before():
    assert [ending(path) for path in ("a.TXT", "b.c/a.csv.gz")] == [".txt", ".csv"]
    assert texts(gzip.compress(b"text\na\n"), "a.csv.GZ") == ["a"]
    for path in ("a.json", "a", "a.gz", "a.txt.zip"):
        with pytest.raises(ValueError, match=r"expected files that end in \.txt, "):
            ending(path)


def test_a_packed_file_that_breaks_off_says_so():
    lines = [f"{number:0200d} {number * number}\n" for number in range(10_000)]
    content = gzip.compress("".join(lines).encode())
    *whole, bad = rows(content[:-2000], "a.txt.gz")
    assert 0 < len(whole) < 10_000
    assert bad.row == len(whole) + 1
    assert bad.reason.startswith("expected a whole gzip file, found: ")
    assert reasons(b"no gzip", "a.txt.gz")[0][0] == 1


def test_rows_are_read_as_they_are_asked_for():
    class Endless(io.BytesIO):
        def readline(self, size=-1):
            return b"so\n"

    found = itertools.islice(read(Endless(), "a.txt"), 3)
    assert [row.text for row in found] == ["so"] * 3


def test_blocks_are_bounded_by_rows_and_by_characters():
    content = "\n".join(["a", "b", "c", "d" * 90, "e"]).encode() + b"\n\xff\nf"
    found = list(blocks(read(io.BytesIO(content), "a.txt"), most=3, characters=50))
    bad = [block for block in found if isinstance(block, BadRow)]
    assert [row.row for row in bad] == [6]
    kept = [[row.text[0] for row in block] for block in found if isinstance(block, list)]
    assert kept == [["a", "b", "c"], ["d"], ["e", "f"]]
