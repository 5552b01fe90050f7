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
from tasks.framework.configuration import PretrainedTraining
from tasks.framework.distribution import ALONE, Team
from tasks.framework.pretrained import MADE_OF, PRETRAINING, SHAPE, Pretrained
from tasks.framework.text_io import PREDICT_BATCH
from zoo import files
from zoo.configuration import WordPredictorConfig
from zoo.models import Classifier, Tagger, WordPredictor
from zoo.saving.restoring import restore_run

# The language model is scored on so many validation texts, by the whole softmax.
_TEXTS_TO_SCORE = 256
# What the language model has as the model has it.
_SHARED = (*SHAPE, "vocabulary_size", "jit", "vectors")


def check_start(training: PretrainedTraining, task: str) -> None:
    """Raises UserError where there are two models to start from; says what has no effect."""
    from_a_run = training.pretrain_from is not None
    if training.init_from is not None and (from_a_run or training.pretrain):
        flag = "pretrain_from" if from_a_run else "pretrain"
        raise UserError(
            f"expected --{flag} or --init_from, which has been trained already. Received: both"
        )
    why = "with --pretrain_from" if from_a_run else "without --pretrain"
    used = {
        "pretrain_file": training.reads_more_texts,
        "pretrain_epochs": training.trains_language_model,
    }
    for name in training.changed():
        if not used.get(name, True):
            print(f"{task}: --{name} has no effect {why}.", file=sys.stderr)


def digests(texts: Iterable[str]) -> dict[str, str]:
    """What tells the texts that a language model learns from, by what they are called."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\n")
    return {"set of texts to pretrain on": digest.hexdigest()}


def digest_of(language: Pretrained) -> dict[str, str]:
    """What tells the language model of another run, by what it is called."""
    return {"language model": hashlib.sha256(language.weights.read_bytes()).hexdigest()}


def start_from(model: Classifier | Tagger, language: Pretrained) -> None:
    """Hands the weights of the language model of another run on to a built model.

    Raises:
        UserError: they are not those of that language model.
    """
    known = WordPredictor(language.config)
    known.build()
    try:
        restore_run(known, language.weights)
    except (OSError, ValueError) as error:
        raise UserError(f"--pretrain_from: {error}") from None
    known.give_weights(model)


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
    if team.is_chief:
        files.write_json(os.path.join(folder, MADE_OF), language.config.as_dict())
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
