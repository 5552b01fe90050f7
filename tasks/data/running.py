"""Long sequences in windows: back-propagation through time is cut, and states are carried on.

Texts, or pieces of music, lie one behind the other in as many rows as a batch has; a batch is the
next window of every row. A window never reaches from one text into the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Piece:
    """A text, or a part of one that is too long for a row."""

    ids: np.ndarray
    before: int


def rows_of(texts: Sequence[np.ndarray], count: int) -> list[list[Piece]]:
    """Lays texts out in rows of almost equal length.

    A text longer than a row is cut; its parts start without the state, but with the token before.
    """
    room = -(-sum(map(len, texts)) // count)
    pieces = []
    for ids in texts:
        parts = np.array_split(ids, max(1, -(-len(ids) // room)))
        befores = [0, *(int(part[-1]) for part in parts[:-1] if len(part))]
        pieces += [Piece(p, b) for p, b in zip(parts, befores, strict=False) if len(p)]
    rows: list[list[Piece]] = [[] for _ in range(count)]
    lengths = [0] * count
    for piece in sorted(pieces, key=lambda piece: -len(piece.ids)):
        shortest = int(np.argmin(lengths))
        rows[shortest].append(piece)
        lengths[shortest] += len(piece.ids)
    return rows


def windows(
    rows: list[list[Piece]], steps: int, random: np.random.Generator | None = None
) -> list[list[tuple[Piece | None, int, int]]]:
    """The batches: for each row a piece, or None behind the last one, and from where to where.

    Args:
        steps: most tokens in a window.
        random: with it, the first window of each piece is shorter by chance, so that the cuts fall
            elsewhere in each epoch.
    """
    by_row = []
    for row in rows:
        cuts: list[tuple[Piece | None, int, int]] = []
        for piece in row:
            first = int(random.integers(steps // 2, steps)) + 1 if random is not None else steps
            ends = [*range(min(first, steps), len(piece.ids), steps), len(piece.ids)]
            cuts += [(piece, a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        by_row.append(cuts)
    longest = max(map(len, by_row))
    return [[cuts[i] if i < len(cuts) else (None, 0, 0) for cuts in by_row] for i in range(longest)]


def batches_of_text(ids: np.ndarray, steps: int) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """The windows of one text as inputs of a `LanguageModel`, and how many tokens each has.

    Example:
        >>> [count for _, count in batches_of_text(np.arange(5), 3)]
        [3, 2]
    """
    for window in windows([[Piece(ids, 0)]], steps):
        ((_, start, end),) = window
        yield batch(window, steps), end - start


def batch(window: Sequence[tuple[Piece | None, int, int]], steps: int) -> dict[str, np.ndarray]:
    """A window as the inputs of a `LanguageModel`."""
    targets = np.zeros([len(window), steps], np.int32)
    before, fresh = np.zeros([len(window)], np.int32), np.ones([len(window)], bool)
    for i, (piece, start, end) in enumerate(window):
        if piece is not None:
            targets[i, : end - start] = piece.ids[start:end]
            before[i] = piece.ids[start - 1] if start else piece.before
            fresh[i] = start == 0
    return {"targets": targets, "before": before, "fresh": fresh}
