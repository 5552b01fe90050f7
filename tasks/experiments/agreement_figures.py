"""The figure of subjects and verbs: right verbs by attractors, and by distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.framework.figures import SLIDE, STYLES, plt, save


def agreement(rows: Sequence[Mapping[str, Any]], path: str) -> None:
    """Means over seeds, and from the worst seed to the best one; half is chance.

    Args:
        rows: `network`, and `shares` by groupings, groups and seeds.
        path: of the PNG.
    """
    with plt.rc_context(SLIDE):
        figure, both = plt.subplots(1, 2, figsize=(13, 6), layout="constrained", sharey=True)
        titles = {"attractors": "attractors", "distance": "words between subject and verb"}
        for axes, (grouping, title) in zip(both, titles.items(), strict=True):
            for row, style in zip(rows, STYLES, strict=False):
                groups = row["shares"][grouping]
                seeds = np.array(list(groups.values()))
                axes.fill_between(
                    list(groups), seeds.min(axis=1), seeds.max(axis=1), color=style["color"],
                    alpha=0.1, linewidth=0,
                )  # fmt: skip
                axes.plot(list(groups), seeds.mean(axis=1), label=row["network"], **style)
            axes.axhline(0.5, color="grey", linestyle=":", linewidth=1.5)
            axes.set(xlabel=title, ylim=(0.45, 1.02))
            axes.grid(alpha=0.3)
        both[0].set(ylabel="right verbs")
        both[1].tick_params(axis="x", rotation=60)
        figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        save(figure, path)
