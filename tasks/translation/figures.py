"""Figures of translators: quality by the length of the source, and where they look."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tasks.framework.figures import SLIDE, STYLES, plt, save

_BLOCKS = " ░▒▓█"


def by_length(rows: Mapping[str, Mapping[float, float]], path: str, x: str, y: str) -> None:
    """A line for each name: a figure by length."""
    with plt.rc_context(SLIDE):
        figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
        for (name, points), style in zip(rows.items(), itertools.cycle(STYLES), strict=False):
            axes.plot(list(points), list(points.values()), marker="o", label=name, **style)
        highest = max(value for points in rows.values() for value in points.values())
        axes.set(xlabel=x, ylabel=y, ylim=(0, 1.05 * max(highest, 1)))
        axes.grid(alpha=0.3)
        if len(rows) > 1:
            axes.legend()
        save(figure, path)


def alignment(source: Sequence[str], target: Sequence[str], weights: np.ndarray, path: str) -> None:
    """The weights of source tokens (columns) when each target token (row) was written."""
    size = (1.5 + 0.32 * len(source), 1.2 + 0.28 * len(target))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    image = axes.imshow(weights, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    # A token may hold what is mathematics to matplotlib, such as two dollar signs.
    axes.set_xticks(range(len(source)), source, rotation=90, parse_math=False)
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.set(xlabel="x", ylabel="y")
    figure.colorbar(image, ax=axes, label="α")
    save(figure, path)


def alignment_as_text(source: Sequence[str], target: Sequence[str], weights: np.ndarray) -> str:
    """For a terminal: a row for each target token, darker where it looked, and the source token
    that weighed most."""
    width = max(map(len, target), default=0)
    lines = []
    for token, row in zip(target, weights, strict=True):
        shades = "".join(_BLOCKS[min(int(5 * weight), 4)] for weight in row)
        best = int(np.argmax(row))
        lines.append(f"{token:>{width}} |{shades}| {source[best]} {row[best]:.2f}")
    return "\n".join(lines)
