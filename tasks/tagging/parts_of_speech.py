"""Parts of speech: tags are counted."""

from __future__ import annotations

from collections import Counter

from tasks.tagging.task import TaggingTask


def tag_metrics(gold: list, predicted: list) -> dict:
    """Accuracy in all and by tag."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        for tag, guess in zip(gold_tags, predicted_tags, strict=True):
            total[tag] += 1
            right[tag] += tag == guess
    return {
        "accuracy": sum(right.values()) / max(1, sum(total.values())),
        "by_tag": {
            tag: {"accuracy": right[tag] / count, "support": count}
            for tag, count in sorted(total.items())
        },
    }


class PartsOfSpeech(TaggingTask):
    """Noun, verb, adjective ... of each word."""

    name = "pos"
    score_name = "accuracy"
    texts = ("Teddy bears are on sale!", "The cat, which already ate, was full.")

    def metrics(self, answers, predicted):
        return tag_metrics(answers, predicted)
