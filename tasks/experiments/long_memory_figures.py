"""Figures of `tasks.long_memory` as PNG: learning curves, and what was solved."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tasks.framework.figures import SLIDE, STYLES, plt, save


def draw(found: Mapping[str, Any], folder: str) -> list[str]:
    """Draws what a run found, and returns the names of the files."""
    names = ["long_memory.png"]
    solved(found, os.path.join(folder, names[0]))
    for task in found["tasks"]:
        names.append(f"long_memory_{task}.png")
        curves(found, task, os.path.join(folder, names[-1]))
    return names


def curves(found: Mapping[str, Any], task: str, path: str) -> None:
    """Error or share of right classes by update: a column for each length, a line for each cell,
    the mean of the seeds, in a band from the least to the largest."""
    said = found["tasks"][task]
    lengths, of_classes = said["lengths"], said["of_classes"]
    with plt.rc_context(SLIDE):
        width = max(6.5, 4.2 * len(lengths))
        figure, (row,) = plt.subplots(
            1, len(lengths), figsize=(width, 5), sharey=True, squeeze=False, layout="constrained"
        )
        for axes, length in zip(row, lengths, strict=True):
            for (cell, name), style in zip(found["cells"].items(), itertools.cycle(STYLES)):
                rows = [
                    one["right"] if of_classes else one["losses"]
                    for one in found["trainings"]
                    if (one["task"], one["length"], one["cell"], one["variant"])
                    == (task, length, cell, "")
                ]
                if rows:
                    _band(axes, rows, found["every"], {**style, "label": name})
            axes.axhline(said["guess"], color="grey", linestyle=":", linewidth=1.5)
            axes.set(xlabel="updates", xlim=(0, None), title=f"T = {length:,}")
            axes.grid(alpha=0.3)
        if of_classes:
            row[0].set(ylabel="right", ylim=(0, 1.03))
        else:
            row[0].set(ylabel="(ŷ − y)²", yscale="log")
        figure.suptitle(f"{task}: {said['about']}; dotted: a guess", fontsize=16)
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        save(figure, path)


def _band(axes: Axes, rows: Sequence[Sequence[float | None]], every: int, style: Mapping) -> None:
    """Mean and range of some seeds. What was solved stays as it was when it was.
    A dot ends a line."""
    longest = max(map(len, rows))
    values = np.array(
        [
            [np.nan if v is None else v for v in [*row, *[row[-1]] * (longest - len(row))]]
            for row in rows
        ]
    )
    updates = every * np.arange(1, longest + 1)
    axes.plot(updates, values.mean(axis=0), marker="o", markevery=[-1], **style)
    axes.fill_between(
        updates, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.13, lw=0
    )


def solved(found: Mapping[str, Any], path: str) -> None:
    """How many seeds of each cell solved each task and length, and after how many updates."""
    by_place = {
        (row["task"], row["length"], row["cell"]): row
        for row in found["summary"]
        if not row["variant"]
    }
    cells = list(dict.fromkeys(cell for _, _, cell in by_place))
    sizes = [len(task["lengths"]) for task in found["tasks"].values()]
    with plt.rc_context(SLIDE):
        figure, (row,) = plt.subplots(
            1,
            len(sizes),
            figsize=(max(7, 2.4 + 1.15 * sum(sizes)), 1.9 + 0.8 * len(cells)),
            width_ratios=sizes,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axes, (name, task) in zip(row, found["tasks"].items(), strict=True):
            here = [[by_place.get((name, n, cell)) for n in task["lengths"]] for cell in cells]
            shares = [[one["solved"] / one["seeds"] if one else 0 for one in line] for line in here]
            axes.pcolormesh(shares, cmap="Greys", vmin=0, vmax=1.25, edgecolors="grey", lw=0.5)
            for (i, line), j in itertools.product(enumerate(here), range(len(task["lengths"]))):
                if line[j]:
                    _in_square(axes, j, i, line[j])
            middles = np.arange(len(task["lengths"])) + 0.5
            axes.set_xticks(middles, [f"{n:,}" for n in task["lengths"]])
            axes.set(title=name, xlabel="T")
            axes.tick_params(length=0)
        row[0].set_yticks(np.arange(len(cells)) + 0.5, [found["cells"][cell] for cell in cells])
        row[0].invert_yaxis()
        figure.suptitle("Seeds that solved it, and the median of their updates", fontsize=16)
        save(figure, path)


def _in_square(axes: Axes, x: int, y: int, row: Mapping[str, Any]) -> None:
    text = f"{row['solved']}/{row['seeds']}"
    if row["updates"] is not None:
        text += f"\n{row['updates']:,.0f}"
    dark = row["solved"] / row["seeds"] > 0.5
    colour = "white" if dark else "black"
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=colour, fontsize=13)
