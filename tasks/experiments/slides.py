"""What figures of words share."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

# Inches of a table of words; of a longer text, letters are smaller.
WIDEST = 30


def words_below(axes: Axes, words: Sequence[str]) -> None:
    """Words as the ticks of a horizontal axis whose steps are words."""
    # A word may hold what is mathematics to matplotlib, such as two dollar signs.
    axes.set_xticks(range(len(words)), words, rotation=90, parse_math=False)
