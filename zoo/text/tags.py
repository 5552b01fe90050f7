"""Tagged sentences, and the schemes that write entities as one tag for each token.

                Teddy    Roosevelt  visited  Paris   France
    IOB1        I-PER    I-PER      O        I-LOC   B-LOC
    BIO (IOB2)  B-PER    I-PER      O        B-LOC   B-LOC
    BIOES       B-PER    E-PER      O        S-LOC   S-LOC
    BILOU       B-PER    L-PER      O        U-LOC   U-LOC

All of them are read by one rule, that of conlleval, which also accepts what no scheme allows, such
as the output of a tagger without a CRF. What a model learns is always BIO.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"

_ENTITY_TAG = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
# A prefix whose type is missing: what is left of a broken entity tag.
_BROKEN_TAG = re.compile(r"[BIESLU]-")
_BARE_PREFIXES = frozenset("BIESLU")
# By scheme, the letters of an entity of one word, and of the last word of a longer one, where they
# have their own. BILOU is BIOES in other letters.
SCHEMES = {"BIO": ("", ""), "IOB1": ("", ""), "BIOES": ("S", "E"), "BILOU": ("U", "L")}
_AS_BIOES = {"L": "E", "U": "S"}


class Sentence(NamedTuple):
    """Tokens and their tags, one tag for each token."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and type of an entity tag; the prefixes of BILOU come back as those of BIOES.

    Returns:
        `("O", "")` for a token outside, else the prefix, one of B, I, E, S, and the type.

    Raises:
        ValueError: the tag fits no scheme.

    Example:
        >>> split_tag("U-creative-work")
        ('S', 'creative-work')
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _ENTITY_TAG.fullmatch(tag)
    if match is None:
        raise ValueError(
            "expected an entity tag (O, or B- I- E- S- L- U- and a type, such as B-PER), "
            f"found {tag!r}"
        )
    prefix, entity_type = match.groups()
    return _AS_BIOES.get(prefix, prefix), entity_type


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities of one sentence in any scheme, read leniently as conlleval does.

    An entity begins at B and S, and at an I or E which continues nothing: after O, after an entity
    of another type, or after E or S.

    Returns:
        `(type, start, end)` for each entity, from left to right; `end` is exclusive.

    Raises:
        ValueError: a tag fits no scheme.

    Example:
        >>> entities(["B-PER", "I-PER", "O", "I-LOC"])
        [('PER', 0, 2), ('LOC', 3, 4)]
    """
    found: list[tuple[str, int, int]] = []
    open_type = ""  # of the entity that the next tag may continue
    for position, tag in enumerate(tags):
        prefix, entity_type = split_tag(tag)
        if prefix in ("I", "E") and entity_type == open_type:
            _, start, _ = found.pop()
            found.append((entity_type, start, position + 1))
        elif prefix != OUTSIDE:
            found.append((entity_type, position, position + 1))
        open_type = entity_type if prefix in ("B", "I") else ""
    return found


def to_bio(tags: Sequence[str]) -> list[str]:
    """The tags of one sentence, in whatever scheme, as BIO.

    Raises:
        ValueError: a tag fits no scheme.

    Example:
        >>> to_bio(["I-LOC", "B-LOC", "O", "U-PER"])
        ['B-LOC', 'B-LOC', 'O', 'B-PER']
    """
    return to_scheme(tags, "BIO")


def to_scheme(tags: Sequence[str], scheme: str) -> list[str]:
    """The tags of one sentence, in whatever scheme, in one of `SCHEMES`.

    Raises:
        ValueError: a tag fits no scheme.

    Example:
        >>> to_scheme(["B-LOC", "B-LOC", "O", "B-PER", "I-PER"], "BIOES")
        ['S-LOC', 'S-LOC', 'O', 'B-PER', 'E-PER']
    """
    alone, last = SCHEMES[scheme]
    written, end_before, type_before = [OUTSIDE] * len(tags), 0, ""
    for entity_type, start, end in entities(tags):
        touches = start == end_before and entity_type == type_before
        prefixes = ["B" if scheme != "IOB1" or touches else "I", *"I" * (end - start - 1)]
        if last and len(prefixes) > 1:
            prefixes[-1] = last
        elif alone and len(prefixes) == 1:
            prefixes = [alone]
        written[start:end] = [f"{prefix}-{entity_type}" for prefix in prefixes]
        end_before, type_before = end, entity_type
    return written


def scheme_of(sentences: Iterable[Sequence[str]]) -> str | None:
    """The scheme of a whole corpus, given the tags of each sentence.

    Returns:
        `"BIOES"` (also for BILOU), `"IOB1"`, `"BIO"`, or None where no tag marks an entity, as with
        parts of speech. Tags that follow neither IOB1 nor BIO throughout count as BIO with errors.

    Raises:
        ValueError: some tags mark entities, and another one fits no scheme.

    Example:
        >>> scheme_of([["O", "I-PER", "I-PER"], ["I-LOC", "B-LOC"]])
        'IOB1'
    """
    sentences = [list(tags) for tags in sentences]
    scheme = _scheme_of_set({tag for tags in sentences for tag in tags})
    if scheme != "BIO":
        return scheme
    starts_with_i = starts_with_needless_b = False
    for tags in sentences:
        previous_type = ""
        for prefix, entity_type in map(split_tag, tags):
            continues = entity_type == previous_type
            starts_with_i |= prefix == "I" and not continues
            starts_with_needless_b |= prefix == "B" and not continues
            previous_type = entity_type
    return "IOB1" if starts_with_i and not starts_with_needless_b else "BIO"


def forbidden_transitions(
    tag_names: Sequence[str],
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """What BIO or BIOES (BILOU) never writes, as indices into `tag_names`, for a CRF.

    BIO: I-X comes only after B-X or I-X. BIOES: besides, an entity that has begun with B must go
    on until its E. Tag sets without entities, such as parts of speech, forbid nothing.

    Returns:
        Pairs `(from, to)`, the tags that never come first, and those that never come last.

    Raises:
        ValueError: some tags mark entities, and another one fits no scheme.

    Example:
        >>> forbidden_transitions(["O", "B-PER", "I-PER"])
        ([(0, 2)], [2], [])
    """
    scheme = _scheme_of_set(set(tag_names))
    if scheme is None:
        return [], [], []
    parts = [split_tag(tag) for tag in tag_names]
    continuing = [prefix in ("I", "E") for prefix, _ in parts]
    unfinished = [scheme == "BIOES" and prefix in ("B", "I") for prefix, _ in parts]

    def is_forbidden(one: int, next_one: int) -> bool:
        if continuing[next_one]:
            return parts[one] not in [(prefix, parts[next_one][1]) for prefix in "BI"]
        return unfinished[one]

    indices = range(len(tag_names))
    pairs = [(one, other) for one in indices for other in indices if is_forbidden(one, other)]
    starts = [index for index in indices if continuing[index]]
    ends = [index for index in indices if unfinished[index]]
    return pairs, starts, ends


def _scheme_of_set(tag_set: set[str]) -> str | None:
    """As far as the set of tags tells: `"BIOES"`, `"BIO"` (or IOB1), or None."""
    # Some sets of parts of speech have a tag O or S as well: letters alone mark entities only
    # where all tags are such letters.
    marks_entities = any(_ENTITY_TAG.fullmatch(tag) for tag in tag_set)
    broken = any(_BROKEN_TAG.fullmatch(tag) for tag in tag_set)
    only_letters = not tag_set <= {OUTSIDE} and tag_set <= _BARE_PREFIXES | {OUTSIDE}
    if not (marks_entities or broken or only_letters):
        return None
    prefixes = {split_tag(tag)[0] for tag in sorted(tag_set)}
    return "BIOES" if prefixes & {"E", "S"} else "BIO"
