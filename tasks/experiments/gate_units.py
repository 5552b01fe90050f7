"""Units that open at one word and stay shut until another, and units that know the number.

    score of a unit = mean over sentences of (Γ at the word − the highest Γ in between)

1 is the lecture's picture: the gate is open where the subject is read, and shut from there to the
verb. A unit of which this is true at every subject need not know its number; which do, a threshold
on its c at the last word before the verb says, found in one half of the sentences and tried on the
other.

A linear probe asks all units together: ridge regression from c<t>, at each distance from the
subject while the verb is awaited, to the number of the subject; half of the sentences train it, the
other half it has not seen. Near the subject that asks little: few words are read, in both halves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.data.errors import UserError
from tasks.experiments.gate_readers import Gates, gates_of
from tasks.language import demo
from zoo.predictor import Predictor

# Gates by which a unit takes something in: Γu, or Γf, which keeps where it is open.
OPENING = ("gate_u", "gate_f")
# Sentences for each distance between subject and verb.
CASES = 100
_AT_ONCE = 256
_RIDGE = 1.0


class Span(NamedTuple):
    """Where a gate is to open, and until where it is to stay shut: numbers of words, the last one
    not included."""

    opens: int
    until: int


@dataclasses.dataclass(frozen=True)
class Unit:
    """How a gate of a unit opens and stays shut; means over sentences.

    Attributes:
        place: its layer and direction.
        gate: its name.
        unit: its number.
        opened: the gate at the word where it is to open.
        between: the highest one in between.
        tells: the share of sentences whose number a threshold on the unit's c told; None where
            there was no number to tell.
    """

    place: str
    gate: str
    unit: int
    opened: float
    between: float
    tells: float | None = None

    @property
    def score(self) -> float:
        return self.opened - self.between


@dataclasses.dataclass(frozen=True)
class Awaited:
    """Sentences up to their verbs, as a model reads them.

    Attributes:
        found: the gates over each.
        plural: whether the subject is plural, bool `[sentences]`.
        distances: words between subject and verb, `[sentences]`.
    """

    found: list[Gates]
    plural: np.ndarray
    distances: np.ndarray

    @property
    def spans(self) -> list[Span]:
        """From the subject, the second word, to the verb."""
        return [Span(1, len(one.words)) for one in self.found]


def awaited(model: Predictor, cases: int = CASES) -> Awaited:
    """The gates over sentences of the built-in corpus that end before their verb.

    Raises:
        UserError: the model reads something other than words.
    """
    drawn = demo.agreements(demo.DISTANCES, cases)
    # Each once: what trains a probe does not try it.
    sentences = list({one.beginning: one for one in drawn}.values())
    texts = [one.beginning.replace(",", " ,") for one in sentences]
    found: list[Gates] = []
    for start in range(0, len(texts), _AT_ONCE):
        found += gates_of(model, texts[start : start + _AT_ONCE])
    for text, one in zip(texts, found, strict=True):
        if len(one.words) != len(text.split()):
            raise UserError(
                "--find: expected a model that reads words, to find subjects and verbs by their "
                f"places. Received one that reads {text[:30]!r} as {one.words[:8]}. Say --text, "
                "--opens_at and --until"
            )
    plurals = {plural for _, plural in demo.VERBS}
    plural = np.array([one.right in plurals for one in sentences])
    return Awaited(found, plural, np.array([one.distance for one in sentences]))


def span_of(one: Gates, opens_at: str, until: str) -> Span:
    """From the first of a word to the first of another behind it.

    Raises:
        UserError: they are not there, or nothing is between them.

    Example:
        >>> span_of(Gates(["The", "cat", "that", "ate", "was"], {}), "cat", "was")
        Span(opens=1, until=4)
    """
    for flag, word, words in (
        ("opens_at", opens_at, one.words),
        ("until", until, one.words[_index(one.words, opens_at) + 2 :]),
    ):
        if word not in words:
            raise UserError(
                f"--{flag}: expected a word of the text as the model reads it"
                f"{', behind --opens_at with a word in between' if flag == 'until' else ''}. "
                f"Received: {word!r}; the text has {one.words}"
            )
    opens = _index(one.words, opens_at)
    return Span(opens, one.words.index(until, opens + 2))


def _index(words: list[str], word: str) -> int:
    return words.index(word) if word in words else 0


def units(
    found: Sequence[Gates], spans: Sequence[Span], plural: np.ndarray | None = None
) -> list[Unit]:
    """All units of all layers that read forward, those of the highest score first.

    Args:
        found: the gates over each sentence.
        spans: of each sentence, with a word in between; a sentence without one is left out.
        plural: whether the subject of each sentence is plural, bool `[sentences]`, or None.
    """
    kept = [i for i, span in enumerate(spans) if span.until - span.opens > 1]
    rows = []
    for place in _forward(found[0]):
        tells = None
        if plural is not None:
            ends = np.stack([found[i].values[place]["c"][spans[i].until - 1] for i in kept])
            tells = told_by_each(ends, plural[kept])
        for gate in OPENING:
            if gate not in found[0].values[place]:
                continue
            gates = [found[i].values[place][gate] for i in kept]
            if gate == "gate_f":
                gates = [1 - values for values in gates]
            some = [spans[i] for i in kept]
            pairs = list(zip(gates, some, strict=True))
            opened = np.mean([g[s.opens] for g, s in pairs], axis=0)
            between = np.mean([g[s.opens + 1 : s.until].max(axis=0) for g, s in pairs], axis=0)
            rows += [
                Unit(place, gate, k, float(o), float(b), None if tells is None else float(tells[k]))
                for k, (o, b) in enumerate(zip(opened, between, strict=True))
            ]
    return sorted(rows, key=lambda unit: -unit.score)


def _forward(one: Gates) -> list[str]:
    """Layers and directions that have not seen what is to come: of two directions the first layer
    alone, since each one above reads both."""
    places = [place for place in one.values if not place.endswith("backward")]
    return places[:1] if len(places) < len(one.values) else places


def told_by_each(ends: np.ndarray, plural: np.ndarray) -> np.ndarray:
    """The share of sentences whose number each unit tells, by a threshold in the middle.

    Args:
        ends: what units hold, `[sentences, units]`.
        plural: bool `[sentences]`.

    Returns:
        `[units]`; thresholds come from one half of the sentences, shares from the other.
    """
    train, test = _halves(plural)
    return _told_by_thresholds(ends[train], plural[train], ends[test], plural[test])


def _told_by_thresholds(
    c: np.ndarray, plural: np.ndarray, others: np.ndarray, others_plural: np.ndarray
) -> np.ndarray:
    """The share of other sentences that each unit tells by the middle between two means."""
    means = [c[plural == number].mean(axis=0) for number in (True, False)]
    above = others > (means[0] + means[1]) / 2
    says_plural = np.where(means[0] > means[1], above, ~above)
    return np.mean(says_plural == others_plural[:, None], axis=0)


class Told(NamedTuple):
    """How well the number of the subject is told from c<t>.

    Attributes:
        distance: words behind the subject.
        sentences: that were tried, none of which trained the probe.
        probe: the share that the linear probe told.
        unit: the share that the best unit told, found on the sentences that train.
        chance: the share of the number that more of them have.
    """

    distance: int
    sentences: int
    probe: float
    unit: float
    chance: float


def told_by_distance(asked: Awaited) -> dict[str, list[Told]]:
    """By layer that reads forward, how well c<t> tells the number while the verb is awaited."""
    found = {}
    for place in _forward(asked.found[0]):
        rows = []
        for distance in range(int(asked.distances.max()) + 1):
            some = np.flatnonzero(asked.distances >= distance)
            c = np.stack([asked.found[i].values[place]["c"][1 + distance] for i in some])
            rows.append(_told(distance, c.astype(np.float64), asked.plural[some]))
        found[place] = rows
    return found


def _told(distance: int, c: np.ndarray, plural: np.ndarray) -> Told:
    train, test = _halves(plural)
    known, unseen = (c[train], plural[train]), (c[test], plural[test])
    best = int(np.argmax(_told_by_thresholds(*known, *known)))
    return Told(
        distance,
        int(test.sum()),
        float(np.mean(probed(*known, c[test]) == plural[test])),
        float(_told_by_thresholds(*known, *unseen)[best]),
        float(max(np.mean(plural[test]), np.mean(~plural[test]))),
    )


def probed(states: np.ndarray, plural: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of other sentences a ridge regression on these takes for plural, bool `[others]`.

    Args:
        states: of the sentences that train it, `[sentences, units]`.
        plural: bool `[sentences]`.
        others: states of those that it is asked about, `[others, units]`.

    Example:
        >>> states = np.array([[1.0, 0.3], [2.0, 0.1], [-1.0, 0.2], [-2.0, 0.4]])
        >>> probed(states, states[:, 0] > 0, np.array([[0.5, 9.0], [-3.0, 0.0]])).tolist()
        [True, False]
    """
    mean, spread = states.mean(axis=0), states.std(axis=0) + 1e-6
    x, y = (states - mean) / spread, np.where(plural, 1.0, -1.0)
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    return ((others - mean) / spread) @ weights + y.mean() > 0


def _halves(plural: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which sentences train, and which are tried, bool `[sentences]`: half of each number."""
    train, random = np.zeros(len(plural), bool), np.random.default_rng(0)
    for number in (True, False):
        some = random.permutation(np.flatnonzero(plural == number))
        train[some[: (len(some) + 1) // 2]] = True
    return train, ~train
