"""What a model says of a text: one type for each task, made from a predictor's answer.

It does not matter whether the model is in memory, in a SavedModel or on a server. NumPy is all that
is needed here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.configuration import LOWEST_KEY
from zoo.inputs import as_texts

# What a vocabulary calls a word that it does not have: `zoo.text.UNKNOWN_WORD`, without TensorFlow.
_UNKNOWN_WORD = "<UNK>"


@dataclass(frozen=True)
class TaggedText:
    """The tokens of a text, each with a tag and how sure the model is of it, from 0 to 1.

    Attributes:
        start, end: where each token lies in `text`, in Unicode characters; empty for sentences that
            came in tokens.
        text: as it was given; "" where that is not known.
        n_best: the most probable sequences of tags and their probabilities, the best first; empty
            where they were not asked for.
    """

    tokens: list[str]
    tags: list[str]
    confidence: list[float]
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    text: str = ""
    n_best: list[tuple[list[str], float]] = field(default_factory=list)


@dataclass(frozen=True)
class Entity:
    """A name in a text: `text[start:end]`, of the type `label`, as sure as its least sure word."""

    text: str
    label: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Classified:
    """A text with its most probable label, and the probability of each label."""

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ScoredText:
    """log P of a text with its `<EOS>`, in nats, and how many tokens it has.

    Example:
        >>> round(ScoredText("a b", -3 * math.log(5), token_count=3, unknown_count=0).perplexity, 6)
        5.0
    """

    text: str
    log_probability: float
    token_count: int
    unknown_count: int

    @property
    def perplexity(self) -> float:
        """exp of the mean of -log P of a token; finite, whatever the model says."""
        return math.exp(min(700.0, -self.log_probability / self.token_count))


@dataclass(frozen=True)
class ScoredTokens(ScoredText):
    """A scored text with log P of each of its tokens."""

    tokens: list[str]
    log_probabilities: list[float]


@dataclass(frozen=True)
class Translation:
    """A text and its translation, with log P of the translation and its `<EOS>`, in nats.

    Attributes:
        n_best: the translations that came next, and log P of each, the best first.
    """

    text: str
    translation: str
    log_probability: float
    n_best: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class ComposedPiece:
    """A piece of music: the MIDI numbers that sound in each of its frames, ascending."""

    frames: list[list[int]]


@dataclass(frozen=True)
class ScoredPiece:
    """log P of each frame of a piece given those before, in nats.

    Attributes:
        greedy: at each step, the frame that temperature 0 draws behind those before.
    """

    log_probabilities: list[float]
    greedy: list[list[int]]

    @property
    def log_probability(self) -> float:
        """Of the whole piece."""
        return math.fsum(self.log_probabilities)


def tagged(answer: Mapping[str, np.ndarray], texts: object = None) -> list[TaggedText]:
    """What a tagger says.

    Args:
        answer: tokens, tags and confidence `[batch, time]`, lengths `[batch]`; of texts also start
            and end `[batch, time]`.
        texts: that it was asked for, `[batch]`, or None for sentences that came in tokens.
    """
    names = [n for n in ("tokens", "tags", "confidence", "start", "end") if n in answer]
    columns = list(zip(*(unpadded(answer, name) for name in names), strict=True))
    given = [""] * len(columns) if texts is None else _strings(texts)
    return [
        TaggedText(**dict(zip(names, row, strict=True)), text=one)
        for row, one in zip(columns, given, strict=True)
    ]


def n_best_tags(answer: Mapping[str, np.ndarray]) -> list[list[tuple[list[str], float]]]:
    """The most probable sequences of tags of each text, with their probabilities.

    Args:
        answer: of a tagger's signature `n_best`: tags `[batch, n, time]`, log_probability
            `[batch, n]`, count and token_count `[batch]`.

    Example:
        >>> answer = {"tags": np.array([[["O", ""], ["B-PER", ""]]]), "token_count": np.array([1])}
        >>> answer |= {"log_probability": np.log([[0.75, 0.25]]), "count": np.array([2])}
        >>> n_best_tags(answer)[0][1]
        (['B-PER'], 0.25)
    """
    p = np.exp(answer["log_probability"])
    return [
        [(row[k][:length].tolist(), float(p[i, k])) for k in range(answer["count"][i])]
        for i, (row, length) in enumerate(zip(answer["tags"], answer["token_count"], strict=True))
    ]


def entities(answer: Mapping[str, np.ndarray]) -> list[list[Entity]]:
    """What a tagger of names finds, text by text.

    Args:
        answer: of its signature `entities`: entity, label, start, end and confidence
            `[batch, entities]`, count `[batch]`.
    """
    names = ("entity", "label", "start", "end", "confidence")
    return [
        [Entity(*row) for row in zip(*(answer[n][i, :count].tolist() for n in names), strict=True)]
        for i, count in enumerate(answer["count"])
    ]


def classified(texts: object, probabilities: np.ndarray, names: Sequence[str]) -> list[Classified]:
    """What a classifier says.

    Args:
        texts: that it was asked for, `[batch]`.
        probabilities: `[batch, classes]`.
        names: of the classes.

    Example:
        >>> classified("well done", np.array([[0.25, 0.75]]), ["bad", "good"])[0].label
        'good'
    """
    return [
        Classified(
            text,
            names[int(np.argmax(row))],
            float(np.max(row)),
            {name: float(p) for name, p in zip(names, row, strict=True)},
        )
        for text, row in zip(_strings(texts), probabilities, strict=True)
    ]


def scored(texts: object, answer: Mapping[str, np.ndarray]) -> list[ScoredTokens]:
    """What a language model says.

    Args:
        texts: that it was asked for, `[batch]`.
        answer: of its signature `tokens`: tokens and log_probabilities `[batch, time]`, lengths
            `[batch]`.
    """
    names, each = unpadded(answer, "tokens"), unpadded(answer, "log_probabilities")
    return [
        ScoredTokens(text, float(np.sum(p)), len(tokens), tokens.count(_UNKNOWN_WORD), tokens, p)
        for text, tokens, p in zip(_strings(texts), names, each, strict=True)
    ]


def translated(texts: object, answer: Mapping[str, np.ndarray]) -> list[Translation]:
    """What a translator says.

    Args:
        texts: that it was asked for, `[batch]`.
        answer: text and log_probability `[batch]`; or, of its signature `n_best`, `[batch, n]`.
    """
    shape = (len(answer["text"]), -1)
    rows = zip(
        _strings(texts),
        answer["text"].reshape(shape).tolist(),
        answer["log_probability"].reshape(shape).tolist(),
        strict=True,
    )
    found = []
    for text, translations, p in rows:
        more = [pair for pair in zip(translations, p, strict=True) if math.isfinite(pair[1])]
        found.append(Translation(text, translations[0], p[0], more[1:]))
    return found


def composed(answer: Mapping[str, np.ndarray]) -> list[ComposedPiece]:
    """What a model of music composes.

    Args:
        answer: frames bool `[batch, time, keys]`, lengths int32 `[batch]`.

    Example:
        >>> answer = {"frames": np.eye(2, 88, dtype=bool)[None], "lengths": np.array([2])}
        >>> composed(answer)[0].frames
        [[21], [22]]
    """
    return [ComposedPiece(frames) for frames in _frames(answer, "frames")]


def scored_pieces(answer: Mapping[str, np.ndarray]) -> list[ScoredPiece]:
    """What a model of music says of pieces.

    Args:
        answer: of its signature `score`: log_probabilities `[batch, time]`, greedy bool
            `[batch, time, keys]`, lengths int32 `[batch]`.
    """
    rows = zip(unpadded(answer, "log_probabilities"), _frames(answer, "greedy"), strict=True)
    return [ScoredPiece(log_p, greedy) for log_p, greedy in rows]


def _frames(answer: Mapping[str, np.ndarray], name: str) -> list[list[list[int]]]:
    """The MIDI numbers in each frame of an output bool `[batch, time, keys]`."""
    rows = zip(answer[name], answer["lengths"], strict=True)
    return [sounding(row[:length]) for row, length in rows]


def sounding(frames: np.ndarray) -> list:
    """The MIDI numbers in frames `[..., keys]`, in lists of lists.

    Example:
        >>> sounding(np.eye(2, 88, dtype=bool))
        [[21], [22]]
    """
    if frames.ndim > 1:
        return [sounding(one) for one in frames]
    return (np.flatnonzero(frames) + LOWEST_KEY).tolist()


def unpadded(answer: Mapping[str, np.ndarray], name: str) -> list[list]:
    """The rows of an output `[batch, time]`, each as long as `lengths` `[batch]` says.

    Example:
        >>> answer = {"tags": np.array([["O", "O"], ["O", ""]]), "lengths": np.array([2, 1])}
        >>> unpadded(answer, "tags")
        [['O', 'O'], ['O']]
    """
    rows = zip(answer[name], answer["lengths"], strict=True)
    return [row[:length].tolist() for row, length in rows]


def _strings(texts: object) -> list[str]:
    return [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in as_texts(texts)]
