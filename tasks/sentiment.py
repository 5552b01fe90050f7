r"""Classes of texts: praise or blame, topics, stars; whatever labels a corpus has.

python -m tasks.sentiment                                       # the built-in corpus
python -m tasks.sentiment --preset=imdb --model_dir=runs/imdb
python -m tasks.sentiment --data=files --train_file=a.csv --test_file=b.csv --label_column=stars
python -m tasks.sentiment --mode=predict --model=sentiment --text="There is nothing to like."
python -m tasks.sentiment --mode=explain --model=sentiment --text="The plot was good, not bad."
"""

from __future__ import annotations

import os

import numpy as np

from tasks.classification import demo as demo_reviews
from tasks.classification import task as classification
from tasks.framework import task as program


class Sentiment(classification.ClassificationTask):
    name = "sentiment"
    texts = (
        "There is nothing to like in this movie.",
        "The plot was good, not bad.",
        "The plot was bad, not good.",
    )

    def after_training(self, trainer, predict):
        """Accuracy at reviews with a twin of the same words and the opposite label: a network that
        reads a bag of words cannot tell them apart."""
        reviews = trainer.corpus["test"]
        paired = demo_reviews.paired(reviews)

        def accuracy(predict):
            predicted = predict("test")
            return float(np.mean([predicted[i].label == reviews[i].label for i in paired]))

        print("\nThe standard network, on a bag of words:")
        bag = trainer.build(cell="none", standard="bag")
        folder = os.path.join(trainer.model_dir, "bag_of_words")
        os.makedirs(folder, exist_ok=True)
        predict_bag = trainer.predictor(bag)
        trainer.fit(bag, predict_bag, folder)
        scores = {"this_model": accuracy(predict), "bag_of_words": accuracy(predict_bag)}
        print(
            '\n"Good, not bad" or "bad, not good"? Only the order of the words tells. Right at '
            f"such reviews ({len(paired)} of the test split): this model "
            f"{scores['this_model']:.1%}, "
            f"a bag of words {scores['bag_of_words']:.1%}."
        )
        return {"accuracy_at_paired_reviews": scores}


if __name__ == "__main__":
    program.run(Sentiment())
