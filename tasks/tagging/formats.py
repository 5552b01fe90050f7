"""Tagged text as text: for a terminal, as CoNLL, as JSON lines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

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


def conll(one: TaggedText) -> str:
    """A token and its tag a line, and an empty line behind them."""
    lines = (f"{token}\t{tag}\n" for token, tag in zip(one.tokens, one.tags, strict=True))
    return "".join(lines) + "\n"


def json_line(one: TaggedText) -> str:
    return json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"
