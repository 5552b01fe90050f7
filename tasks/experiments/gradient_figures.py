"""Figures of gradients as PNG: large letters for slides, and lines that differ without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tasks.experiments.slides import WIDEST, words_below
from tasks.framework.figures import SLIDE, STYLES, plt, save

# Lines end here: below it, all is gone.
_LEAST = 1e-80


def flow(found: Mapping[str, Any], path: str) -> None:
    """Norms by distance, of fresh networks on the left and of trained ones on the right."""
    with plt.rc_context(SLIDE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
        longest = found["trained_on"][-1]
        for axes, state in ((left, "fresh"), (right, "trained")):
            _by_distance(axes, found["distances"], found[state])
        left.set(title="fresh", ylabel="‖∂L<T>/∂a<t>‖ / ‖∂L<T>/∂a<T>‖")
        right.set(title=f"trained on up to {longest} steps, {found['updates']:,} updates")
        right.axvline(longest, color="grey", linestyle=":", linewidth=1.5)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        save(figure, path)


def radius(found: Mapping[str, Any], path: str) -> None:
    """Norms by distance of an RNN, a line for each spectral radius of W_aa."""
    with plt.rc_context(SLIDE):
        figure, axes = plt.subplots(figsize=(10, 5.6), layout="constrained")
        _by_distance(axes, found["distances"], found["norms"])
        axes.set(title="fresh RNN", ylabel="‖∂L<T>/∂a<t>‖ / ‖∂L<T>/∂a<T>‖")
        figure.legend(title="radius of W_aa", loc="outside right upper")
        save(figure, path)


def _by_distance(axes: Axes, distances: Sequence[int], rows: Mapping[str, Sequence]) -> None:
    for (name, row), style in zip(rows.items(), STYLES, strict=False):
        # No logarithm shows 0: what no number is small enough for, and the derivative by c<T>.
        pairs = [(d, v) for d, v in zip(distances, row, strict=True) if v]
        axes.plot(*zip(*pairs, strict=True), label=name, **style)
    axes.axhline(1, color="grey", linewidth=1)
    axes.set(yscale="log", xlabel="distance T − t")
    axes.set(ylim=(max(_LEAST, axes.get_ylim()[0]), None))
    axes.grid(alpha=0.3)


def clipping(runs: Sequence[Mapping[str, Any]], path: str) -> None:
    """Loss and gradient norm by step: a column for each network, a cross where NaN begins."""
    names = list(dict.fromkeys(run["network"] for run in runs))
    with plt.rc_context(SLIDE):
        figure, grid = plt.subplots(
            2, len(names), figsize=(13, 7), sharex=True, squeeze=False, layout="constrained"
        )
        for run in runs:
            column = names.index(run["network"])
            style = {"color": "#4f9fd0" if run["clip_norm"] else "#000000", "linewidth": 1.6}
            label = f"clipped to {run['clip_norm']:g}" if run["clip_norm"] else "not clipped"
            for axes, key in zip(grid[:, column], ("losses", "norms"), strict=True):
                _by_update(axes, run[key], {**style, "zorder": 2 if run["clip_norm"] else 3}, label)
        for column, name in enumerate(names):
            grid[0, column].set(title=name)
            grid[1, column].set(xlabel="step of training")
        grid[0, 0].set(ylabel="loss")
        grid[1, 0].set(ylabel="norm of all gradients")
        grid[0, -1].legend()
        save(figure, path)


def _by_update(axes: Axes, values: Sequence[float | None], style: Mapping, label: str) -> None:
    known = [(i, v) for i, v in enumerate(values, start=1) if v is not None]
    if known:
        axes.plot(*zip(*known, strict=True), label=label, **style)
    if len(known) < len(values):
        last = known[-1] if known else (1, 1.0)
        axes.plot(*last, marker="X", markersize=13, linestyle="none", **style)
        axes.annotate("NaN", last, (10, 6), textcoords="offset points", fontsize=14)
    axes.set(yscale="log")
    axes.grid(alpha=0.3)


def influences(
    words: Sequence[str], decisions: Sequence[str], shares: np.ndarray, path: str
) -> None:
    """How much each word (column) moves each decision (row), as shares of a row's largest."""
    cell = min(0.5, WIDEST / len(words))
    with plt.rc_context({**SLIDE, "font.size": max(4.0, 30 * cell)}):
        size = (3 + cell * len(words), 2.6 + cell * len(decisions))
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        words_below(axes, words)
        axes.set_yticks(range(len(decisions)), decisions, parse_math=False)
        axes.set(xlabel="moved by", ylabel="what is said")
        figure.colorbar(image, ax=axes, label="share of largest")
        save(figure, path)
