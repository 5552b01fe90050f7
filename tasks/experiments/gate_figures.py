"""Figures of gates as PNG: all of a layer's over the words, one unit as the slide draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tasks.experiments.gate_readers import SYMBOLS, Gates
from tasks.experiments.slides import WIDEST, words_below
from tasks.experiments.words import visible
from tasks.framework.figures import SLIDE, STYLES, plt, save

# Rows of a heat map: more are not read.
MOST_UNITS = 32
# Inches of a unit's row, and of a word's column where there are few.
_ROW, _COLUMN = 0.18, 0.42


def units_to_show(values: Mapping[str, np.ndarray], unit: int) -> list[int]:
    """A unit of a layer and those whose c moves most over the text, in the order of their numbers.

    Example:
        >>> units_to_show({"c": np.array([[0, 0, 0], [0, 1, 2]])}, unit=0)
        [0, 1, 2]
    """
    moves = np.ptp(values["c"], axis=0).astype(float)
    moves[unit] = np.inf
    return sorted(int(k) for k in np.argsort(-moves, kind="stable")[:MOST_UNITS])


def heat_map(
    words: Sequence[str], values: Mapping[str, np.ndarray], unit: int, title: str, path: str
) -> None:
    """Each gate and state of a layer: units by words.

    Gates go from 0, white, to 1, black; what may be negative is grey at 0, and white below it, and
    goes as far as all but the hundredth part of it. Below many words are not all of them.

    Args:
        words: of the text.
        values: `[words, units]` each, by the names of `SYMBOLS`.
        unit: that is among those that are shown, see `units_to_show`.
        title: of the figure.
        path: of the PNG.
    """
    units = units_to_show(values, unit)
    column = min(_COLUMN, WIDEST / 2 / len(words))
    rows = math.ceil(len(values) / 2)
    size = (3.4 + 2 * column * len(words), 2.2 + rows * (0.9 + _ROW * len(units)))
    with plt.rc_context({**SLIDE, "font.size": max(4.0, 33 * column)}):
        figure, grid = plt.subplots(
            rows, 2, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        for axes, (name, each) in zip(grid.flat, values.items(), strict=False):
            shown = each[:, units].T
            least, most = 0.0, 1.0
            if not name.startswith("gate"):
                most = max(1.0, float(np.quantile(np.abs(shown), 0.99)))
                least = -most
            image = axes.imshow(shown, cmap="Greys", vmin=least, vmax=most, aspect="auto")
            axes.set(title=SYMBOLS[name])
            axes.set_yticks(range(len(units)), units, fontsize=10)
            figure.colorbar(image, ax=axes)
        for axes in grid.flat[len(values) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            words_below(axes, list(map(visible, words)))
        for axes in grid[:, 0]:
            axes.set(ylabel="unit")
        count = next(iter(values.values())).shape[1]
        if len(units) < count:
            title += f"; {len(units)} of {count} units, whose c moves most"
        figure.suptitle(title)
        save(figure, path)


def slide(
    texts: Sequence[Gates], place: str, gate: str, unit: int, marked: Sequence[int], path: str
) -> None:
    """A gate of a unit over each text, in bars with their numbers, and below it the unit's c.

    Args:
        texts: the gates over each.
        place: layer and direction of the unit.
        gate: its name.
        unit: its number.
        marked: of each text, the word at which the gate is to open, whose bar is black; -1: none.
        path: of the PNG.
    """
    width = max(len(one.words) for one in texts)
    size = (2.4 + min(WIDEST, 0.8 * width), 4.4 * len(texts))
    with plt.rc_context({**SLIDE, "font.size": 15 if width < 30 else 9}):
        figure, grid = plt.subplots(
            2 * len(texts), 1, figsize=size, squeeze=False, layout="constrained"
        )
        for row, (one, mark) in enumerate(zip(texts, marked, strict=True)):
            opens, state = grid[2 * row, 0], grid[2 * row + 1, 0]
            values = one.values[place]
            _bars(opens, values[gate][:, unit], mark)
            opens.set(ylim=(0, 1.25), yticks=(0, 1), ylabel=SYMBOLS[gate], xticks=())
            _bars(state, values["c"][:, unit], -1)
            most = 1.45 * max(1.0, float(np.abs(values["c"][:, unit]).max()))
            state.set(ylim=(-most, most), ylabel="c")
            state.axhline(0, color="black", linewidth=1)
            words_below(state, list(map(visible, one.words)))
        figure.suptitle(f"unit {unit} of {place}")
        save(figure, path)


def _bars(axes: Axes, values: np.ndarray, mark: int) -> None:
    colours = ["#000000" if i == mark else "#9a9a9a" for i in range(len(values))]
    axes.bar(range(len(values)), values, color=colours, width=0.7)
    for i, value in enumerate(values):
        axes.annotate(
            f"{value:.2f}",
            (i, value),
            xytext=(0, 3 if value >= 0 else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if value >= 0 else "top",
            fontsize="x-small",
        )
    axes.set(xlim=(-0.6, len(values) - 0.4))
    axes.spines[["top", "right"]].set_visible(False)


def told(found: Mapping[str, Sequence[Any]], path: str) -> None:
    """How well the number of the subject is told by the distance from it, of each layer."""
    with plt.rc_context(SLIDE):
        figure, axes = plt.subplots(figsize=(10, 5.6), layout="constrained")
        for (place, rows), style in zip(found.items(), STYLES, strict=False):
            distances = [row.distance for row in rows]
            axes.plot(distances, [row.probe for row in rows], label=f"{place}, all units", **style)
            thin = {**style, "linewidth": 1.2}
            alone = [row.unit for row in rows]
            axes.plot(distances, alone, label=f"{place}, best unit", marker="o", **thin)
        rows = next(iter(found.values()))
        chance = [row.chance for row in rows]
        axes.plot([row.distance for row in rows], chance, color="grey", linestyle=":")
        axes.annotate("chance", (0, chance[0]), xytext=(0, -18), textcoords="offset points")
        axes.set(xlabel="words behind the subject", ylabel="number told", ylim=(0.4, 1.03))
        axes.grid(alpha=0.3)
        axes.legend()
        save(figure, path)
