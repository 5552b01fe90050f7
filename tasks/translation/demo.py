"""English sentences with their French translations, made by a small grammar of both.

What a translator has to learn is in them: adjectives that move behind their noun, gender and number
that English does not show, negation in two parts around the verb, pronouns before it, elision, and
clauses within clauses. To every English sentence there is one French one.
"""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

SIZES = {"train": 20_000, "validation": 600, "test": 600}
# Shares of sentences with so many main clauses.
_CLAUSES = {1: 0.7, 2: 0.25, 3: 0.05}


class Pair(NamedTuple):
    """A text and its translation."""

    source: str
    target: str


class _Noun(NamedTuple):
    en: tuple[str, str]
    fr: tuple[str, str]
    feminine: bool


class _Adjective(NamedTuple):
    en: str
    masculine: tuple[str, str]
    feminine: tuple[str, str]
    before: bool = False
    before_vowel: str = ""

    def fr(self, noun: _Noun, plural: int) -> str:
        return (self.feminine if noun.feminine else self.masculine)[plural]


class _Verb(NamedTuple):
    """In the present: `en` as an infinitive and in the third person, `fr` singular and plural; the
    past of both as it stands behind "a" and "ont"."""

    en: tuple[str, str]
    past: str
    fr: tuple[str, str]
    participle: str


class _Phrase(NamedTuple):
    """A noun with all that belongs to it, in both languages."""

    en: str
    fr: str
    plural: int
    feminine: bool
    states: list[_Adjective]


def _nouns(lines: str) -> list[_Noun]:
    rows = [line.split() for line in lines.strip().splitlines()]
    return [_Noun((a, b), (c, d), gender == "f") for a, b, c, d, gender in rows]


_PERSONS = _nouns("""
    boy boys garçon garçons m
    girl girls fille filles f
    child children enfant enfants m
    teacher teachers professeur professeurs m
    singer singers chanteuse chanteuses f
    student students étudiante étudiantes f
    friend friends ami amis m
    queen queens reine reines f
    king kings roi rois m
    farmer farmers fermier fermiers m
    aunt aunts tante tantes f
    uncle uncles oncle oncles m
    neighbour neighbours voisin voisins m
""")
_ANIMALS = _nouns("""
    cat cats chat chats m
    dog dogs chien chiens m
    horse horses cheval chevaux m
    bird birds oiseau oiseaux m
    cow cows vache vaches f
    mouse mice souris souris f
    goat goats chèvre chèvres f
""")
_THINGS = _nouns("""
    apple apples pomme pommes f
    tree trees arbre arbres m
    house houses maison maisons f
    car cars voiture voitures f
    book books livre livres m
    letter letters lettre lettres f
    hat hats chapeau chapeaux m
    flower flowers fleur fleurs f
    church churches église églises f
    hotel hotels hôtel hôtels m
    boat boats bateau bateaux m
    bridge bridges pont ponts m
    table tables table tables f
    star stars étoile étoiles f
    garden gardens jardin jardins m
    island islands île îles f
""")
_COLOURS = [
    _Adjective("red", ("rouge", "rouges"), ("rouge", "rouges")),
    _Adjective("black", ("noir", "noirs"), ("noire", "noires")),
    _Adjective("white", ("blanc", "blancs"), ("blanche", "blanches")),
    _Adjective("green", ("vert", "verts"), ("verte", "vertes")),
]
_MOODS = [
    _Adjective("happy", ("heureux", "heureux"), ("heureuse", "heureuses")),
    _Adjective("quiet", ("tranquille", "tranquilles"), ("tranquille", "tranquilles")),
    _Adjective("tired", ("fatigué", "fatigués"), ("fatiguée", "fatiguées")),
    _Adjective("ready", ("prêt", "prêts"), ("prête", "prêtes")),
]
_BEFORE = [
    _Adjective("old", ("vieux", "vieux"), ("vieille", "vieilles"), True, "vieil"),
    _Adjective("beautiful", ("beau", "beaux"), ("belle", "belles"), True, "bel"),
    _Adjective("new", ("nouveau", "nouveaux"), ("nouvelle", "nouvelles"), True, "nouvel"),
    _Adjective("small", ("petit", "petits"), ("petite", "petites"), True),
    _Adjective("big", ("grand", "grands"), ("grande", "grandes"), True),
    _Adjective("good", ("bon", "bons"), ("bonne", "bonnes"), True),
]
# What nouns are of, and what is said of them behind "is".
_KINDS = [
    (_PERSONS, [*_MOODS, *_BEFORE], _MOODS),
    (_ANIMALS, [*_COLOURS, *_MOODS, *_BEFORE], [*_COLOURS, *_MOODS]),
    (_THINGS, [*_COLOURS, *_BEFORE], _COLOURS),
]
_LIVING, _INANIMATE, _ALL = [0, 1], [2], [0, 1, 2]
_ALONE = [
    _Verb(("sleep", "sleeps"), "slept", ("dort", "dorment"), "dormi"),
    _Verb(("run", "runs"), "ran", ("court", "courent"), "couru"),
    _Verb(("sing", "sings"), "sang", ("chante", "chantent"), "chanté"),
    _Verb(("swim", "swims"), "swam", ("nage", "nagent"), "nagé"),
    _Verb(("smile", "smiles"), "smiled", ("sourit", "sourient"), "souri"),
    _Verb(("wait", "waits"), "waited", ("attend", "attendent"), "attendu"),
    _Verb(("work", "works"), "worked", ("travaille", "travaillent"), "travaillé"),
]
_WITH_OBJECT = [
    _Verb(("see", "sees"), "saw", ("voit", "voient"), "vu"),
    _Verb(("love", "loves"), "loved", ("aime", "aiment"), "aimé"),
    _Verb(("watch", "watches"), "watched", ("regarde", "regardent"), "regardé"),
    _Verb(("hear", "hears"), "heard", ("entend", "entendent"), "entendu"),
    _Verb(("carry", "carries"), "carried", ("porte", "portent"), "porté"),
    _Verb(("look for", "looks for"), "looked for", ("cherche", "cherchent"), "cherché"),
    _Verb(("find", "finds"), "found", ("trouve", "trouvent"), "trouvé"),
    _Verb(("forget", "forgets"), "forgot", ("oublie", "oublient"), "oublié"),
]
_PLACES = [("in", "dans"), ("behind", "derrière"), ("under", "sous"), ("in front of", "devant")]
_TIMES = [
    ("today", "aujourd'hui"),
    ("every day", "tous les jours"),
    ("in the morning", "le matin"),
    ("on Sunday", "dimanche"),
    ("with pleasure", "avec plaisir"),
]
_JOINED_BY = [("and", "et"), ("but", "mais"), ("because", "parce que"), ("when", "quand")]
# By what English says: French for masculine, feminine, plural, and before a vowel.
_DETERMINERS = {
    "the": ("le", "la", "les", "l'", "l'"),
    "this": ("ce", "cette", "ces", "cet", "cette"),
    "my": ("mon", "ma", "mes", "mon", "mon"),
    "her": ("son", "sa", "ses", "son", "son"),
    "our": ("notre", "notre", "nos", "notre", "notre"),
    "a": ("un", "une", "des", "un", "une"),
}


@functools.cache
def corpus(seed: int = 0) -> dict[str, list[Pair]]:
    """Pairs by split; no English sentence is in two splits."""
    seen: set[str] = set()
    parts = {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} {split}")
        pairs: list[Pair] = []
        while len(pairs) < size:
            count = rng.choices(list(_CLAUSES), list(_CLAUSES.values()))[0]
            pair = sentence(rng, count)
            if split == "train" or pair.source not in seen:
                pairs.append(pair)
        seen |= {pair.source for pair in pairs}
        parts[split] = pairs
    return parts


@functools.cache
def by_clauses(clauses: int, count: int, seed: int = 0) -> list[Pair]:
    """Pairs of so many main clauses each, whose English is not in the training part."""
    known = {pair.source for pair in corpus()["train"]}
    rng, found = random.Random(f"{seed} {clauses} clauses"), dict[str, Pair]()
    while len(found) < count:
        pair = sentence(rng, clauses)
        if pair.source not in known:
            found[pair.source] = pair
    return list(found.values())


def sentence(rng: random.Random, clauses: int = 1) -> Pair:
    """A sentence of so many main clauses."""
    if clauses == 1 and rng.random() < 0.15:
        return _question(rng)
    en, fr = _clause(rng)
    for _ in range(clauses - 1):
        (en_join, fr_join), (en_next, fr_next) = rng.choice(_JOINED_BY), _clause(rng)
        en, fr = f"{en} {en_join} {en_next}", f"{fr} {_elided(fr_join, fr_next)}"
    return Pair(_capital(f"{en}."), _capital(f"{fr}."))


def _clause(rng: random.Random) -> tuple[str, str]:
    subject = _subject(rng)
    en, fr = _said_of(rng, subject)
    en, fr = f"{subject.en} {en}", f"{subject.fr} {fr}"
    if rng.random() < 0.3:
        more_en, more_fr = _place(rng) if rng.random() < 0.5 else rng.choice(_TIMES)
        en, fr = f"{en} {more_en}", f"{fr} {more_fr}"
    return en, fr


def _question(rng: random.Random) -> Pair:
    subject, verb = _noun_phrase(rng, _LIVING, 0.3), rng.choice(_ALONE)
    does = "do" if subject.plural else "does"
    fr = f"{_elided('est-ce que', subject.fr)} {verb.fr[subject.plural]} ?"
    return Pair(_capital(f"{does} {subject.en} {verb.en[0]}?"), _capital(fr))


def _subject(rng: random.Random) -> _Phrase:
    if rng.random() < 0.15:
        return rng.choice(
            [_Phrase("he", "il", 0, False, _MOODS), _Phrase("she", "elle", 0, True, _MOODS)]
        )
    return _noun_phrase(rng, _LIVING, 0.5, relative=0.15)


def _said_of(rng: random.Random, subject: _Phrase, simple: bool = False) -> tuple[str, str]:
    """A verb and what it needs, as it is said of a subject."""
    kind, negated = rng.random(), rng.random() < 0.3
    plural = subject.plural
    if kind < 0.15 and not simple:
        adjective = rng.choice(subject.states)
        forms = adjective.feminine if subject.feminine else adjective.masculine
        be = ("are not" if negated else "are") if plural else ("is not" if negated else "is")
        return (
            f"{be} {adjective.en}",
            f"{_negated(('est', 'sont')[plural], negated)} {forms[plural]}",
        )
    if kind < 0.5:
        verb, en_object, fr_object, before = rng.choice(_ALONE), "", "", ""
    else:
        verb, before = rng.choice(_WITH_OBJECT), ""
        if kind > 0.9:
            en_object, before, fr_object = *rng.choice([(" him", "le"), (" her", "la")]), ""
        else:
            thing = _noun_phrase(rng, _ALL, 0.4, denied=negated)
            en_object, fr_object = f" {thing.en}", f" {thing.fr}"
    if rng.random() < 0.25 and not before:
        en = f"did not {verb.en[0]}" if negated else verb.past
        return (
            en + en_object,
            f"{_negated(('a', 'ont')[plural], negated)} {verb.participle}{fr_object}",
        )
    do = "do" if plural else "does"
    en = f"{do} not {verb.en[0]}" if negated else verb.en[1 - plural]
    fr = _elided(before, verb.fr[plural]) if before else verb.fr[plural]
    return en + en_object, _negated(fr, negated) + fr_object


def _place(rng: random.Random) -> tuple[str, str]:
    (en, fr), thing = rng.choice(_PLACES), _noun_phrase(rng, _INANIMATE, 0.2)
    return f"{en} {thing.en}", f"{fr} {thing.fr}"


def _noun_phrase(
    rng: random.Random,
    kinds: list[int],
    adjective: float,
    relative: float = 0.0,
    denied: bool = False,
) -> _Phrase:
    """A noun of one of some `_KINDS`; given shares have an adjective, and a relative clause. What
    is denied has `de` for `un`, `une` and `des`."""
    nouns, adjectives, states = _KINDS[rng.choice(kinds)]
    noun, plural = rng.choice(nouns), int(rng.random() < 0.35)
    determiner = rng.choice(list(_DETERMINERS))
    chosen = rng.choice(adjectives) if rng.random() < adjective else None
    en, fr = noun.en[plural], noun.fr[plural]
    moved = False
    if chosen is not None:
        form = chosen.fr(noun, plural)
        moved = chosen.before
        if moved and chosen.before_vowel and not (noun.feminine or plural) and _begins_open(fr):
            form = chosen.before_vowel
        en = f"{chosen.en} {en}"
        fr = f"{form} {fr}" if moved else f"{fr} {form}"
    phrase = _Phrase(
        f"{_article(determiner, plural, en)} {en}",
        _determined(determiner, noun.feminine, plural, fr, moved, denied),
        plural,
        noun.feminine,
        states,
    )
    if rng.random() < relative:
        said_en, said_fr = _said_of(rng, phrase, simple=True)
        which = "who" if nouns is _PERSONS else "that"
        phrase = phrase._replace(
            en=f"{phrase.en} {which} {said_en}", fr=f"{phrase.fr} qui {said_fr}"
        )
    return phrase


def _article(determiner: str, plural: int, following: str) -> str:
    if determiner == "a":
        return "some" if plural else ("an" if following[0] in "aeiou" else "a")
    return "these" if determiner == "this" and plural else determiner


def _determined(
    determiner: str, feminine: bool, plural: int, following: str, moved: bool, denied: bool
) -> str:
    """French words behind their determiner."""
    forms, vowel = _DETERMINERS[determiner], _begins_open(following)
    if denied and determiner == "a":
        return _elided("de", following)
    if plural:
        # Before an adjective, `des` is `de`.
        return (
            _elided("de", following) if determiner == "a" and moved else f"{forms[2]} {following}"
        )
    form = forms[3 + feminine] if vowel else forms[feminine]
    return f"{form}{following}" if form.endswith("'") else f"{form} {following}"


def _negated(verb: str, negated: bool) -> str:
    """`ne ... pas` around a verb, and the pronoun that stands before it."""
    return f"{_elided('ne', verb)} pas" if negated else verb


def _elided(word: str, following: str) -> str:
    """Two French words; `que`, `ne`, `le` and their like lose their vowel before another one."""
    if _begins_open(following):
        return f"{word[:-1]}'{following}" if word[-1] in "ea" else f"{word} {following}"
    return f"{word} {following}"


def _begins_open(word: str) -> bool:
    """Whether a French word begins with a vowel, or with an h that is not heard."""
    return word[0] in "aeiouéèêôî" or word.startswith(("hôtel", "heureu"))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
