"""How well labels are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.predictions import Classified


def class_metrics(answers: Sequence[str], predicted: Sequence[Classified]) -> dict:
    """Accuracy, macro F1, area under the ROC curve, calibration, and each class by itself.

    The calibration error is the mean distance, weighted by texts, between the probability of the
    chosen label and the share of right answers, in ten bins (Guo et al. 2017).
    """
    from sklearn import metrics

    names = list(predicted[0].probabilities)
    chosen = [one.label for one in predicted]
    columns = metrics.precision_recall_fscore_support(
        answers, chosen, labels=names, zero_division=0
    )
    by_class = {
        name: {
            "precision": float(precision),
            "recall": float(recall),
            "f1-score": float(f1),
            "support": int(support),
        }
        for name, precision, recall, f1, support in zip(names, *columns, strict=True)
    }
    right = np.array([a == b for a, b in zip(answers, chosen, strict=True)])
    confidence = np.array([one.probability for one in predicted])
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(np.sum(right[bins == i]) - np.sum(confidence[bins == i])) for i in np.unique(bins)]
    areas = [
        metrics.roc_auc_score([a == name for a in answers], probabilities)
        for name, probabilities in probabilities_by_class(predicted)
        if 0 < sum(a == name for a in answers) < len(answers)
    ]
    return {
        "accuracy": float(np.mean(right)),
        "macro_f1": float(np.mean([row["f1-score"] for row in by_class.values()])),
        **({"roc_auc": float(np.mean(areas))} if areas else {}),
        "calibration_error": float(np.sum(gaps) / len(answers)),
        "by_class": by_class,
    }


def probabilities_by_class(predicted: Sequence[Classified]) -> Iterator[tuple[str, list[float]]]:
    """Each class, and its probability for each text."""
    for name in predicted[0].probabilities:
        yield name, [one.probabilities[name] for one in predicted]
