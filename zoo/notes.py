"""Notes by name and by MIDI number. Needs neither TensorFlow nor NumPy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.configuration import HIGHEST_KEY, LOWEST_KEY

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
_NAME = re.compile(r"([A-G])([#♯b♭]*)(-?\d)")
_OCTAVE = 12
# What stands for silence.
_DASHES = ("-", "–", "—")


def name_of(number: int) -> str:
    """The name of a MIDI number.

    Example:
        >>> name_of(60), name_of(21), name_of(70)
        ('C4', 'A0', 'Bb4')
    """
    return f"{_NAMES[number % _OCTAVE]}{number // _OCTAVE - 1}"


def named(frame: Sequence[int]) -> str:
    """The names of the notes of a frame; a dash for silence.

    Example:
        >>> named([60, 64, 67]), named([])
        ('C4 E4 G4', '–')
    """
    return " ".join(map(name_of, frame)) or "–"


def numbers_of(text: str) -> list[int]:
    """The MIDI numbers of notes by their names or numbers, ascending, each once.

    Args:
        text: such as `"C4 E4 G4"` or `"60, 64, 67"`, middle C is C4; of nothing or a dash, none.

    Raises:
        ValueError: what is there is no note, or none of a piano.

    Example:
        >>> numbers_of("G4 C4 Eb4 60"), numbers_of("")
        ([60, 63, 67], [])
    """
    found = set()
    for word in text.replace(",", " ").split():
        if word in _DASHES:
            continue
        match = _NAME.fullmatch(word[:1].upper() + word[1:])
        if match:
            letter, accidentals, octave = match.groups()
            shift = sum(_ACCIDENTALS[one] for one in accidentals)
            number = _OCTAVE * (int(octave) + 1) + _LETTERS[letter] + shift
        elif word.isascii() and word.isdecimal() and len(word) <= 3:
            number = int(word)
        else:
            raise ValueError(
                f"expected notes such as C4, F#3 and Bb5, or MIDI numbers. Received: {word!r}"
            )
        if not is_key(number):
            raise ValueError(
                f"expected keys of a piano, {name_of(LOWEST_KEY)} to {name_of(HIGHEST_KEY)}, which "
                f"are {LOWEST_KEY} to {HIGHEST_KEY}. Received: {word!r}"
            )
        found.add(number)
    return sorted(found)


def is_key(number: int) -> bool:
    """Whether a piano has a key for a MIDI number."""
    return LOWEST_KEY <= number <= HIGHEST_KEY
