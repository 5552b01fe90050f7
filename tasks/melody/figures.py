"""Piano rolls: time to the right, keys upwards."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tasks.framework import figures
from tasks.melody.configuration import STEPS
from tasks.melody.pieces import Piece
from tasks.melody.sound import spans
from zoo.notes import name_of

_OCTAVE = 12
# Keys that a roll shows at least, and room above and below what sounds.
_FEWEST_KEYS, _ROOM = 24, 2
_BLACK_KEYS = (1, 3, 6, 8, 10)


def piano_roll(piece: Piece, path: str, step: str = "eighth", title: str = "") -> None:
    """Writes the piano roll of a piece as PNG.

    Args:
        piece: its frames.
        path: of the file.
        step: how long a frame is, a key of `STEPS`.
        title: above it.
    """
    piano_rolls([piece], [title], path, step)


def piano_rolls(
    pieces: Sequence[Piece], titles: Sequence[str], path: str, step: str | None = None
) -> None:
    """Writes the piano rolls of pieces, one below the other on the same keys, as PNG."""
    notes = [note for piece in pieces for frame in piece for note in frame] or [60]
    low, high = min(notes) - _ROOM, max(notes) + _ROOM
    low -= max(0, _FEWEST_KEYS - (high - low)) // 2
    high += max(0, _FEWEST_KEYS - (high - low))
    with plt.rc_context(figures.SLIDE):
        figure, rows = plt.subplots(
            len(pieces), figsize=(12, 1.2 + 3.6 * len(pieces)), layout="constrained", squeeze=False,
            sharex=True,
        )  # fmt: skip
        for axes, piece, title in zip(rows[:, 0], pieces, titles, strict=True):
            _roll(axes, piece, low, high, step)
            axes.set(title=title, xlim=(0, max(1, *map(len, pieces))))
        rows[-1, 0].set_xlabel(f"frame ({step} notes)" if step else "frame")
        figures.save(figure, path)


def _roll(axes: Axes, piece: Piece, low: int, high: int, step: str | None) -> None:
    """Each tone as a bar; keys that are black on a piano are grey lanes."""
    for key in range(low, high + 1):
        if key % _OCTAVE in _BLACK_KEYS:
            axes.axhspan(key - 0.5, key + 0.5, color="#ececec", linewidth=0, zorder=0)
    bars = spans(piece)
    axes.barh(
        [note for *_, note in bars],
        [end - begin for begin, end, _ in bars],
        left=[begin for begin, *_ in bars],
        height=1.0,
        color="#1f4e79",
        edgecolor="white",
        linewidth=0.8,
        zorder=2,
    )
    octaves = range(-(-low // _OCTAVE) * _OCTAVE, high + 1, _OCTAVE)
    axes.set_yticks([*octaves], [name_of(key) for key in octaves])
    axes.set(ylim=(low - 0.5, high + 0.5), ylabel="key")
    bar = STEPS[step] * 4 if step else 16
    axes.xaxis.set_major_locator(plt.MultipleLocator(bar if len(piece) <= 128 else 64))
    axes.grid(axis="x", alpha=0.5)
