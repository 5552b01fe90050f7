"""What figures for slides share: large letters, lines that differ without colour, words below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

SLIDE: dict[Any, Any] = {
    "font.size": 15,
    "axes.titlesize": 16,
    "legend.fontsize": 13,
    "lines.linewidth": 2.2,
}
# From dark to light, each with a pattern of its own.
STYLES: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": "-"},
    {"color": "#0072b2", "linestyle": (0, (7, 2))},
    {"color": "#b34700", "linestyle": (0, (2, 1.5))},
    {"color": "#5a8f29", "linestyle": (0, (8, 2, 2, 2))},
    {"color": "#8c8c8c", "linestyle": "-"},
]
# Inches of a table of words; of a longer text, letters are smaller.
WIDEST = 30


def words_below(axes: Axes, words: Sequence[str]) -> None:
    """Words as the ticks of a horizontal axis whose steps are words."""
    # A word may hold what is mathematics to matplotlib, such as two dollar signs.
    axes.set_xticks(range(len(words)), words, rotation=90, parse_math=False)
