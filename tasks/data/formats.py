"""What a text file is, told by what it holds and what it is called, together.

Content that is plain wins over a name that says nothing, such as `.txt`; where both speak and say
different things, the file is refused.
"""

from __future__ import annotations

import dataclasses
import enum
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks.data.errors import DataError, why

# Not str.split and str.strip: a no-break space or a line separator may well be a token.
BLANKS = " \t\r\f\v"
_RUN_OF_BLANKS = re.compile(f"[{BLANKS}]+")

_BYTE_ORDER_MARK = "\ufeff"
# What files begin with that are no text in UTF-8.
_OTHER_FILES = {
    b"\x1f\x8b": "a gzip file; unpack it",
    b"PK\x03\x04": "a zip archive, as .xlsx and .docx are; unpack it, or save a sheet as .csv",
    b"\xd0\xcf\x11\xe0": "a file of an old Office program; save it as .csv or .txt",
    b"BZh91AY": "a bzip2 file; unpack it",
    b"\xfd7zXZ": "an xz file; unpack it",
    b"\x28\xb5\x2f\xfd": "a zstd file; unpack it",
    b"%PDF-": "a PDF file",
    b"{\\rtf": "an RTF file; save it as plain text",
    b"\xff\xfe": "UTF-16 or UTF-32; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"\0\0\xfe\xff": "UTF-32; save it as UTF-8",
}
_GZIP = ".gz"
_MARKUP = re.compile(r"\s*<(!doctype\b|html\b|\?xml\b)", re.IGNORECASE)

# So many lines are looked at to tell what a file is.
_LINES_TO_TELL = 1000
_ENTITY_TAG = re.compile(r"O|[BIESLU]-\S+")
_WORD_ID = re.compile(r"\d+([-.]\d+)?")

CONLLU_COLUMNS = 10
DOCUMENT_START = "-DOCSTART-"


class Kind(enum.Enum):
    """What a file may be; the values are for messages."""

    TABLE = "a table"
    JSON = "JSON lines"
    CONLLU = "CoNLL-U"
    COLUMNS = "columns"
    TEXT = "plain text"


_BY_ENDING = {
    ".csv": Kind.TABLE,
    ".tsv": Kind.TABLE,
    ".tab": Kind.TABLE,
    ".jsonl": Kind.JSON,
    ".ndjson": Kind.JSON,
    ".json": Kind.JSON,
    ".conllu": Kind.CONLLU,
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio", ".bioes"), Kind.COLUMNS),
}
# Name and content that go together, and what they make.
_TOGETHER = {
    (Kind.COLUMNS, Kind.CONLLU): Kind.CONLLU,
    (Kind.CONLLU, Kind.COLUMNS): Kind.CONLLU,
    (Kind.TABLE, Kind.CONLLU): Kind.CONLLU,
    (Kind.TABLE, Kind.COLUMNS): Kind.TABLE,
}


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A text file in UTF-8.

    Attributes:
        path: of the file.
        lines: without their line ends, which are those of Unix, Windows or the old Macintosh, and
            without byte-order marks. A token or a text may hold what Unicode also counts as a line
            break.
    """

    path: str
    lines: list[str]

    @property
    def ending(self) -> str:
        """Of the path, in lower case, such as ".csv"; "" where there is none."""
        return Path(self.path.removesuffix(_GZIP)).suffix.lower()

    def place(self, number: int) -> str:
        """File and line, for messages; lines count from 1."""
        return f"{self.path}:{number}"

    def first(self) -> tuple[int, str]:
        """Number and text of the first line that is not blank; (1, "") where there is none."""
        numbered = enumerate(self.lines, start=1)
        return next(((n, line) for n, line in numbered if line.strip()), (1, ""))


def read(path: str | os.PathLike) -> TextFile:
    """Reads a text file; one that ends in `.gz` is unpacked.

    Raises:
        DataError: it cannot be read, or is no text in UTF-8; the message says what it is instead.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path can hold a NUL
        raise DataError(f"{path}: expected a readable file, found: {why(error)}") from None
    if os.fspath(path).endswith(_GZIP):
        content = _unpacked(content, path)
    check_beginning(content, path)
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    lines = [
        decoded(line, f"{path}:{number}")
        for number, line in enumerate(content.split(b"\n"), start=1)
    ]
    return TextFile(str(path), lines if lines[-1] else lines[:-1])


def _unpacked(content: bytes, path: str | os.PathLike) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, found: {error}") from None


def check_beginning(content: bytes, path: str | os.PathLike) -> None:
    """Raises DataError where a file begins as one that is no text."""
    for beginning, found in _OTHER_FILES.items():
        if content.startswith(beginning):
            raise DataError(f"{path}: expected a text file in UTF-8, found {found}")


def decoded(line: bytes, place: str) -> str:
    """A line of text, without its end and a byte-order mark.

    Raises:
        DataError: it is none in UTF-8, or holds a NUL, as binary files and UTF-16 do.
    """
    if b"\0" in line:
        raise DataError(f"{place}: expected UTF-8, found byte 0x00: a binary file, or UTF-16")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise DataError(
            f"{place}: expected UTF-8, found byte 0x{byte:02x}; save it as UTF-8"
        ) from None
    return text.removesuffix("\r").removeprefix(_BYTE_ORDER_MARK)


def recognise(file: TextFile) -> Kind:
    """What a text file is.

    Raises:
        DataError: it is markup, or its name and its content contradict each other.
    """
    if _MARKUP.match(file.first()[1]):
        raise DataError(
            f"{file.path}: expected text or data, found a file of HTML or XML; save its text alone"
        )
    by_name, by_content = _BY_ENDING.get(file.ending), _by_content(file)
    if by_name is None or by_content is None or by_name is by_content:
        return by_content or by_name or Kind.TEXT
    if (by_name, by_content) in _TOGETHER:
        return _TOGETHER[by_name, by_content]
    endings = [ending for ending, kind in _BY_ENDING.items() if kind is by_content]
    raise DataError(
        f"{file.path}: expected {by_name.value}, as the name says, found {by_content.value}; "
        f"give it a name that ends in {' or '.join(endings[:3])}"
    )


def says_nothing(file: TextFile) -> bool:
    """Whether the name of a file leaves open what it is."""
    return file.ending not in _BY_ENDING


def cells(line: str) -> list[str]:
    """The cells of a line of columns: between TABs where there is one, else between blanks."""
    if "\t" in line:
        return [cell.strip(BLANKS) for cell in line.split("\t")]
    return _RUN_OF_BLANKS.split(line.strip(BLANKS))


def are_running_numbers(values: Sequence[str]) -> bool:
    """Whether values count from 0 or 1 up."""
    return values[:1] in (["0"], ["1"]) and all(
        value == str(number) for number, value in enumerate(values, start=int(values[0]))
    )


def are_entity_tags(values: Iterable[str]) -> bool:
    """Whether values are tags of entities, and not all of them O."""
    values = set(values)
    return values != {"O"} and all(map(_ENTITY_TAG.fullmatch, values))


def _by_content(file: TextFile) -> Kind | None:
    """What a file is by its content; None where that leaves it open."""
    if _is_json_object(file.first()[1]):
        return Kind.JSON
    rows = [cells(line) for line in _data_lines(file)]
    with_tabs = [row for row, line in zip(rows, _data_lines(file), strict=True) if "\t" in line]
    ids = [row[0] for row in with_tabs if len(row) == CONLLU_COLUMNS]
    if rows and 2 * len(ids) > len(rows) and all(map(_WORD_ID.fullmatch, ids)):
        return Kind.CONLLU
    if len(rows) < 2 or len(rows[0]) < 2 or {len(row) for row in rows} != {len(rows[0])}:
        return None
    return Kind.COLUMNS if len(with_tabs) == len(rows) or _last_are_tags(rows) else None


def _data_lines(file: TextFile) -> Iterator[str]:
    for line in file.lines[:_LINES_TO_TELL]:
        if line.strip(BLANKS) and not line.startswith(("# ", "#\t", DOCUMENT_START)):
            yield line


def _last_are_tags(rows: list[list[str]]) -> bool:
    return are_entity_tags(row[-1] for row in rows)


def _is_json_object(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
