"""Tagged text as text: for a terminal, as CoNLL, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.data.formats import DOCUMENT_START
from tasks.data.inputs import Input
from tasks.framework.predicting import as_cell
from zoo.predictions import TaggedText
from zoo.text.tags import entities, scheme_of

_COLOURS = {"PER": 32, "LOC": 34, "ORG": 33}
_OTHER_COLOUR = 35


def pieces(one: TaggedText) -> Iterator[tuple[str, str]]:
    """Entities, (words, type), and the words between them, (word, ""); or each word and its tag."""
    if scheme_of([one.tags]) is None and set(one.tags) != {"O"}:
        yield from zip(one.tokens, one.tags, strict=True)
        return
    position = 0
    for kind, start, end in entities(one.tags):
        yield from ((token, "") for token in one.tokens[position:start])
        yield " ".join(one.tokens[start:end]), kind
        position = end
    yield from ((token, "") for token in one.tokens[position:])


def bracketed(one: TaggedText) -> str:
    """`[Teddy Roosevelt PER] smiled`."""
    return " ".join(f"[{words} {kind}]" if kind else words for words, kind in pieces(one))


def coloured(one: TaggedText) -> str:
    """For a terminal: entities in the colour of their type, which stands behind them."""
    return " ".join(
        f"\033[1;{_COLOURS.get(kind, _OTHER_COLOUR)}m{words}\033[0m\033[2m {kind}\033[0m"
        if kind
        else words
        for words, kind in pieces(one)
    )


def conll(given: Input, one: TaggedText) -> str:
    """A token and its tag a line, and an empty line behind them.

    Lines of a file in columns stay as they are, with the tag behind them. Of other files, the
    columns beside the text are comments.
    """
    if given.block is None:
        fields = {name: v for name, v in given.fields.items() if name != given.text_field}
        before = [f"# {_joined(name)} = {_joined(as_cell(v))}\n" for name, v in fields.items()]
        lines = [f"{token}\t{tag}\n" for token, tag in zip(one.tokens, one.tags, strict=True)]
        return "".join([*before, *lines, "\n"])
    tags = iter(one.tags)
    pieces = []
    for line in given.block.before:
        begins = line.startswith(DOCUMENT_START)
        pieces.append(f"{line}{_separator(line)}O\n\n" if begins else f"{line}\n")
    for row in given.block.rows:
        tag = next(tags) if row.is_word else "_"
        pieces.append(f"{row.line.rstrip(' ')}{_separator(row.line)}{tag}\n")
    return "".join([*pieces, "\n"])


def _separator(line: str) -> str:
    return " " if " " in line.strip() and "\t" not in line else "\t"


def _joined(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def rows(one: TaggedText) -> list[tuple]:
    """A row for each token; of a text without tokens, an empty one."""
    found = list(zip(one.tokens, one.tags, one.confidence, strict=True))
    return found or [("", "", "")]
