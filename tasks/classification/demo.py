"""The built-in corpus of film reviews, from a small grammar.

A third of the reviews come in pairs with the same words in another order:

    The plot was good , not bad .      positive
    The plot was bad , not good .      negative

A network that sees a bag of words can only guess at these. No thing that a review speaks of occurs
in two splits.
"""

from __future__ import annotations

import collections
import functools
import random
import re
from collections.abc import Sequence

SIZES = {"train": 2400, "validation": 300, "test": 300}
PAIRED_SHARE = 1 / 3
LABELS = ("negative", "positive")


def _words(text: str) -> list[str]:
    return text.split()


THINGS = _words("""
    acting plot ending music camera script dialogue cast story photography pace humour romance
    villain hero editing costume scenery lighting soundtrack suspense chase opening finale
    monologue twist animation narration chemistry stunt makeup choreography
""")
GOOD = _words("""
    good great wonderful brilliant charming funny moving superb touching clever fresh excellent
    decent
""")
BAD = _words("""
    bad awful terrible boring dull silly weak dreadful lifeless clumsy stale poor tedious
""")
OPENINGS = [
    "I saw this film on {day} .",
    "We watched it with {company} .",
    "It runs for two hours .",
    "My {relative} chose this movie .",
    "The cinema was half empty .",
    "It was made in the nineties .",
]
DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
COMPANY = ["friends", "the children", "my class", "the neighbours", "colleagues", "a friend"]
RELATIVES = _words("sister brother mother father cousin aunt uncle grandmother")

# {x} has the review's polarity, {y} the opposite one.
PAIRED = [
    "The {thing} was {x} , not {y} .",
    "I expected it to be {y} , but the {thing} was {x} .",
    "Others call the {thing} {y} , I call it {x} .",
    "At first the {thing} seemed {y} ; in the end it was {x} .",
]
PLAIN = [
    "The {thing} was {x} .",
    "The {thing} was not {y} at all .",
    "What a {x} {thing} !",
    "A {x} {thing} , from beginning to end .",
    "Nobody could call the {thing} {y} .",
    "The {thing} is {x} and the rest is {x} too .",
]
VERDICTS = {
    "positive": [
        "There is a lot to like in this movie .",
        "There is nothing to dislike in this movie .",
        "I would watch it again .",
        "The {thing} could not have been better .",
    ],
    "negative": [
        "There is nothing to like in this movie .",
        "There is a lot to dislike in this movie .",
        "I would not watch it again .",
        "The {thing} could have been better .",
    ],
}


@functools.cache
def corpus(seed: int = 0) -> dict[str, list[tuple[str, str]]]:
    """(text, label) pairs by split; always the same for a seed."""
    seen: set[str] = set()
    parts = {}
    for number, (split, size) in enumerate(SIZES.items()):
        rng = random.Random(f"{seed} {split}")
        things = THINGS[number :: len(SIZES)]
        reviews: list[tuple[str, str]] = []
        while len(reviews) < size:
            paired = len(reviews) < size * PAIRED_SHARE
            new = _pair(rng, things) if paired else [_review(rng, things)]
            if seen.isdisjoint(text for text, _ in new):
                seen.update(text for text, _ in new)
                reviews += new
        rng.shuffle(reviews)
        parts[split] = reviews[:size]
    return parts


def paired(reviews: Sequence[tuple[str, str]]) -> list[int]:
    """The numbers of the reviews that have a twin with the same words and the opposite label."""
    labels = collections.defaultdict(set)
    for text, label in reviews:
        labels[_bag(text)].add(label)
    return [i for i, (text, _) in enumerate(reviews) if len(labels[_bag(text)]) > 1]


def _bag(text: str) -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"\w+|\S", text)))


def _pair(rng: random.Random, things: list[str]) -> list[tuple[str, str]]:
    template, opening = rng.choice(PAIRED), _opening(rng)
    words = {"thing": rng.choice(things)}
    good, bad = rng.choice(GOOD), rng.choice(BAD)
    return [
        (_text([*opening, template.format(x=good, y=bad, **words)]), "positive"),
        (_text([*opening, template.format(x=bad, y=good, **words)]), "negative"),
    ]


def _review(rng: random.Random, things: list[str]) -> tuple[str, str]:
    label = rng.choice(LABELS)
    x, y = (GOOD, BAD) if label == "positive" else (BAD, GOOD)
    templates = rng.sample(PLAIN, rng.randint(0, 3))
    if not templates or rng.random() < 0.4:
        templates.append(rng.choice(VERDICTS[label]))
    sentences = [
        template.format(thing=rng.choice(things), x=rng.choice(x), y=rng.choice(y))
        for template in templates
    ]
    return _text(_opening(rng) + sentences), label


def _opening(rng: random.Random) -> list[str]:
    if rng.random() < 0.4:
        return []
    return [
        rng.choice(OPENINGS).format(
            day=rng.choice(DAYS), company=rng.choice(COMPANY), relative=rng.choice(RELATIVES)
        )
    ]


def _text(sentences: list[str]) -> str:
    text = " ".join(sentences)
    for mark in ".,;!":
        text = text.replace(f" {mark}", mark)
    return text
