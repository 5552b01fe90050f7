"""Figures as PNG: learning curves and confusion matrices, and how those for slides look."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from zoo import files

# Large letters for slides.
SLIDE: dict[Any, Any] = {
    "font.size": 15,
    "axes.titlesize": 16,
    "legend.fontsize": 13,
    "lines.linewidth": 2.2,
}
# Lines that differ without colour: from dark to light, each with a pattern of its own.
STYLES: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": "-"},
    {"color": "#0072b2", "linestyle": (0, (7, 2))},
    {"color": "#b34700", "linestyle": (0, (2, 1.5))},
    {"color": "#5a8f29", "linestyle": (0, (8, 2, 2, 2))},
    {"color": "#8c8c8c", "linestyle": "-"},
]


def save(figure: Figure, path: str) -> None:
    """Writes a figure as PNG, whole or not at all, and closes it."""
    with warnings.catch_warnings():  # no font has all characters that texts have
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        files.replace(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)


def learning_curves(history: list[dict], score: str, path: str) -> None:
    """Training and validation loss, and the validation score, a key of the rows, by epoch."""
    epochs = [row["epoch"] for row in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [row["loss"] for row in history], marker="o", markersize=3, label="training")
    known = [row for row in history if "validation_loss" in row]  # older runs did not measure it
    if known:
        points = [row["epoch"] for row in known], [row["validation_loss"] for row in known]
        left.plot(*points, marker="s", markersize=3, linestyle="--", label="validation")
        left.legend()
    right.plot(epochs, [row[score] for row in history], marker="o", markersize=3)
    for axes, title in ((left, "loss"), (right, f"validation {score}")):
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    best = max(history, key=lambda row: row[score])
    right.axvline(best["epoch"], color="grey", linestyle=":")
    right.annotate(f"{best[score]:.3f}", (best["epoch"], best[score]))
    save(figure, path)


def confusion_matrix(gold: Sequence[str], predicted: Sequence[str], path: str) -> None:
    """Shares of each gold label by predicted label, with the counts written in."""
    pairs = Counter(zip(gold, predicted, strict=True))
    names = sorted({name for pair in pairs for name in pair}, key=_order)
    size = 1.5 + 0.45 * len(names)
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    rows = [[pairs[g, p] for p in names] for g in names]
    shares = [[count / max(1, sum(row)) for count in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(rows):
        for j, count in enumerate(row):
            if count:
                colour = "white" if shares[i][j] > 0.5 else "black"
                axes.text(j, i, str(count), ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="gold")
    save(figure, path)


def _order(name: str) -> tuple:
    """Numbers by their value, tags by the type of their entity, O last."""
    is_number = name.isascii() and name.removeprefix("-").isdigit()
    return name == "O", not is_number, int(name) if is_number else 0, name[2:], name
