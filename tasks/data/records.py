"""Tables and JSON lines as records: the same reader for training and for prediction."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.data.errors import DataError
from tasks.data.formats import Kind, TextFile, recognise, says_nothing
from zoo.rows import is_unicode, twin, without_twins

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "TABs", "|": "bars"}

# From the flags that say which columns or keys are read to the names of these.
Wanted = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Record:
    """A row of a table, or an object of JSON.

    Attributes:
        fields: cells or values by the names of their columns or keys.
        place: file and line.
    """

    fields: dict[str, Any]
    place: str

    def text(self, column: str) -> str:
        """The text in a column.

        Raises:
            DataError: there is something else.
        """
        value = self.fields[column]
        if not isinstance(value, str):
            shown = json.dumps(value, ensure_ascii=False)[:60]
            raise DataError(f"{self.place}: expected a text in {column!r}, found {shown}")
        return value


def read_records(file: TextFile, wanted: Wanted) -> list[Record] | None:
    """The records of a table or of JSON lines; None where a file is something else.

    A table begins with a line that names its columns. A table whose name says nothing of its
    format is one where this line has all that is wanted, and more than one column.

    Args:
        file: to read.
        wanted: columns or keys that must be there, by the flags that name them.

    Raises:
        DataError: a line is malformed, or lacks what is wanted; the message names the line.
    """
    kind = recognise(file)
    if kind is Kind.JSON:
        return list(_json_records(file, wanted))
    if kind is Kind.TABLE or (says_nothing(file) and _delimiters(file, wanted, at_least=2)):
        return list(_table_records(file, wanted))
    return None


def has_columns(file: TextFile, wanted: Wanted) -> bool:
    """Whether the first line of a file names all columns that are wanted."""
    return bool(_delimiters(file, wanted))


# --- JSON lines ----------------------------------------------------------------------------------


def _json_records(file: TextFile, wanted: Wanted) -> Iterator[Record]:
    number, line = file.first()
    if line.lstrip().startswith("["):
        raise DataError(
            f"{file.place(number)}: expected an object of JSON on each line, found an array; write "
            "its objects one a line, as `jq -c '.[]'` does"
        )
    for number, line in enumerate(file.lines, start=1):
        if not line.strip():
            continue
        place = file.place(number)
        try:
            row = json.loads(line, object_pairs_hook=without_twins)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{place}: expected an object of JSON on each line, found: {error}"
            ) from None
        if not isinstance(row, dict) or not row.keys() >= set(wanted.values()):
            found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise DataError(
                f"{place}: expected an object with {' and '.join(map(repr, wanted.values()))}, "
                f"found {found or 'none'}{_which(wanted)}"
            )
        if "\\u" in line and not is_unicode(json.dumps(row, ensure_ascii=False)):
            raise DataError(f"{place}: expected whole characters, found half of a surrogate pair")
        yield Record(row, place)


def _which(wanted: Wanted) -> str:
    """Which flags say what columns are called; nothing where they have their names for good."""
    flags = [flag for flag, name in wanted.items() if flag != name]
    if not flags:
        return ""
    return f"; {' and '.join(f'--{flag}' for flag in flags)} say{'s' * (len(flags) == 1)} which"


# --- Tables --------------------------------------------------------------------------------------


def _table_records(file: TextFile, wanted: Wanted) -> Iterator[Record]:
    number, first = file.first()
    if not first:
        return
    delimiter = _delimiter(file, wanted)
    names = [name or f"column_{index}" for index, name in enumerate(_split(first, delimiter))]
    repeated = twin(names)
    if repeated is not None:
        raise DataError(
            f"{file.place(number)}: expected columns of different names, found {repeated!r} twice"
        )
    for place, row in _rows(file, number + 1, delimiter, len(names)):
        yield Record(dict(zip(names, row, strict=True)), place)


def _split(line: str, delimiter: str) -> list[str]:
    """The names in the first line of a table."""
    try:
        row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        row = line.split(delimiter)
    return [name.strip() for name in row]


def _delimiters(file: TextFile, wanted: Wanted, at_least: int = 1) -> list[str]:
    """By which characters the first line falls into names with all that is wanted."""
    line = file.first()[1]
    rows = {delimiter: _split(line, delimiter) for delimiter in _DELIMITERS}
    return [d for d, row in rows.items() if {*wanted.values()} <= {*row} and len(row) >= at_least]


def _delimiter(file: TextFile, wanted: Wanted) -> str:
    """What stands between the cells of a table.

    It is what the name of the file says, unless only with another one the columns that are wanted
    are there.
    """
    expected = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(file.ending)
    found = _delimiters(file, wanted)
    if expected in found:
        return expected
    if len(found) == 1:
        if expected is not None:
            print(f"{file.path}: read as a table with {_DELIMITERS[found[0]]}.", file=sys.stderr)
        return found[0]
    number, line = file.first()
    names = max((_split(line, d) for d in (expected or ",", *_DELIMITERS)), key=len)
    missing = [repr(name) for name in wanted.values() if name not in names]
    columns = f"{'columns' if missing[1:] else 'a column'} {' and '.join(missing)}"
    raise DataError(
        f"{file.place(number)}: expected {columns}, found {', '.join(names)}{_which(wanted)}; "
        "a table without names needs a line of them"
    )


def _rows(file: TextFile, start: int, delimiter: str, width: int) -> Iterator[tuple[str, list]]:
    """Place and cells of each row, from a line on."""
    if delimiter == "\t" and not _is_quoted(file, start, width):
        numbered = enumerate(file.lines[start - 1 :], start=start)
        rows = iter([(n, n, line.split("\t")) for n, line in numbered if line])
    else:
        rows = _quoted_rows(file, start, delimiter)
    known: list[set[str]] = [set() for _ in range(width)]  # what cells of single lines hold
    longer: list[tuple[int, int, list[str]]] = []
    for first, last, row in rows:
        if len(row) != width:
            hint = ""
            if last > first:
                hint = f" in the lines up to {last}, which a quote joins"
            elif len(row) > width and delimiter != "\t":
                hint = f"; a cell with {_DELIMITERS[delimiter]} needs quotes"
            raise DataError(
                f"{file.place(first)}: expected {width} columns, found {len(row)}{hint}"
            )
        if last > first:
            longer.append((first, last, row))
        else:
            for values, cell in zip(known, row, strict=True):
                values.add(cell)
        yield file.place(first), row
    for first, last, row in longer:
        _check_swallowed(file, first, last, row, delimiter, known)


_QUOTED_CELL = re.compile(r'(?<![^\t\n])"(?:[^"]|"")*"(?![^\t\n])')


def _is_quoted(file: TextFile, start: int, width: int) -> bool:
    """Whether quotes in a file with TABs enclose cells, as spreadsheets write it, or are text.

    They enclose where all of them may, unless one of the cells would then hold a TAB or a line end
    that also fits as the end of a cell.
    """
    lines = file.lines[start - 1 :]
    text = "\n".join(lines)
    if '"' not in text or '"' in _QUOTED_CELL.sub("", text):
        return False
    fit = all(line.count("\t") == width - 1 for line in lines if line)
    return not fit or not any(re.search(r"[\t\n]", cell) for cell in _QUOTED_CELL.findall(text))


def _quoted_rows(
    file: TextFile, start: int, delimiter: str
) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and cells of each row of a table in which quotes enclose cells."""
    csv.field_size_limit(2**31 - 1)
    # Where a blank follows each delimiter of the names, it is no part of the cells either.
    names = file.lines[start - 2]
    blank = 0 < names.count(delimiter) == names.count(f"{delimiter} ")

    def reader(first: int, strict: bool) -> Any:
        ended = (line + "\n" for line in file.lines[first - 1 :])
        return csv.reader(ended, delimiter=delimiter, strict=strict, skipinitialspace=blank)

    rows = reader(start, strict=True)
    while True:
        first = start + rows.line_num
        try:
            row = next(rows, None)
        except csv.Error as error:
            last = start + rows.line_num - 1
            behind = f"text behind a quote in line {last}"
            found = "none that does" if "end of data" in str(error) else behind
            opening = _opening(first, last, next(reader(first, strict=False)))
            raise DataError(
                f"{file.place(opening)}: expected that a quote which opens a cell here is followed "
                f"by one that ends it, found {found}; quotes within quotes are doubled"
            ) from None
        if row is None:
            return
        if row:
            yield first, start + rows.line_num - 1, row


def _opening(first: int, last: int, row: Sequence[str]) -> int:
    """The line where the cell begins that reaches to the last line of a row."""
    opening = first
    for cell in row:
        ends = opening + cell.count("\n")
        if ends >= last:
            break
        opening = ends
    return opening


def _check_swallowed(
    file: TextFile,
    first: int,
    last: int,
    row: list[str],
    delimiter: str,
    known: Sequence[set[str]],
) -> None:
    """Refuses a row of several lines that are rows by themselves: a stray quote joined them.

    They are where each line has as many cells as the table has columns, and there are more than
    two of them, or one holds what other rows hold, in a column beside that of the long cell. In
    other cases it may be chance, and a warning says where they are.
    """
    lines = [line.split(delimiter) for line in file.lines[first - 1 : last]]

    def is_row(cells: list[str]) -> bool:
        # In prose, a blank comes behind a comma.
        prose = any(cell.startswith(" ") for cell in cells[1:])
        full = all(cell or "" in values for cell, values in zip(cells, known, strict=False))
        return len(cells) == len(known) and full and not prose

    if len(known) == 1 or not all(map(is_row, lines)):
        return
    long = next(index for index, cell in enumerate(row) if "\n" in cell)
    between = [cell for line in lines for cell in enumerate(line)]
    between = between[long + 1 : len(between) - len(known) + long]
    shared = any(cell and cell in known[index] for index, cell in between if index != long)
    message = (
        f"{file.place(first)}: expected a text in quotes, found a quote that opens here and ends "
        f"in line {last}, and between them what looks like rows"
    )
    if shared or len(lines) > 2:
        raise DataError(message)
    print(f"{message}; they are read as one text.", file=sys.stderr)
