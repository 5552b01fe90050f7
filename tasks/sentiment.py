r"""Classes of texts: praise or blame, topics, stars; whatever labels a corpus has.

python -m tasks.sentiment                                       # the built-in corpus
python -m tasks.sentiment --preset=imdb --model_dir=runs/imdb
python -m tasks.sentiment --data=files --train_file=a.csv --test_file=b.csv --label_column=stars
python -m tasks.sentiment --mode=predict --model=sentiment_imdb --text="There is nothing to like."
python -m tasks.sentiment --mode=explain --model=sentiment_imdb --text="Good, not bad."
python -m tasks.sentiment --mode=word_order                     # what a bag of words cannot know
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.classification.configuration import ClassificationConfig, ClassificationRun
from tasks.framework.running import Program

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.classification.sentiment import Sentiment

    return Sentiment()


def explain() -> Mode:
    from tasks.classification.explaining import explain_mode

    return explain_mode


def word_order() -> Mode:
    from tasks.experiments.word_order import word_order_mode

    return word_order_mode


PROGRAM = Program(
    "sentiment",
    __doc__,
    ClassificationConfig,
    task,
    ClassificationRun,
    {"explain": explain, "word_order": word_order},
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
