"""A language model of a corpus' own texts, from which its classifier starts."""

from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.classification.configuration import ClassificationConfig
from tasks.data import batching
from tasks.framework import fitting
from tasks.framework.distribution import ALONE, Team
from tasks.framework.text_io import PREDICT_BATCH
from zoo.configuration import WordPredictorConfig
from zoo.models import Classifier, WordPredictor

# The language model is scored on so many validation texts, by the whole softmax.
_TEXTS_TO_SCORE = 256


def pretrain(
    classifier: Classifier,
    texts: batching.Sequences,
    validation: batching.Sequences,
    config: ClassificationConfig,
    folder: str,
    team: Team = ALONE,
) -> None:
    """Trains a language model, or loads the one that was trained, and hands its weights on.

    Args:
        classifier: built, recurrent, on an embedding.
        texts: to train on.
        validation: texts by which the best epoch is chosen.
        config: the classifier's recipe.
        folder: of checkpoints and logs.
        team: that trains it.
    """
    training = dataclasses.replace(config.training, epochs=config.training.pretrain_epochs)
    keras.utils.set_random_seed(training.seed)
    made_of = classifier.config
    os.makedirs(folder, exist_ok=True)
    with team.scope():
        model = WordPredictor(
            WordPredictorConfig(
                vocabulary_size=made_of.vocabulary_size,
                cell=made_of.cell,
                units=made_of.units,
                bidirectional=made_of.bidirectional,
                embedding_dim=made_of.embedding_dim,
                jit=made_of.jit,
            )
        )
        fitting.compile_model(model, training)
        model.take_embedding(classifier)

    part = team.part(training.batch_size)

    def make_batch(rows: list[int], padded: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        batch = texts.batch(part.of_rows(rows), part.rows, padded)
        return batch, np.zeros([part.rows], np.int32)

    def epoch(number: int) -> batching.Batches:
        groups = batching.shuffled(texts.lengths, training.batch_size, training.seed, number)
        return batching.Batches(groups, make_batch)

    measure = function_here(model.log_likelihood)
    count = min(_TEXTS_TO_SCORE, len(validation))
    some = list(batching.by_length(validation.lengths, PREDICT_BATCH, range(count)))

    def score() -> float:
        parts = [
            measure({"words": tf.constant(validation.batch(rows, PREDICT_BATCH, n)["words"])})
            for rows, n in some
        ]
        return float(sum(total for total, _ in parts)) / max(1, sum(int(n) for _, n in parts))

    print("\nA language model of the texts:", flush=True)
    fitting.fit(model, epoch, score, "log_likelihood", folder, training, team=team)
    model.give_weights(classifier)
