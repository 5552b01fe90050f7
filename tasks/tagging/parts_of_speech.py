"""Parts of speech: tags are counted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tasks.data.errors import DataError
from tasks.framework.text_io import PREDICT_BATCH, batched
from tasks.tagging import splitting
from tasks.tagging.configuration import TaggingConfig
from tasks.tagging.task import TaggerTrainer, TaggingTask, Tags
from zoo import predictions
from zoo.predictor import Predictor
from zoo.text.tags import Sentence


def tag_metrics(gold: Sequence[Tags], predicted: Sequence[Tags]) -> dict[str, Any]:
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

    def trainer(
        self, corpus: dict[str, list[Sentence]], config: TaggingConfig, model_dir: str
    ) -> PartsOfSpeechTrainer:
        return PartsOfSpeechTrainer(self, corpus, config, model_dir)

    def metrics(self, answers: list[Tags], predicted: list[Tags]) -> dict[str, Any]:
        return tag_metrics(answers, predicted)


class PartsOfSpeechTrainer(TaggerTrainer):
    """Taggers of a treebank, which are measured on its raw sentences too, where it has them."""

    def further_metrics(self, model: Predictor, split: str) -> dict[str, float]:
        """F1 of words and of tags from raw text, as the shared task of CoNLL 2018 counts them: a
        word is right where its characters are, a tag where its word is right too."""
        data = self.config.data.data
        if not data.startswith("tfds:"):
            return {}
        try:
            raw = splitting.read_raw(data.removeprefix("tfds:"), split)
        except DataError:  # no treebank, or one without raw sentences
            return {}
        count, raw = len(raw), splitting.of_their_text(raw)
        if len(raw) < count:
            print(
                f"{self.task.name}: {count - len(raw)} of {count} sentences of the {split} split "
                "do not count as raw text: their words are not the characters of the text, as "
                '"au" is written for "à le".',
                file=sys.stderr,
            )
        if not raw:
            return {}
        found = []
        for part in batched(raw, PREDICT_BATCH):
            texts = [one.text for one in part]
            found += predictions.tagged(model(texts), texts)
        spans = [list(zip(one.start, one.end, strict=True)) for one in found]
        return {
            "words_from_raw_text_f1": splitting.of_splitting(raw).f1,
            "tags_from_raw_text_f1": splitting.of_tags(raw, spans, [o.tags for o in found]).f1,
        }
