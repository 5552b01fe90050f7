"""Files with one token a line, in columns: CoNLL in all its forms, and CoNLL-U."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Sequence

from tasks.data.errors import DataError
from tasks.data.formats import (
    BLANKS,
    CONLLU_COLUMNS,
    DOCUMENT_START,
    TextFile,
    are_entity_tags,
    are_running_numbers,
    cells,
)

CONLLU_TOKEN = 1
_COMMENTS = ("# ", "#\t")
_BOUNDARIES = (DOCUMENT_START, "#begin document", "#end document")
_NO_WORD = re.compile(r"\d+-\d+|\d+\.\d+")  # the ids of multiword tokens and empty nodes


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A line of a sentence.

    Attributes:
        line: as it is in the file.
        place: file and line, for messages.
        cells: of its columns.
        is_word: not so for multiword tokens and empty nodes of CoNLL-U.
    """

    line: str
    place: str
    cells: tuple[str, ...]
    is_word: bool = True


@dataclasses.dataclass(frozen=True)
class Block:
    """A sentence.

    Attributes:
        before: comments, and the line that begins a document.
        rows: its lines.
    """

    before: list[str] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def words(self) -> list[Row]:
        """The rows that are words."""
        return [row for row in self.rows if row.is_word]


def read_columns(file: TextFile, least: int = 2) -> list[Block]:
    """The sentences of a file in columns; a blank line ends a sentence.

    A line with a TAB is split at TABs only, any other at runs of blanks. Lines that hold nothing
    but blanks or TABs count as blank. Lines `-DOCSTART-` begin a document, and comments come before
    a sentence: they start with "#" and a blank or TAB, and are not in the columns of the file.

    Args:
        file: to read.
        least: so many columns there must be.

    Raises:
        DataError: the file holds no sentence, or a line has other columns than the first.
    """
    first, model = _model(file)
    columns = len(cells(model))
    blocks = [Block()]
    for number, line in enumerate(file.lines, start=1):
        values = cells(line)
        boundary = line.startswith(_BOUNDARIES)
        if boundary or not line.strip(BLANKS):
            if blocks[-1].rows:
                blocks.append(Block())
            if boundary:
                blocks[-1].before.append(line)
            continue
        if not blocks[-1].rows and _is_comment(line, model):
            blocks[-1].before.append(line)
            continue
        place = file.place(number)
        if len(values) < least:
            raise DataError(f"{place}: expected {least} or more columns, found {len(values)}")
        if len(values) != columns:
            raise DataError(
                f"{place}: expected {columns} columns, as in line {first}, found {len(values)}"
            )
        blocks[-1].rows.append(Row(line, place, tuple(values)))
    return _whole(file, blocks)


def read_conllu(file: TextFile) -> list[Block]:
    """The sentences of a CoNLL-U file.

    Multiword tokens (3-4) and empty nodes (5.1) are no words: what remains are the words which
    Universal Dependencies counts.

    Raises:
        DataError: the file holds no sentence, or a malformed line.
    """
    blocks, count = [Block()], 0
    for number, line in enumerate(file.lines, start=1):
        if not line.strip(BLANKS):
            if blocks[-1].rows:
                blocks.append(Block())
            count = 0
            continue
        if line.startswith("#"):
            blocks[-1].before.append(line)
            continue
        place = file.place(number)
        values = [cell.strip(BLANKS) for cell in line.split("\t")]
        if len(values) != CONLLU_COLUMNS:
            raise DataError(
                f"{place}: expected {CONLLU_COLUMNS} columns separated by TABs, found {len(values)}"
            )
        row = Row(line, place, tuple(values), is_word=not _NO_WORD.fullmatch(values[0]))
        count += row.is_word
        if row.is_word and values[0] != str(count):
            raise DataError(f"{place}: expected word {count} of a sentence, found {values[0]!r}")
        blocks[-1].rows.append(row)
    return _whole(file, blocks)


def column(blocks: Sequence[Block], index: int) -> list[list[str]]:
    """What is in a column, sentence by sentence."""
    return [[row.cells[index] for row in block.words] for block in blocks]


def check_index(blocks: Sequence[Block], index: int, flag: str) -> int:
    """An index of a column, from 0 up.

    Raises:
        DataError: there is no such column.
    """
    count = len(blocks[0].rows[0].cells)
    if not -count <= index < count:
        needed = index + 1 if index >= 0 else -index
        raise DataError(
            f"{blocks[0].rows[0].place}: expected {needed} or more columns, as --{flag}={index} "
            f"asks for, found {count}"
        )
    return index % count


def are_surely(file: TextFile) -> bool:
    """Whether a file is in columns beyond doubt: one numbers the words, or the last one has tags of
    entities."""
    try:
        blocks = read_columns(file)
    except DataError:
        return False
    tags = (tag for some in column(blocks, -1) for tag in some)
    return index_column(blocks) is not None or are_entity_tags(tags)


def index_column(blocks: Sequence[Block]) -> int | None:
    """The column that numbers the words of each sentence, where there is one."""
    longer = [block for block in blocks if len(block.rows) > 1]
    for index in range(len(blocks[0].rows[0].cells) if longer else 0):
        if all(map(are_running_numbers, column(blocks, index))):
            return index
    return None


def find_tokens(file: TextFile, blocks: Sequence[Block], given: int | None) -> int:
    """The column of the tokens: the one that is given, that behind one which numbers the words, or
    the first.

    Raises:
        DataError: there is no such column, or the first numbers the words of some sentences only.
    """
    if given is not None:
        return check_index(blocks, given, "token_column")
    index = index_column(blocks)
    if index is None:
        numbered = [are_running_numbers(ids) for ids in column(blocks, 0) if len(ids) > 1]
        if 2 * sum(numbered) > len(numbered):
            raise DataError(
                f"{file.path}: expected tokens in column 0, or numbers of words in all sentences, "
                f"found numbers in {sum(numbered)} of {len(numbered)}; --token_column says where "
                "the tokens are"
            )
        return 0
    if index + 1 == len(blocks[0].rows[0].cells):
        raise DataError(
            f"{file.path}: expected tokens behind column {index}, which numbers the words, found "
            "none; --token_column says where they are"
        )
    print(
        f"{file.path}: column {index} numbers the words; tokens are read from column {index + 1}.",
        file=sys.stderr,
    )
    return index + 1


def _whole(file: TextFile, blocks: list[Block]) -> list[Block]:
    found = [block for block in blocks if block.words]
    if not found:
        raise DataError(f"{file.path}: expected one or more sentences, found none")
    return found


def _model(file: TextFile) -> tuple[int, str]:
    """The first line that is surely no comment: it says how many columns there are."""
    numbered = [(n, line) for n, line in enumerate(file.lines, start=1) if line.strip(BLANKS)]
    for comments in (_COMMENTS, ("# ",)):
        for number, line in numbered:
            if not line.startswith((*comments, *_BOUNDARIES)):
                return number, line
    return 1, ""


def _is_comment(line: str, model: str) -> bool:
    """Whether the first line of a sentence is a comment, and not the token "#" in columns."""
    if not line.startswith(_COMMENTS):
        return False
    values = cells(line)
    as_columns = ("\t" in line) == ("\t" in model) and len(values) == len(cells(model))
    return not as_columns or values[2:3] == ["="]
