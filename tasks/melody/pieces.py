"""Pieces as lists of frames and as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.data.errors import UserError
from zoo import notes
from zoo.configuration import KEYS, LOWEST_KEY

# The MIDI numbers that sound at a step, ascending; and a piece: one frame after the other.
Frame = list[int]
Piece = list[Frame]


def numbers_of(text: str, flag: str) -> Frame:
    """`zoo.notes.numbers_of` of what a flag says.

    Raises:
        UserError: what is there is no note, or none of a piano.
    """
    try:
        return notes.numbers_of(text)
    except ValueError as error:
        raise UserError(f"--{flag}: {error}") from None


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
