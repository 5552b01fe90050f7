"""What a model is asked about, read from whatever training reads, with all that comes with it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.data import columns, folders, formats, records
from tasks.data.errors import DataError
from tasks.data.formats import Kind, TextFile


@dataclasses.dataclass(frozen=True)
class Input:
    """A text or a sentence, and what else is said of it where it was read.

    Attributes:
        text: of a sentence in tokens, these with blanks between.
        fields: the columns of its row, or the keys of its object, by name; that of the text too.
        text_field: which of them is the text, if one is.
        tokens: of a sentence that is in tokens already.
        by_token: the other columns of such a sentence: a value for each token, by name.
        block: its lines.
    """

    text: str
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    text_field: str | None = None
    tokens: tuple[str, ...] | None = None
    by_token: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    block: columns.Block | None = None


def names_of(inputs: Sequence[Input]) -> list[str]:
    """The names of all fields and columns, in the order in which they come."""
    return list(dict.fromkeys(name for one in inputs for name in (*one.fields, *one.by_token)))


def read_inputs(
    path: str | os.PathLike,
    text_column: str | None = None,
    takes_tokens: bool = False,
    token_column: int | None = None,
) -> list[Input]:
    """Reads a table, JSON lines, plain text with a text a line, a folder with a text a file, or a
    file in columns with a token a line, see `tasks.data.formats`.

    Args:
        path: of the file or folder.
        text_column: of a table or JSON lines; by default `text`.
        takes_tokens: whether files in columns are read.
        token_column: of such a file; by default the first, or the one behind that which numbers
            the tokens.

    Raises:
        DataError: it cannot be read, is something else, has a malformed line, or holds nothing.
    """
    if os.path.isdir(path):
        inputs = list(_of_folder(Path(path)))
    else:
        inputs = _of_file(formats.read(path), text_column, takes_tokens, token_column)
    if not inputs:
        raise DataError(f"{path}: expected one or more texts, found none")
    return inputs


def _of_folder(folder: Path, above: str = "") -> Iterator[Input]:
    """The files of a folder and of the folders in it."""
    for path in folders.entries(folder):
        # A name need not be UTF-8, but what is written must.
        name = above + path.name.encode("utf-8", "backslashreplace").decode()
        if path.is_dir():
            yield from _of_folder(path, f"{name}/")
        else:
            yield Input(folders.read_text(path), {"file": name})


def _of_file(
    file: TextFile, text_column: str | None, takes_tokens: bool, token_column: int | None
) -> list[Input]:
    kind = formats.recognise(file)
    wanted = {"text_column": text_column or "text"}
    if takes_tokens and _is_in_columns(file, kind, wanted, token_column):
        if kind is Kind.CONLLU:
            blocks = columns.read_conllu(file)
            given = columns.CONLLU_TOKEN if token_column is None else token_column
            tokens = columns.check_index(blocks, given, "token_column")
        else:
            blocks = columns.read_columns(file, least=1)
            tokens = columns.find_tokens(file, blocks, token_column)
        return [_of_block(block, tokens) for block in blocks]
    rows = records.read_records(file, wanted)
    if rows is not None:
        column = wanted["text_column"]
        return [Input(row.text(column), row.fields, column) for row in rows]
    if kind is Kind.TEXT and text_column is None:
        return [Input(line) for line in file.lines]
    if kind is Kind.TEXT:
        raise DataError(
            f"{file.path}: expected a table or JSON lines, as --text_column={text_column} asks "
            "for, found plain text"
        )
    hint = "; a name that ends in .conll says that each line is a token" if takes_tokens else ""
    raise DataError(
        f"{file.path}: expected a text a line, a table or JSON lines, found {kind.value}{hint}"
    )


def _is_in_columns(
    file: TextFile, kind: Kind, wanted: records.Wanted, token_column: int | None
) -> bool:
    """Whether a file has a token a line; that takes a name that says so, or content."""
    if kind is Kind.CONLLU or (kind is Kind.COLUMNS and not formats.says_nothing(file)):
        return True
    if kind is Kind.JSON or file.ending == ".csv":
        if token_column is not None:
            raise DataError(
                f"{file.path}: expected a token a line, as --token_column={token_column} asks "
                f"for, found {kind.value}"
            )
        return False
    if token_column is not None:
        return True
    if kind is Kind.TEXT or records.has_columns(file, wanted) or not columns.are_surely(file):
        return False
    print(f"{file.path}: read as columns, with a token a line.", file=sys.stderr)
    return True


def _of_block(block: columns.Block, tokens: int) -> Input:
    words = tuple(row.cells[tokens] for row in block.words)
    comments = (line[1:].partition("=") for line in block.before if line.startswith("#"))
    fields = {name.strip(): value.strip() for name, equals, value in comments if equals}
    by_token = {
        f"column_{index}": [row.cells[index] for row in block.words]
        for index in range(len(block.rows[0].cells))
        if index != tokens
    }
    return Input(" ".join(words), fields, tokens=words, by_token=by_token, block=block)
