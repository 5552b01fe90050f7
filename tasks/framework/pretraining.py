"""A language model of texts, from which a classifier or a tagger starts."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import batching
from tasks.data.batching import Sequences
from tasks.data.errors import UserError
from tasks.framework import fitting
from tasks.framework.checkpoints import PRETRAINING
from tasks.framework.configuration import PretrainedTraining
from tasks.framework.distribution import ALONE, Team
from tasks.framework.text_io import PREDICT_BATCH
from zoo.configuration import WordPredictorConfig
from zoo.models import Classifier, Tagger, WordPredictor

# The language model is scored on so many validation texts, by the whole softmax.
_TEXTS_TO_SCORE = 256
# What the language model has as the model has it.
_SHARED = (
    "vocabulary_size", "cell", "units", "bidirectional", "embedding_dim", "jit", "vectors",
    "character_dim",
)  # fmt: skip


def check_start(training: PretrainedTraining, task: str) -> None:
    """Raises UserError where there are two models to start from; says what has no effect."""
    if not training.pretrain:
        unused = [name for name in training.changed() if name.startswith("pretrain_")]
        for name in unused:
            print(f"{task}: --{name} has no effect without --pretrain.", file=sys.stderr)
    elif training.init_from is not None:
        raise UserError(
            "expected --pretrain or --init_from, which has been trained already. Received: both"
        )


def digests(texts: Iterable[str]) -> dict[str, str]:
    """What tells the texts that a language model learns from, by what they are called."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\n")
    return {"set of texts to pretrain on": digest.hexdigest()}


def pretrain(
    model: Classifier | Tagger,
    texts: Sequences,
    validation: Sequences,
    training: PretrainedTraining,
    model_dir: str,
    team: Team = ALONE,
) -> None:
    """Trains a language model, or loads the one that was trained, and hands its weights on.

    Args:
        model: built, recurrent, on an embedding.
        texts: to train on, what the model reads of them by name.
        validation: texts by which the best epoch is chosen.
        training: the model's recipe.
        model_dir: folder of the run.
        team: that trains it.
    """
    training = dataclasses.replace(training, epochs=training.pretrain_epochs)
    keras.utils.set_random_seed(training.seed)
    made_of = model.config.as_dict()
    folder = os.path.join(model_dir, PRETRAINING)
    os.makedirs(folder, exist_ok=True)
    with fitting.precision(training.mixed_precision), team.scope():
        language = WordPredictor(
            WordPredictorConfig(**{name: made_of[name] for name in _SHARED if name in made_of})
        )
        fitting.compile_model(language, training)
        language.take_words(model)
    part = team.part(training.batch_size)

    def make_batch(rows: list[int], padded: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        batch = texts.batch(part.of_rows(rows), part.rows, padded)
        return batch, np.zeros([part.rows], np.int32)

    def epoch(number: int) -> batching.Batches:
        groups = batching.shuffled(texts.lengths, training.batch_size, training.seed, number)
        return batching.Batches(groups, make_batch)

    measure = function_here(language.log_likelihood)
    count = min(_TEXTS_TO_SCORE, len(validation))
    some = list(batching.by_length(validation.lengths, PREDICT_BATCH, range(count)))

    def inputs(rows: list[int], padded: int) -> Mapping[str, tf.Tensor]:
        arrays = validation.batch(rows, PREDICT_BATCH, padded)
        return {name: tf.constant(arrays[name]) for name in texts.features}

    def score() -> float:
        parts = [measure(inputs(rows, padded)) for rows, padded in some]
        return float(sum(total for total, _ in parts)) / max(1, sum(int(n) for _, n in parts))

    print(f"\nA language model of {len(texts):,} texts:", flush=True)
    fitting.fit(language, epoch, score, "log_likelihood", folder, training, team=team)
    language.give_weights(model)
