"""Notes by name and by number, and pieces as lists of frames and as arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from tasks.data.errors import UserError
from zoo.configuration import HIGHEST_KEY, KEYS, LOWEST_KEY

# The MIDI numbers that sound at a step, ascending; and a piece: one frame after the other.
Frame = list[int]
Piece = list[Frame]

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
_NAME = re.compile(r"([A-G])([#♯b♭]*)(-?\d)")
_OCTAVE = 12


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


def numbers_of(text: str, flag: str = "seed_notes") -> Frame:
    """The MIDI numbers of notes by their names or numbers, ascending, each once.

    Args:
        text: such as `"C4 E4 G4"` or `"60, 64, 67"`, middle C is C4; of nothing or a dash, none.
        flag: where it comes from, for the message.

    Raises:
        UserError: what is there is no note, or none of a piano.

    Example:
        >>> numbers_of("G4 C4 Eb4 60"), numbers_of("")
        ([60, 63, 67], [])
    """
    found = set()
    for word in text.replace(",", " ").replace("–", " ").split():
        match = _NAME.fullmatch(word[:1].upper() + word[1:])
        if match:
            letter, accidentals, octave = match.groups()
            shift = sum(_ACCIDENTALS[one] for one in accidentals)
            number = _OCTAVE * (int(octave) + 1) + _LETTERS[letter] + shift
        elif word.isdecimal():
            number = int(word)
        else:
            raise UserError(
                f"--{flag}: expected notes such as C4, F#3 and Bb5, or MIDI numbers. Received: "
                f"{word!r}"
            )
        if not is_key(number):
            raise UserError(
                f"--{flag}: expected keys of a piano, {name_of(LOWEST_KEY)} to "
                f"{name_of(HIGHEST_KEY)}, which are {LOWEST_KEY} to {HIGHEST_KEY}. Received: "
                f"{word!r}"
            )
        found.add(number)
    return sorted(found)


def is_key(number: int) -> bool:
    """Whether a piano has a key for a MIDI number."""
    return LOWEST_KEY <= number <= HIGHEST_KEY


def as_array(piece: Piece) -> np.ndarray:
    """A piece as uint8 `[frames, 88]`, 1 where a key sounds.

    Example:
        >>> as_array([[60, 64], []]).sum(axis=1).tolist()
        [2, 0]
    """
    frames = np.zeros([len(piece), KEYS], np.uint8)
    for t, frame in enumerate(piece):
        frames[t, np.array(frame, int) - LOWEST_KEY] = 1
    return frames


def as_piece(frames: Iterable[np.ndarray]) -> Piece:
    """The piece of an array `[frames, 88]`.

    Example:
        >>> as_piece(as_array([[60, 64], []]))
        [[60, 64], []]
    """
    return [(np.flatnonzero(frame) + LOWEST_KEY).tolist() for frame in frames]


def padded(pieces: Sequence[Piece]) -> tuple[np.ndarray, np.ndarray]:
    """Pieces as bool `[pieces, longest, 88]`, silent behind each, and their lengths `[pieces]`."""
    lengths = np.array([len(piece) for piece in pieces], np.int32)
    frames = np.zeros([len(pieces), lengths.max(initial=0), KEYS], bool)
    for row, piece in zip(frames, pieces, strict=True):
        row[: len(piece)] = as_array(piece)
    return frames, lengths
