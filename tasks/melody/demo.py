"""The built-in pieces, composed by a small grammar: melodies over chord progressions.

    piece -> A A B A'     phrases of four bars, A as it was before; A' is half of A, and closes
    A, B  -> tonic going dominant tonic | tonic going tonic dominant | tonic tonic going dominant
    A'    -> half of A, dominant tonic     a chord for each bar, on a degree of its function

A bar has eight frames: its bass note, its chord above it, and a melody that goes by steps of the
scale and stands on a tone of the chord where the beat is strong. Bass and chord together say the
harmony: notes of a frame are never chosen each by itself.
"""

from __future__ import annotations

import functools
import random

from tasks.melody.pieces import Frame, Piece

SIZES = {"train": 300, "validation": 40, "test": 40}
BAR = 8

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 11)}
# By its function, the degrees of the scale on which a chord may stand, counted from 0.
_CHORDS = {"tonic": (0, 0, 5), "going": (3, 1, 5), "dominant": (4, 4, 6)}
_PHRASES = (
    ("tonic", "going", "dominant", "tonic"),
    ("tonic", "going", "tonic", "dominant"),
    ("tonic", "tonic", "going", "dominant"),
)
_CLOSED = ("tonic", "going", "dominant", "tonic")
# Frames of a bar in which its melody begins a note.
_RHYTHMS = ((0, 2, 4, 6), (0, 2, 3, 4, 6), (0, 4, 6), (0, 1, 2, 4, 6, 7), (0, 3, 4), (0, 4))
_STRONG = (0, 4)
# Where bass, chord and melody lie, as MIDI numbers of their lowest note.
_BASS, _CHORD, _MELODY, _SPAN = 36, 52, 67, 14


@functools.cache
def corpus() -> dict[str, list[Piece]]:
    """The splits; no piece is in two of them.

    Example:
        >>> {split: len(pieces) for split, pieces in corpus().items()}
        {'train': 300, 'validation': 40, 'test': 40}
    """
    draw = random.Random(0)
    known: set[str] = set()
    found: dict[str, list[Piece]] = {}
    for split, size in SIZES.items():
        found[split] = []
        while len(found[split]) < size:
            piece = composed(draw)
            if str(piece) not in known:
                known.add(str(piece))
                found[split].append(piece)
    return found


def composed(draw: random.Random) -> Piece:
    """A piece, as chance has it."""
    tonic, scale = draw.randrange(12), _SCALES[draw.choice(["major", "major", "minor"])]
    first, then = draw.choice(_PHRASES), draw.choice(_PHRASES)
    part_a = _phrase(draw, tonic, scale, first)
    part_b = _phrase(draw, tonic, scale, then)
    last = _phrase(draw, tonic, scale, _CLOSED)
    last[-BAR // 2 :] = [last[-BAR]] * (BAR // 2)  # it comes to rest
    return [*part_a, *part_a, *part_b, *part_a[: 2 * BAR], *last[2 * BAR :]]


def _phrase(
    draw: random.Random, tonic: int, scale: tuple[int, ...], functions: tuple[str, ...]
) -> Piece:
    """Four bars; the melody of each goes on from where the one before ended."""
    frames: Piece = []
    at = draw.randrange(3, 8)
    for function in functions:
        degree = 0 if not frames else draw.choice(_CHORDS[function])
        tones = {(scale[(degree + third) % 7] + tonic) % 12 for third in (0, 2, 4)}
        root = (scale[degree] + tonic) % 12
        bass, chord = [_from(_BASS, root)], sorted(_from(_CHORD, tone) for tone in tones)
        steps = [n for n in range(_MELODY, _MELODY + _SPAN) if (n - tonic) % 12 in scale]
        melody, at = _melody(draw, steps, tones, at)
        frames += [sorted({*bass, *chord, note}) for note in melody]
    return frames


def _melody(draw: random.Random, steps: list[int], tones: set[int], at: int) -> tuple[Frame, int]:
    """The melody of a bar, a note for each frame, and the step at which it ended."""
    begins, notes = draw.choice(_RHYTHMS), list[int]()
    for frame in range(BAR):
        if frame in begins:
            at = min(max(at + draw.choice((-2, -1, -1, 1, 1, 2)), 0), len(steps) - 1)
            if frame in _STRONG:
                near = sorted(range(len(steps)), key=lambda step: (abs(step - at), step))
                at = next(step for step in near if steps[step] % 12 in tones)
        notes.append(steps[at])
    return notes, at


def _from(lowest: int, pitch: int) -> int:
    """The lowest note of a pitch class that is not below another note."""
    return lowest + (pitch - lowest) % 12
