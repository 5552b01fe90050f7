"""Named entities: whole entities are counted, not tags."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

from tasks.framework.configuration import RunConfig
from tasks.tagging.configuration import EntityRun
from tasks.tagging.task import TaggingTask, Tags
from zoo.predictions import TaggedText
from zoo.text.tags import to_scheme


def entity_metrics(gold: Sequence[Tags], predicted: Sequence[Tags]) -> dict[str, Any]:
    """Entity precision, recall and F1 by conlleval's rule and strictly, and token accuracy."""
    from seqeval import metrics as seqeval
    from seqeval.scheme import IOB2

    gold, predicted = [list(tags) for tags in gold], [list(tags) for tags in predicted]
    with warnings.catch_warnings():  # of classes without a single prediction
        warnings.simplefilter("ignore")
        report = seqeval.classification_report(gold, predicted, output_dict=True, zero_division=0)
        strict = {
            f"strict_{name}": float(score(gold, predicted, mode="strict", scheme=IOB2))
            for name, score in (
                ("precision", seqeval.precision_score),
                ("recall", seqeval.recall_score),
                ("f1", seqeval.f1_score),
            )
        }
    overall = report.get("micro avg", {"precision": 0, "recall": 0, "f1-score": 0})
    by_type = {
        kind: {name: float(row[name]) for name in ("precision", "recall", "f1-score", "support")}
        for kind, row in report.items()
        if not kind.endswith(" avg")
    }
    return {
        "precision": float(overall["precision"]),
        "recall": float(overall["recall"]),
        "f1": float(overall["f1-score"]),
        **strict,
        "token_accuracy": float(seqeval.accuracy_score(gold, predicted)),
        "by_type": by_type,
    }


class NamedEntities(TaggingTask):
    """Persons, places, organisations and whatever else a corpus tags.

    Tags come as BIO, whatever scheme the corpus is in.
    """

    name = "ner"
    score_name = "f1"
    texts = (
        "Harry Potter and Hermione Granger invented a new spell.",
        "He said, Teddy Roosevelt was a great President.",
        "He said, Teddy bears are on sale!",
    )

    def as_asked(self, prediction: TaggedText, run: RunConfig) -> TaggedText:
        scheme = run.tag_scheme if isinstance(run, EntityRun) else "BIO"
        if scheme == "BIO":  # as it is: a model without a CRF may write what no scheme allows
            return prediction
        n_best = [(to_scheme(tags, scheme), p) for tags, p in prediction.n_best]
        tags = to_scheme(prediction.tags, scheme)
        return dataclasses.replace(prediction, tags=tags, n_best=n_best)

    def metrics(self, answers: list[Tags], predicted: list[Tags]) -> dict[str, Any]:
        return entity_metrics(answers, predicted)
