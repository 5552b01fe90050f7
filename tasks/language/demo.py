"""The built-in corpus of sentences for language models, from a small grammar.

A third of the sentences have a subject and a verb that agree over a distance, with nouns of either
number in between:

    The cat , which already ate the fish near the old barns , was full .
    The cats , which already ate the fish near the old barns , were full .

To predict "was" or "were" a model must remember one thing, the number of the subject, from the
second word on. Others are about food, so that it is "The apple and pear salad" and not "pair".
"""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

SIZES = {"train": 12000, "validation": 600, "test": 600}
AGREEMENT_SHARE = 0.4
# Words between a subject and its verb, at most.
LONGEST = 16

NOUNS = {
    "cat": "cats",
    "dog": "dogs",
    "bird": "birds",
    "child": "children",
    "farmer": "farmers",
    "teacher": "teachers",
    "horse": "horses",
    "friend": "friends",
    "neighbour": "neighbours",
    "doctor": "doctors",
    "boy": "boys",
    "girl": "girls",
}
PLACES = {
    "barn": "barns",
    "tree": "trees",
    "river": "rivers",
    "house": "houses",
    "garden": "gardens",
    "bridge": "bridges",
}
MEALS = ["fish", "bread", "soup", "cheese", "rice", "cake"]
ADJECTIVES = ["old", "small", "green", "quiet", "big", "young"]
STATES = ["full", "happy", "tired", "hungry", "asleep", "late"]
VERBS = [("was", "were"), ("is", "are"), ("has been", "have been")]
DOINGS = ["ate", "found", "saw", "wanted", "liked", "bought"]
FRUITS = ["apple", "pear", "plum", "cherry", "peach", "melon"]
DISHES = ["salad", "cake", "pie", "juice", "jam"]
TASTES = ["fresh", "sweet", "cold", "ready", "gone", "good"]
CLOTHES = ["shoes", "socks", "gloves", "boots", "trousers", "glasses"]


# Distances that the grammar has often enough.
DISTANCES = (4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)


class Agreement(NamedTuple):
    """A sentence up to its verb, the verb that agrees with the subject, and the one that does not.

    `distance` counts the words between the subject and the verb, punctuation included.
    """

    beginning: str
    right: str
    wrong: str
    distance: int


@functools.cache
def corpus(seed: int = 0) -> dict[str, list[str]]:
    """Sentences by split; none is in two splits."""
    seen: set[str] = set()
    parts = {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} {split}")
        sentences: list[str] = []
        while len(sentences) < size:
            if rng.random() < AGREEMENT_SHARE:
                case = _agreement(rng)
                sentence = f"{case.beginning} {case.right} {rng.choice(STATES)}."
            else:
                sentence = _plain(rng)
            # Short ones repeat themselves in training, never from one split to another.
            if split == "train" or sentence not in seen:
                sentences.append(sentence)
            if split == "train":
                seen.add(sentence)
        parts[split] = sentences
    return parts


@functools.cache
def agreements(distances: tuple[int, ...], count: int, seed: int = 0) -> list[Agreement]:
    """`count` cases of each distance whose beginnings are not in the training split."""
    rng = random.Random(f"{seed} agreement")
    training = corpus()["train"]
    known = {sentence.rsplit(" ", 2)[0] for sentence in training}
    wanted = dict.fromkeys(distances, count)
    if not set(distances) <= set(DISTANCES):
        raise ValueError(f"distances: expected some of {DISTANCES}. Received: {distances}")
    cases = []
    while any(wanted.values()):
        case = _agreement(rng)
        if wanted.get(case.distance) and case.beginning not in known:
            wanted[case.distance] -= 1
            cases.append(case)
    return sorted(cases, key=lambda case: case.distance)


def _agreement(rng: random.Random) -> Agreement:
    singular, plural = rng.choice(list(NOUNS.items()))
    number = rng.randrange(2)
    right, wrong = (pair := rng.choice(VERBS[:2]))[number], pair[1 - number]
    between = _between(rng)
    return Agreement(
        f"The {(singular, plural)[number]}{between}",
        right,
        wrong,
        len(between.replace(",", " ,").split()),
    )


def _between(rng: random.Random) -> str:
    """What stands between a subject and its verb."""
    if rng.random() < 0.15:
        return ""
    clause, ends = rng.choice(
        [("which", ","), ("which already", ","), ("that", ""), ("who never", ",")]
    )
    words = [clause, rng.choice(DOINGS), "the", rng.choice(MEALS)]
    target = rng.randint(4, LONGEST)
    while len(words) < target - 4:
        words += [rng.choice(["near", "behind", "of"]), "the", *_thing(rng)]
    comma = "," if ends else ""
    return f"{comma} {' '.join(words)}{comma}"


def _thing(rng: random.Random) -> list[str]:
    """A noun of either number, to be passed over."""
    names = NOUNS if rng.random() < 0.4 else PLACES
    noun = rng.choice(rng.choice(list(names.items())))
    return [rng.choice(ADJECTIVES), noun] if rng.random() < 0.4 else [noun]


def _plain(rng: random.Random) -> str:
    kind = rng.random()
    fruit, other = rng.sample(FRUITS, 2)
    dish, taste = rng.choice(DISHES), rng.choice(TASTES)
    number = rng.randrange(2)
    people, verb = rng.choice(list(NOUNS.items()))[number], VERBS[0][number]
    if kind < 0.15:
        return f"The {fruit} and {other} {dish}."
    if kind < 0.35:
        return f"The {fruit} and {other} {dish} is {taste}."
    if kind < 0.5:
        return f"The {people} {rng.choice(DOINGS)} the {fruit} {dish}."
    if kind < 0.65:
        return f"The {people} {rng.choice(DOINGS)} a pair of {rng.choice(CLOTHES)}."
    if kind < 0.75:
        return f"A pair of {rng.choice(CLOTHES)} is {rng.choice(['new', 'old', 'cheap', 'gone'])}."
    return f"The {people} {verb} {rng.choice(STATES)}."
