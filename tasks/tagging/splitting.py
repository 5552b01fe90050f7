"""How well raw text is split into words, and tagged, against a treebank.

As the shared task of CoNLL 2018 counts: a word is right where its characters are those of a word of
the treebank, and a tag where its word is right too. Precision is the share of right words among
those found, recall that among the treebank's, F1 their harmonic mean.

    raw = read_raw("universal_dependencies/en_ewt", "validation")
    of_splitting(raw).f1
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tasks.data import builders
from tasks.data.errors import DataError
from zoo import text
from zoo.text.tags import Sentence

_EXAMPLES_AT_ONCE = 1024

Span = tuple[int, int]


class RawSentence(NamedTuple):
    """A sentence as it was written, and its words and tags."""

    text: str
    sentence: Sentence


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How many words a treebank has, how many were found, and how many of these are right.

    Example:
        >>> Agreement(gold=4, found=5, right=3).f1
        0.6666666666666666
    """

    gold: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """Right words among those found."""
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        """Right words among the treebank's."""
        return self.right / max(1, self.gold)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.gold + self.found)


def located(written: str, words: Iterable[str]) -> list[Span]:
    """Where each word lies in the text that it is from, in characters; blanks do not count.

    Raises:
        ValueError: the words are not those of the text.

    Example:
        >>> located("I don't.", ["I", "do", "n't", "."])
        [(0, 1), (2, 4), (4, 7), (7, 8)]
    """
    places = [place for place, character in enumerate(written) if not character.isspace()]
    spans = []
    used = 0
    for word in words:
        characters = "".join(word.split())
        some = places[used : used + len(characters)]
        if not some or characters != "".join(written[place] for place in some):
            raise ValueError(f"expected the words of {written!r}, found {word!r}")
        spans.append((some[0], some[-1] + 1))
        used += len(characters)
    if used < len(places):
        raise ValueError(f"expected the words of {written!r}, found none for {written[used:]!r}")
    return spans


def agreement(
    gold: Iterable[Collection[Hashable]], found: Iterable[Collection[Hashable]]
) -> Agreement:
    """Compares what each text has with what was found in it."""
    pairs = [(set(one), set(other)) for one, other in zip(gold, found, strict=True)]
    return Agreement(
        sum(len(one) for one, _ in pairs),
        sum(len(other) for _, other in pairs),
        sum(len(one & other) for one, other in pairs),
    )


def of_splitting(
    raw: Sequence[RawSentence],
    split: Callable[[tf.Tensor], text.Located] = text.tokenize_with_offsets,
) -> Agreement:
    """How well raw sentences are split into the words of a treebank."""
    found: list[list[Span]] = []
    for part in _in_parts(raw):
        _, start, end = split(tf.constant([one.text for one in part]))
        found += map(_spans, start.to_list(), end.to_list())
    return agreement((located(one.text, one.sentence.tokens) for one in raw), found)


def of_tags(
    raw: Sequence[RawSentence], spans: Iterable[Iterable[Span]], tags: Iterable[Iterable[str]]
) -> Agreement:
    """How well raw sentences are tagged, given the words that were found in each and their tags."""
    gold = [
        list(zip(located(one.text, one.sentence.tokens), one.sentence.tags, strict=True))
        for one in raw
    ]
    found = [
        list(zip(map(tuple, some), names, strict=True))
        for some, names in zip(spans, tags, strict=True)
    ]
    return agreement(gold, found)


def read_raw(name: str, split: str, data_dir: str | os.PathLike | None = None) -> list[RawSentence]:
    """Reads a treebank of TensorFlow Datasets: raw sentences, words and universal parts of speech.

    Rows that are no words (multiword tokens, empty nodes) are left out.

    Args:
        name: builder and configuration, such as `"universal_dependencies/en_ewt"`.
        split: `"train"`, `"validation"` (the builder's dev) or `"test"`.
        data_dir: where TensorFlow Datasets keeps its data, by default ~/tensorflow_datasets.

    Raises:
        DataError: there is no such builder or split, or it is no treebank.
    """
    builder = builders.builder(name, data_dir)
    wanted = ("text", "tokens", "upos", "head")
    features = builder.info.features
    if not set(wanted) <= set(features):
        raise DataError(
            f"tfds:{name}: expected the features {', '.join(wanted)}, found {', '.join(features)}"
        )
    builders.prepare(builder, name)
    splits = {builders.split_name(one): one for one in builder.info.splits}
    if split not in splits:
        raise DataError(f"tfds:{name}: expected a split {split!r}, found {', '.join(splits)}")
    names = features["upos"].feature.names
    raw = []
    for written, tokens, tags, heads in builders.sequences_of(builder, splits[split], [*wanted]):
        is_word = [head.isdigit() for head in heads]
        words = tuple(_decoded(token) for token in itertools.compress(tokens, is_word))
        kept = tuple(names[tag] for tag in itertools.compress(tags, is_word))
        raw.append(RawSentence(_decoded(written), Sentence(words, kept)))
    return raw


def of_their_text(raw: Iterable[RawSentence]) -> list[RawSentence]:
    """The sentences whose words are the characters of their text. They need not be: "au" is written
    for the words "à" and "le", and "zum" for "zu" and "dem"."""
    return [one for one in raw if _is_of_its_text(one)]


def _is_of_its_text(one: RawSentence) -> bool:
    try:
        located(one.text, one.sentence.tokens)
    except ValueError:
        return False
    return True


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _in_parts(raw: Sequence[RawSentence]) -> Iterable[Sequence[RawSentence]]:
    return (raw[at : at + _EXAMPLES_AT_ONCE] for at in range(0, len(raw), _EXAMPLES_AT_ONCE))


def _spans(start: list[int], end: list[int]) -> list[Span]:
    return list(zip(start, end, strict=True))
