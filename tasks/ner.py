r"""Named entities: persons, places, organisations and whatever else a corpus tags.

python -m tasks.ner                                             # the built-in corpus
python -m tasks.ner --data=tfds:wikiann/en --preset=wikiann --model_dir=runs/wikiann
python -m tasks.ner --mode=predict --model=ner --text="Harry Potter met Teddy Roosevelt."
"""

from __future__ import annotations

import os
import warnings

from tasks.framework import task as program
from tasks.tagging import demo as demo_corpus
from tasks.tagging import task as tagging


def entity_metrics(gold: list, predicted: list) -> dict:
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


class NamedEntities(tagging.TaggingTask):
    name = "ner"
    score_name = "f1"
    texts = (
        "Harry Potter and Hermione Granger invented a new spell.",
        "He said, Teddy Roosevelt was a great President.",
        "He said, Teddy bears are on sale!",
    )

    def metrics(self, answers, predicted):
        return entity_metrics(answers, predicted)

    def after_training(self, trainer, predict):
        """Accuracy at the words that only the words after them decide, in both directions and
        reading forward only: a network that has not read on cannot tell."""
        cases = demo_corpus.ambiguous(trainer.corpus["test"])
        numbers = {id(sentence): i for i, sentence in enumerate(trainer.corpus["test"])}

        def accuracy(predict):
            predicted = predict("test")
            right = [predicted[numbers[id(s)]][i] == s.tags[i] for s, i in cases]
            return sum(right) / len(right)

        print("\nThe same network, reading forward only:")
        forward = trainer.build(bidirectional=False)
        folder = os.path.join(trainer.model_dir, "forward_only")
        os.makedirs(folder, exist_ok=True)
        predict_forward = trainer.predictor(forward)
        trainer.fit(forward, predict_forward, folder)
        scores = {"bidirectional": accuracy(predict), "forward_only": accuracy(predict_forward)}
        print(
            '\nIs "Teddy" a name? Only the words after it tell. Right at such words '
            f"({len(cases)} of the test split): both directions {scores['bidirectional']:.1%}, "
            f"forward only {scores['forward_only']:.1%}."
        )
        return {"accuracy_at_ambiguous_words": scores}


if __name__ == "__main__":
    program.run(NamedEntities())
