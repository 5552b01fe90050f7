"""What is said of pieces, as text: for a terminal."""

from __future__ import annotations

from zoo.notes import named
from zoo.predictions import ComposedPiece, ScoredPiece

# Frames that a line shows.
_SHOWN = 8


def line(one: ComposedPiece) -> str:
    """The first frames of a piece; what sounds on is said once, with a number of frames."""
    parts: list[list] = []
    for frame in one.frames:
        if parts and parts[-1][0] == frame:
            parts[-1][1] += 1
        else:
            parts.append([frame, 1])
    shown = [named(frame) + (f" ×{count}" if count > 1 else "") for frame, count in parts[:_SHOWN]]
    return " | ".join([*shown, *(["…"] if len(parts) > _SHOWN else [])])


def surprising(one: ScoredPiece, count: int) -> list[int]:
    """The numbers of the frames that were least likely, from 0 up, the least likely first."""
    order = sorted(range(len(one.log_probabilities)), key=lambda t: one.log_probabilities[t])
    return order[:count]
