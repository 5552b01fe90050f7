"""A corpus in which subject and verb agree across attractors, and cases to ask a model.

Between a subject and its verb stand places, and clauses with subjects and verbs of their own, one
in the other. Their nouns are of either number, and each of the other number than the subject is an
*attractor*, which says the wrong verb. Distance grows with them, so that figures by attractors show
both.

    The cat near the barns that the dogs behind the tree like is happy.

Some nouns stand in training only beside their verb ("The foxes are happy."): a model that knows
what number is, and not only which words go together, takes them across a distance all the same.

Source of the question: Linzen, Dupoux and Goldberg 2016, "Assessing the ability of LSTMs to learn
syntax-sensitive dependencies"; the sentences are the project's own.
"""

from __future__ import annotations

import dataclasses
import functools
import random

from tasks.language.demo import ADJECTIVES, NOUNS, PLACES, STATES

SIZES = {"train": 12_000, "validation": 600, "test": 600}
DEEPEST = 3  # clauses in clauses
MOST_ATTRACTORS = 8

# Nouns that training has only beside their verb.
BESIDE_THEIR_VERB = {
    "fox": "foxes",
    "sailor": "sailors",
    "queen": "queens",
    "wolf": "wolves",
    "painter": "painters",
    "guest": "guests",
}
PREPOSITIONS = ["near", "behind", "beside", "from", "with"]
# Of the sentence, singular and plural, then of clauses in it.
VERBS = [("is", "are"), ("was", "were"), ("looks", "look")]
INNER_VERBS = [("likes", "like"), ("sees", "see"), ("feeds", "feed"), ("knows", "know")]
# How many modifiers a subject has, 0 to 4, in so many of 20 sentences; those that a model is asked
# about have up to twice as many.
MODIFIERS = (4, 6, 5, 3, 2)
MOST_MODIFIERS = 8


@dataclasses.dataclass(frozen=True)
class Case:
    """A sentence up to its verb, with the verb that agrees and the one that does not.

    Attributes:
        beginning: ends before the verb.
        right, wrong: one word each.
        distance: words between subject and verb.
        attractors: nouns between them of the other number.
        clauses: how deep clauses lie in each other between them, 0 without any.
        beside: whether training has the subject only beside its verb.
    """

    beginning: str
    right: str
    wrong: str
    distance: int
    attractors: int
    clauses: int
    beside: bool = False


@functools.cache
def corpus(seed: int = 0) -> dict[str, list[str]]:
    """Sentences by split; no long one is in two splits."""
    seen: set[str] = set()
    parts = {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} attractors {split}")
        sentences: list[str] = []
        while len(sentences) < size:
            beside = rng.random() < 0.1
            (modifiers,) = [0] if beside else rng.choices(range(len(MODIFIERS)), MODIFIERS)
            case = _case(rng, beside, modifiers)
            sentence = f"{case.beginning} {case.right} {rng.choice(STATES)}."
            if split == "train" or case.distance == 0 or sentence not in seen:
                sentences.append(sentence)
        seen.update(sentences)
        parts[split] = sentences
    return parts


@functools.cache
def cases(count: int, beside: bool = False, seed: int = 0) -> tuple[Case, ...]:
    """`count` cases of each number of attractors, whose beginnings training does not have.

    Args:
        count: of each number from 0 to `MOST_ATTRACTORS`.
        beside: with the nouns that training has only beside their verb.
        seed: of the cases.
    """
    rng = random.Random(f"{seed} attractors cases {beside}")
    known = {sentence.rsplit(" ", 2)[0] for sentence in corpus()["train"]}
    wanted = dict.fromkeys(range(MOST_ATTRACTORS + 1), count)
    found = []
    while any(wanted.values()):
        case = _case(rng, beside, rng.randint(1, MOST_MODIFIERS))
        if wanted.get(case.attractors) and case.beginning not in known:
            wanted[case.attractors] -= 1
            found.append(case)
    return tuple(sorted(found, key=lambda case: case.attractors))


def _case(rng: random.Random, beside: bool, modifiers: int) -> Case:
    singular, plural = rng.choice(list((BESIDE_THEIR_VERB if beside else NOUNS).items()))
    number = rng.randrange(2)
    verbs = rng.choice(VERBS)
    between = _Between(rng)
    for _ in range(modifiers):
        between.add(level=1)
    words = ["The", (singular, plural)[number], *between.words]
    attractors = sum(one != number for one in between.numbers)
    return Case(
        " ".join(words), verbs[number], verbs[1 - number],
        len(between.words), attractors, between.deepest, beside,
    )  # fmt: skip


class _Between:
    """What stands between a subject and its verb, and what is in it."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.words: list[str] = []
        self.numbers: list[int] = []
        self.deepest = 0

    def add(self, level: int) -> None:
        """A place, or a clause at this level."""
        if level > DEEPEST or self.rng.random() < 0.6:
            self.words.append(self.rng.choice(PREPOSITIONS))
            self._noun(PLACES)
            return
        self.deepest = max(self.deepest, level)
        self.words.append("that")
        number = self._noun(NOUNS)
        if self.rng.random() < 0.5:
            self.add(level + 1)
        self.words.append(self.rng.choice(INNER_VERBS)[number])

    def _noun(self, nouns: dict[str, str]) -> int:
        number = self.rng.randrange(2)
        self.numbers.append(number)
        self.words.append("the")
        if self.rng.random() < 0.3:
            self.words.append(self.rng.choice(ADJECTIVES))
        self.words.append(self.rng.choice(list(nouns.items()))[number])
        return number
