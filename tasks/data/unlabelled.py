"""Texts without answers, for language models."""

from __future__ import annotations

import re

from tasks.data import builders, formats, records
from tasks.data.errors import DataError

# WikiText writes 1 @,@ 000, well @-@ known, and <unk> for a rare word.
_JOINED = re.compile(r" @([-.,])@ ")
_RARE = "<unk>"
_REPLACEMENT = "\ufffd"


def texts_of(where: str, text_column: str | None = None) -> list[str]:
    """The texts of a file, see `read_text_file`, or of a builder, for models that start from a
    language model of them.

    Text that is split already, as WikiText is, has its words put together again where it says so;
    rare words that are not there any more become a character that is in no vocabulary.

    Args:
        where: the path of a file, which may be packed by gzip, or `tfds:NAME`.
        text_column: what the text of a table or of JSON lines is called; by default `text`.

    Raises:
        DataError: it cannot be read, or holds no text.
    """
    if where.startswith("tfds:"):
        texts = builders.texts(where.removeprefix("tfds:"))
    else:
        texts = read_text_file(where, text_column=text_column or "text")
    return [joined(text) for text in texts if text.strip()]


def read_text_file(path: str, running: bool = False, text_column: str = "text") -> list[str]:
    """The texts of a file: the lines that are not blank, or the column of a table or JSON lines.

    A running text is all of a file as one, whatever is in it, unless its name says that it is a
    table or JSON lines.

    Raises:
        DataError: the file cannot be read, or there is no text in it.
    """
    file = formats.read(path)
    if running and formats.says_nothing(file):
        texts = ["\n".join(file.lines)]
    else:
        rows = records.read_records(file, {"text_column": text_column})
        kind = formats.recognise(file)
        if rows is not None:
            texts = [row.text(text_column) for row in rows]
        elif kind is formats.Kind.TEXT:
            texts = [line.strip() for line in file.lines]
        else:
            raise DataError(
                f"{path}: expected plain text, .csv, .tsv or .jsonl, found {kind.value}"
            )
    texts = [one for one in texts if one.strip()]
    if not texts:
        raise DataError(f"{path}: expected text, found none")
    return texts


def joined(line: str) -> str:
    """A line of WikiText as its text was written.

    Example:
        >>> joined("The well @-@ known <unk> has 1 @,@ 000 pages")
        'The well-known \\ufffd has 1,000 pages'
    """
    return _JOINED.sub(r"\1", line).replace(_RARE, _REPLACEMENT)
