"""Sound of frames: a sine and some overtones for each note, as WAV."""

from __future__ import annotations

import wave

import numpy as np

from tasks.melody.configuration import STEPS
from tasks.melody.pieces import Piece
from zoo import files

RATE = 22_050
# How loud a tone and its overtones are; seconds in which a tone begins, ends, and falls to 1/e.
_OVERTONES = (1.0, 0.5, 0.25, 0.12)
_ATTACK, _RELEASE, _DECAY = 0.01, 0.05, 1.2
# A4, by which all others are tuned.
_A4, _HERTZ = 69, 440.0


def write(path: str, piece: Piece, step: str = "eighth", tempo: float = 100.0) -> None:
    """Writes frames as a WAV file of one channel and 16 bits, whole or not at all.

    Args:
        path: of the file.
        piece: its frames; what sounds on is one tone.
        step: how long a frame is, a key of `STEPS`.
        tempo: quarter notes a minute.

    Raises:
        OSError: it cannot be written.
    """
    samples = synthesized(piece, 60 / tempo / STEPS[step])
    loudest = max(1e-9, float(np.abs(samples).max(initial=0.0)))
    numbers = np.int16(samples / loudest * 0.8 * 32767)

    def save(temporary: str) -> None:
        with wave.open(temporary, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(numbers.astype("<i2").tobytes())

    files.replace(path, save)


def synthesized(piece: Piece, seconds: float) -> np.ndarray:
    """The sound of a piece, float64 `[samples]`.

    Args:
        piece: its frames.
        seconds: of a frame.

    Example:
        >>> len(synthesized([[69], [69], []], 0.5)) == round(RATE * 1.5)
        True
    """
    ends = [round(RATE * seconds * t) for t in range(len(piece) + 1)]
    sound = np.zeros(ends[-1])
    for begin, end, note in spans(piece):
        sound[ends[begin] : ends[end]] += _tone(note, ends[end] - ends[begin])
    return sound


def spans(piece: Piece) -> list[tuple[int, int, int]]:
    """Of each tone, the frame in which it begins, that behind its last, and its number.

    Example:
        >>> spans([[60, 64], [64], []])
        [(0, 1, 60), (0, 2, 64)]
    """
    found, since = [], dict[int, int]()
    for t, frame in enumerate([*piece, []]):
        for note in sorted(since.keys() - {*frame}):
            found.append((since.pop(note), t, note))
        since |= {note: t for note in frame if note not in since}
    return found


def _tone(note: int, samples: int) -> np.ndarray:
    time = np.arange(samples) / RATE
    hertz = _HERTZ * 2 ** ((note - _A4) / 12)
    waves = (
        loud * np.sin(2 * np.pi * hertz * number * time)
        for number, loud in enumerate(_OVERTONES, start=1)
        if hertz * number < RATE / 2
    )
    begins, ends = np.minimum(1, time / _ATTACK), np.minimum(1, (time[::-1] + 1 / RATE) / _RELEASE)
    return sum(waves) * begins * ends * np.exp(-time / _DECAY)
