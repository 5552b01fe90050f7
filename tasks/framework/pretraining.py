"""A language model of texts, from which a classifier or a tagger starts."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import keras
import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import batching
from tasks.data.batching import Sequences
from tasks.data.errors import UserError
from tasks.framework import checkpoints, fitting
from tasks.framework.configuration import PretrainedTraining, TaskConfig
from tasks.framework.distribution import ALONE, Team
from tasks.framework.pretrained import MADE_OF, SHAPE, Pretrained
from tasks.framework.stages import PRETRAINING
from tasks.framework.task import Task, Trainer
from tasks.framework.text_io import PREDICT_BATCH
from zoo import files
from zoo.configuration import WordPredictorConfig
from zoo.models import Classifier, Tagger, WordPredictor
from zoo.saving.restoring import restore_run

# The language model is scored on so many validation texts, by the whole softmax.
_TEXTS_TO_SCORE = 256
# What the language model has as the model has it.
_SHARED = (*SHAPE, "vocabulary_size", "jit", "vectors")
# The class of a task's recipes.
C = TypeVar("C", bound=TaskConfig)


class PretrainedTrainer(Trainer[C]):
    """Trains models that may start from a language model.

    Attributes:
        made: what its models are called.
    """

    made: ClassVar[str]
    encoded: dict[str, Sequences]

    def __init__(self, task: Task[C], corpus: dict[str, list], config: C, model_dir: str):
        check_start(config)
        super().__init__(task, corpus, config, model_dir)
        if self.pretrained is not None:
            self.read = {"language model": self.pretrained.digest}
            self.notes = notes_on(self.pretrained, model_dir)

    def reads_beside(self, texts: Iterable[str]) -> None:
        """Notes the texts that training reads, the corpus' own or others: a run that goes on reads
        the same."""
        digest = hashlib.sha256()
        for text in texts:
            # Two texts are not one of two lines.
            digest.update(text.replace("\n", "\0").encode() + b"\n")
        self.read = {**self.read, "set of texts to pretrain on": digest.hexdigest()}

    @abc.abstractmethod
    def running_text(self) -> Sequences:
        """What a language model learns from."""

    def epochs_before(self) -> list[dict]:
        """The epochs that this run's own model has had when the run goes on, in all workers."""
        return self.team.share(checkpoints.epochs(self.model_dir))

    def fit(self, model: Any, predict: Callable[[str], list]) -> list[dict]:
        if self.begin(model):
            print(f"\nThe {self.made}:", flush=True)
        return super().fit(model, predict)

    def begin(self, model: Classifier | Tagger) -> bool:
        """Gives a model the weights of the language model that it starts from, if there is one;
        where that is its own, it is trained first. Returns whether it was. A model that has had an
        epoch has begun already: its checkpoint says where it is."""
        training = self.config.training
        assert isinstance(training, PretrainedTraining)
        if self.epochs_before():
            return False
        if self.pretrained is not None:
            language = self.pretrained
            print(
                f"\nFrom the language model of {language.run}, which knows "
                f"{len(language.words):,} words:",
                flush=True,
            )
            start_from(model, language)
            language.kept_in(self.model_dir)
        elif training.pretrain:
            texts, validation = self.running_text(), self.encoded["validation"]
            pretrain(model, texts, validation, training, self.model_dir, self.team)
        return training.trains_language_model


def notes_on(language: Pretrained, model_dir: str) -> list[str]:
    """What is to be said of the language model of another run: that it is not done with it, and
    that it was trained on what is held out here."""
    if language.run == Path(model_dir):
        return []
    try:
        there, read_there = checkpoints.what_is_read(str(language.run))
        here, read_here = checkpoints.what_is_read(model_dir)
        done = checkpoints.epochs(str(language.weights.parent))
    except (OSError, UserError):
        return []  # nothing to be known of it
    notes = []
    epochs, scores = there.get("pretrain_epochs", 0), [row["log_likelihood"] for row in done]
    if done and len(done) < epochs and not fitting.is_over(scores, there.get("patience", 0)):
        notes.append(
            f"the language model of {language.run} has had {len(done)} of {epochs} epochs; the "
            "command that began it goes on with it."
        )
    same = all(there.get(name) == here.get(name) for name in ("data", "train_file", "valid_file"))
    part = "corpus (validation)"
    if same and read_there.get(part) != read_here.get(part):
        other = "--seed" if there.get("seed") != here.get("seed") else "validation part"
        notes.append(
            "the language model of --pretrain_from was trained on the same corpus with another "
            f"{other}: it may have read texts of what is the validation part here."
        )
    return notes


def check_start(config: TaskConfig) -> None:
    """Raises UserError where there are two models to start from, a language model and nothing in
    the model that could start from it, or texts that are read twice."""
    training, made_of = config.training, config.model
    if not isinstance(training, PretrainedTraining):
        return
    file, flag = training.pretrain_file, training.starts_from
    if file is not None and file == config.data.data and training.reads_more_texts:
        raise UserError(
            "--pretrain_file: expected texts beside those of --data, which are read already. "
            f"Received: {file!r}, which is both"
        )
    if flag is None:
        return
    without = ". Where a preset says --pretrain, --nopretrain takes it back" * training.pretrain
    if training.init_from is not None:
        raise UserError(
            f"expected --{flag} or --init_from, which has been trained already. "
            f"Received: both{without}"
        )
    reads = getattr(made_of, "inputs", "embedding")
    if made_of.cell == "none" or reads != "embedding":
        received = f"--cell={made_of.cell} --inputs={reads}"
        raise UserError(
            f"--{flag} goes with a recurrent --cell and --inputs=embedding. "
            f"Received: {received}{without}"
        )


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

    print(f"\nA language model of {len(texts):,} texts and parts of texts:", flush=True)
    fitting.fit(language, epoch, score, "log_likelihood", folder, training, team=team)
    language.give_weights(model)
