"""Rows of files, one after the other as they are read: what is wrong with one does not end it.

Nothing but the standard library is needed here; for Parquet, pyarrow.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from zoo.inputs import MAX_CHARACTERS

# Behind the ending of the format, of a file that is unpacked.
_PACKED = ".gz"
_NOT_UTF8 = "expected UTF-8 of whole characters"
_BYTE_ORDER_MARK = "\ufeff"
_PARQUET_ROWS = 1024


@dataclass(frozen=True)
class Row:
    """A text, and the columns of its row or the keys of its object; that of the text too."""

    text: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: its file, its line or, of Parquet, its row from 1, and why."""

    file: str
    row: int
    reason: str


# The number of a row and its fields, or what is wrong with it.
_Found = Iterator[tuple[int, dict[str, Any] | str]]


def ending(path: str) -> str:
    """The format of a file by its name, such as ".jsonl".

    Raises:
        ValueError: it is none that is read.

    Example:
        >>> ending("texts/a.CSV.gz")
        '.csv'
    """
    found = os.path.splitext(path.lower().removesuffix(_PACKED))[1]
    if found not in _READERS:
        raise ValueError(
            f"expected files that end in {', '.join(_READERS)}, with {_PACKED} behind or without. "
            f"Received: {path!r}"
        )
    return found


def read(
    file: IO[bytes], path: str, column: str = "text", max_characters: int = MAX_CHARACTERS
) -> Iterator[Row | BadRow]:
    """The rows of a file, read as they are asked for.

    Args:
        file: as it is stored.
        path: by whose ending the format is known, and whether it is packed. A line of `.txt` is a
            text; blank lines of the other formats are none. A packed file that breaks off ends in a
            bad row.
        column: of the text. A table or a Parquet file without it is one bad row.
        max_characters: of a text; a longer one is a bad row.

    Raises:
        ValueError: the ending is no known one.

    Example:
        >>> import io
        >>> for row in read(io.BytesIO(b'{"id": 1, "text": "so"}\\n[]'), "a.jsonl"):
        ...     print(row)
        Row(text='so', fields={'id': 1, 'text': 'so'})
        BadRow(file='a.jsonl', row=2, reason='expected an object of JSON, found: []')
    """
    reader, number = _READERS[ending(path)], 0
    stored: Any = gzip.GzipFile(fileobj=file) if path.lower().endswith(_PACKED) else file
    try:
        for number, fields in reader(stored, column):
            wrong = fields if isinstance(fields, str) else _wrong(fields, column, max_characters)
            if wrong or isinstance(fields, str):
                yield BadRow(path, number, wrong)
            else:
                yield Row(fields[column], fields)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield BadRow(path, number + 1, f"expected a whole gzip file, found: {error}")


def blocks(
    found: Iterable[Row | BadRow], most: int, characters: int
) -> Iterator[list[Row] | BadRow]:
    """Rows in blocks, for what costs as much for a block as for a row; bad rows one by one.

    Args:
        found: rows as they are read.
        most: rows of a block.
        characters: at which a block ends too: of long texts it has fewer rows.

    Example:
        >>> found = [Row(text, {}) for text in ("a", "b", "longer", "c")]
        >>> [[row.text for row in block] for block in blocks(found, most=3, characters=5)]
        [['a', 'b', 'longer'], ['c']]
    """
    block, length = list[Row](), 0
    for row in found:
        if isinstance(row, BadRow):
            yield row
            continue
        block.append(row)
        length += len(row.text)
        if len(block) == most or length >= characters:
            yield block
            block, length = [], 0
    if block:
        yield block


def is_unicode(text: str) -> bool:
    """Whether a text can be written: half of a surrogate pair, as JSON may hold, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def twin(names: Sequence[str]) -> str | None:
    """A name that comes more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `object_pairs_hook`.

    Raises:
        ValueError: it has a key twice.
    """
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError(f"the key {twin([name for name, _ in pairs])!r} twice")
    return row


def _wrong(fields: dict[str, Any], column: str, most: int) -> str:
    """Why a row cannot be used; "" where it can."""
    if column not in fields:
        return f"expected {column!r}, found {', '.join(fields) or 'none'}"
    text = fields[column]
    if not isinstance(text, str):
        shown = json.dumps(text, ensure_ascii=False, default=str)[:60]
        return f"expected a text in {column!r}, found {shown}"
    if len(text) > most:
        return f"expected at most {most:,} characters, found {len(text):,}"
    return ""


def _lines(file: IO[bytes]) -> Iterator[str]:
    """As text, without line ends of Unix or Windows; what is not UTF-8 is halves of surrogates."""
    for number, line in enumerate(iter(file.readline, b"")):
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        yield text if number else text.removeprefix(_BYTE_ORDER_MARK)


def _texts(file: IO[bytes], column: str) -> _Found:
    for number, line in enumerate(_lines(file), start=1):
        yield number, {column: line} if is_unicode(line) else _NOT_UTF8


def _objects(file: IO[bytes], column: str) -> _Found:
    del column
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            yield number, _object(line)


def _object(line: str) -> dict[str, Any] | str:
    if not is_unicode(line):
        return _NOT_UTF8
    try:
        row = _JSON.decode(line)
    except (ValueError, RecursionError) as error:
        return f"expected an object of JSON, found: {error}"
    if not isinstance(row, dict):
        return f"expected an object of JSON, found: {line[:60]}"
    if "\\u" in line and not is_unicode(json.dumps(row, ensure_ascii=False)):
        return _NOT_UTF8
    return row


def _table(file: IO[bytes], column: str, delimiter: str = ",") -> _Found:
    csv.field_size_limit(2**31 - 1)
    lines = (f"{line}\n" for line in _lines(file))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names: list[str] | None = None
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"expected a row of a table, found: {error}"
            if names is None:
                return
            continue
        if not cells:
            continue
        if names is None:
            names = cells
            if column not in names or twin(names) is not None:
                found = ", ".join(names).encode("utf-8", "replace").decode()
                yield number, f"expected columns of different names, with {column!r}, found {found}"
                return
        elif len(cells) != len(names):
            yield number, f"expected {len(names)} cells, found {len(cells)}"
        elif not is_unicode("".join(cells)):
            yield number, _NOT_UTF8
        else:
            yield number, dict(zip(names, cells, strict=True))


def _tab_table(file: IO[bytes], column: str) -> _Found:
    return _table(file, column, delimiter="\t")


def _parquet(file: IO[bytes], column: str) -> _Found:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
    except pyarrow.ArrowInvalid as error:
        yield 1, f"expected a Parquet file, found: {error}"
        return
    names = table.schema_arrow.names
    if column not in names:
        yield 1, f"expected a column {column!r}, found {', '.join(names)}"
        return
    batches = table.iter_batches(batch_size=_PARQUET_ROWS)
    yield from enumerate(itertools.chain.from_iterable(map(_decoded, batches)), start=1)


def _decoded(batch: Any) -> Iterator[dict[str, Any] | str]:
    """The rows of a batch of Arrow, which holds texts as bytes of whatever kind."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        if len(batch) == 1:
            yield _NOT_UTF8
        else:
            for number in range(len(batch)):
                yield from _decoded(batch.slice(number, 1))


# `json.loads` would make another for each line.
_JSON = json.JSONDecoder(object_pairs_hook=without_twins)
_READERS: dict[str, Callable[[IO[bytes], str], _Found]] = {
    ".txt": _texts,
    ".jsonl": _objects,
    ".ndjson": _objects,
    ".csv": _table,
    ".tsv": _tab_table,
    ".parquet": _parquet,
}
