"""Praise or blame, topics, stars; whatever labels a corpus has."""

from __future__ import annotations

from tasks.classification.task import ClassificationTask


class Sentiment(ClassificationTask):
    """The label of a text, on the built-in film reviews unless told otherwise."""

    name = "sentiment"
    texts = (
        "There is nothing to like in this movie.",
        "The plot was good, not bad.",
        "The plot was bad, not good.",
    )
