"""What is known of characters before any graph: tables of NumPy, made once from `unicodedata`.

All of them are the tables of Unicode 14, whatever version the running Python knows, so that the
same text gives the same tokens wherever a model is trained: what is said of a character's
composition never changes once it is there, and the few marks that later versions add are left out.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Unicode 14 to 15.1: marks that were not there before.
_NEWER = frozenset([*range(0x10EFD, 0x10F00), 0x11F41, 0x11F42, 0x1E08F, *range(0x1E4EC, 0x1E4F0)])
# Where letters with marks, and marks, can lie; between them are ideographs and syllables.
_ALPHABETS = (range(0xA0, 0x3100), range(0xA600, 0xAC00), range(0xF900, 0x10000))
_FURTHER = (range(0x10000, 0x12000), range(0x16A00, 0x17000), range(0x1B000, 0x1F000))
_COMPATIBILITY_IDEOGRAPHS = range(0x2F800, 0x2FA20)

# Hangul syllables are computed: 19 first consonants, 21 vowels, 27 last consonants or none.
SYLLABLES, FIRST_CONSONANTS, VOWELS, LAST_CONSONANTS = 0xAC00, 0x1100, 0x1161, 0x11A7
FIRST_COUNT, VOWEL_COUNT, LAST_COUNT = 19, 21, 28
SYLLABLE_COUNT = FIRST_COUNT * VOWEL_COUNT * LAST_COUNT


class Replacements(NamedTuple):
    """What replaces a character: for `codes[i]`, the `counts[i]` numbers of `values` from
    `offsets[i]` on. `codes` are in order."""

    codes: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    values: np.ndarray


def replacements(table: Mapping[int, Sequence[int]]) -> Replacements:
    """A mapping from characters to none, one or more of them, as arrays.

    Example:
        >>> replacements({0x2026: [46, 46, 46], 0xAD: []}).counts
        array([0, 3], dtype=int32)
    """
    codes = sorted(table)
    counts = np.array([len(table[code]) for code in codes], np.int32)
    values = np.fromiter(itertools.chain.from_iterable(table[code] for code in codes), np.int32)
    offsets = np.cumsum(counts, dtype=np.int32) - counts
    return Replacements(np.array(codes, np.int32), counts, offsets, values)


@functools.cache
def decompositions() -> dict[int, tuple[int, ...]]:
    """Characters that are made of others, and of which: canonical, down to the last, without Hangul
    syllables."""
    found = {}
    for code in _with_properties():
        parts = _numbers(unicodedata.normalize("NFD", chr(code)))
        if parts != (code,):
            found[code] = parts
    return found


@functools.cache
def recomposed() -> dict[int, tuple[int, ...]]:
    """Characters that NFC never leaves as they are, and what it writes for each."""
    composed = {
        code: _numbers(unicodedata.normalize("NFC", chr(code))) for code in decompositions()
    }
    return {code: parts for code, parts in composed.items() if parts != (code,)}


@functools.cache
def combining_classes() -> dict[int, int]:
    """The marks whose order among others is fixed, and their canonical combining classes."""
    classes = {code: unicodedata.combining(chr(code)) for code in _with_properties()}
    return {code: number for code, number in classes.items() if number}


@functools.cache
def pairs() -> dict[tuple[int, int], int]:
    """Two characters that NFC writes as one, and which; without Hangul syllables."""
    found = {}
    for code in decompositions().keys() - recomposed().keys():
        first, second = unicodedata.decomposition(chr(code)).split()
        found[int(first, 16), int(second, 16)] = code
    return found


def second_in_pairs() -> set[int]:
    """Characters that may become one with what comes before them; the vowels and last consonants
    of Hangul too."""
    hangul = [
        *range(VOWELS, VOWELS + VOWEL_COUNT),
        *range(LAST_CONSONANTS + 1, LAST_CONSONANTS + LAST_COUNT),
    ]
    return {second for _, second in pairs()}.union(hangul)


def ranges(codes: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of characters.

    Example:
        >>> ranges([3, 1, 2, 9])
        [(1, 3), (9, 9)]
    """
    found: list[tuple[int, int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def pattern(codes: Iterable[int]) -> str:
    """Characters as they stand within the brackets of a regular expression.

    Example:
        >>> print(pattern([0xE000, 0xE001, 0xFE00]))
        \\x{E000}-\\x{E001}\\x{FE00}
    """
    return "".join(
        f"\\x{{{first:X}}}" + (f"-\\x{{{last:X}}}" if last > first else "")
        for first, last in ranges(codes)
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


@functools.cache
def _with_properties() -> list[int]:
    """Where to look: asking each of 1,114,112 characters takes half a second."""
    where = (*_ALPHABETS, *_FURTHER, _COMPATIBILITY_IDEOGRAPHS)
    return [code for code in itertools.chain(*where) if code not in _NEWER]
