"""Figures of classifiers as PNG: ROC curves and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.framework.figures import plt, save

_LINES = ("-", (0, (6, 1.5)), (0, (3, 1)), (0, (1, 1)))


def roc_curves(gold: Sequence[str], scores: Mapping[str, Sequence[float]], path: str) -> None:
    """True against false positives for each class; of two classes, for the second."""
    from sklearn import metrics

    figure, axes = plt.subplots(figsize=(4.5, 4.2), layout="constrained")
    shown = list(scores)[-1:] if len(scores) == 2 else list(scores)
    for number, name in enumerate(shown):
        is_class = [label == name for label in gold]
        if 0 < sum(is_class) < len(gold):
            false, true, _ = metrics.roc_curve(is_class, scores[name])
            # Curves that lie on each other stay visible: the later, the thinner and more broken.
            axes.plot(
                false,
                true,
                label=f"{name}, area {metrics.auc(false, true):.3f}",
                linewidth=1.2 + 4 * (len(shown) - number - 1) / len(shown),
                linestyle=_LINES[number % len(_LINES)],
                color=f"C{number % 10}",
            )
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="false positives", ylabel="true positives")
    axes.legend(loc="lower right", fontsize=8)
    save(figure, path)


def calibration(gold: Sequence[str], scores: Mapping[str, Sequence[float]], path: str) -> None:
    """How often the chosen label is right, by its probability, and how many texts that are."""
    names = list(scores)
    rows = np.array([scores[name] for name in names])
    chosen, confidence = np.argmax(rows, axis=0), np.max(rows, axis=0)
    right = np.array([names[i] == label for i, label in zip(chosen, gold, strict=True)])
    bins = np.minimum((confidence * 10).astype(int), 9)
    used = np.unique(bins)
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(4.5, 5), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    top.plot([0, 1], [0, 1], color="grey", linestyle=":")
    means = [np.mean(confidence[bins == i]) for i in used]
    top.plot(means, [np.mean(right[bins == i]) for i in used], marker="o")
    top.set(ylabel="share that is right", ylim=(0, 1.02))
    bottom.bar((used + 0.5) / 10, [np.sum(bins == i) for i in used], width=0.09)
    bottom.set(xlabel="probability of the chosen label", ylabel="texts", xlim=(0, 1.02))
    save(figure, path)
