"""What a task has of its own: corpora, models, what they predict and how that is measured."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.engine import function_here
from tasks.data.batching import Batches, Part
from tasks.data.errors import UserError, why
from tasks.data.inputs import Input, read_inputs
from tasks.data.word_vectors import WordVectors
from tasks.framework import fitting, starting
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.distribution import ALONE, Team
from tasks.framework.pretrained import language_model_of
from zoo import records
from zoo.catalog.building import load_weights, model_of
from zoo.catalog.loading import Model
from zoo.catalog.results import without_folders
from zoo.catalog.sources import Source
from zoo.configuration import RecurrentConfig
from zoo.files import read_lines
from zoo.models import RecurrentModel
from zoo.models.parts import MakeStack
from zoo.predictor import Predictor
from zoo.saving import export
from zoo.saving.in_memory import InMemory

# The loss of so many validation examples is measured after each epoch, at most.
VALIDATED = 1024

# The class of a task's recipes.
C = TypeVar("C", bound=TaskConfig)

# From the ending of a file to what writes an input and its prediction as text.
Formats = Mapping[str, Callable[[Input, Any], str]]


class Task(abc.ABC, Generic[C]):
    """What a task has of its own.

    *Examples* are what its corpora hold, such as tagged sentences; *answers* what is to be
    predicted for an example, such as its tags; *predictions* what a model says of a text, of one
    type for each task (`zoo.predictions`).

    Attributes:
        name: that of the program.
        config: the class of its recipes.
        score_name: of the metrics, the one that validation goes by; higher is better.
        texts: to predict for after training.
        signatures: that a SavedModel of the task has, with one output of each that tells it from
            others.
        columns: of a table of predictions; `row` is the first of those with a row for each token.
        formats: further formats of predictions, beside JSON lines and tables.
    """

    name: ClassVar[str]
    config: ClassVar[type[TaskConfig]]
    score_name: ClassVar[str]
    texts: ClassVar[Sequence[str]]
    signatures: ClassVar[Mapping[str, str]]
    columns: ClassVar[Sequence[str]]
    formats: ClassVar[Formats] = {}

    @abc.abstractmethod
    def load(self, config: C, splits: Sequence[str], optional: Sequence[str]) -> dict[str, list]:
        """Examples by split, of train, validation and test; an optional one where there is one."""

    @abc.abstractmethod
    def trainer(self, corpus: dict[str, list], config: C, model_dir: str) -> Trainer[C]:
        """Prepares a corpus for training."""

    @abc.abstractmethod
    def predict(self, model: Predictor, texts: Sequence[str]) -> list:
        """A model's predictions for a batch of texts."""

    def read_inputs(self, path: str, config: C) -> list[Input]:
        """What a file holds to predict for."""
        return read_inputs(path, config.data.text_column)

    def predict_inputs(self, model: Predictor, inputs: Sequence[Input]) -> list:
        """A model's predictions for a batch of what `read_inputs` reads."""
        return self.predict(model, [one.text for one in inputs])

    def check_mode(self, run: RunConfig) -> None:
        """Raises UserError where a program is asked what its mode, which trains nothing, passes
        over."""
        del run

    def check_asked(self, model: Model, run: RunConfig) -> None:
        """Raises UserError where a SavedModel cannot do what a program asks of it."""
        del model, run

    def asked(self, run: RunConfig) -> Task[C]:
        """The task as a program is asked to do it."""
        del run
        return self

    def as_asked(self, prediction: Any, run: RunConfig) -> Any:
        """A prediction in the form that --mode=predict is asked to show or write it in."""
        return prediction

    def record(self, prediction: Any) -> dict[str, Any]:
        """A prediction as an object of JSON, without the text."""
        return records.record(prediction)

    @abc.abstractmethod
    def rows(self, prediction: Any) -> list[tuple]:
        """A prediction as rows of a table, in `columns` behind `row`."""

    @abc.abstractmethod
    def predict_examples(self, model: Predictor, examples: list) -> list:
        """What a model predicts for a batch of examples, comparable with their answers."""

    @abc.abstractmethod
    def answers(self, examples: list) -> list:
        """What is to be predicted."""

    def check_answers(self, model: Model, answers: list) -> None:
        """Raises UserError where answers are none that a SavedModel can give."""
        del model, answers

    @abc.abstractmethod
    def length(self, example: Any) -> int:
        """How long an example is: a batch takes as long as its longest."""

    @abc.abstractmethod
    def text(self, example: Any) -> str:
        """The text of an example."""

    @abc.abstractmethod
    def counts(self, examples: list) -> dict[str, int]:
        """Numbers of examples and of what they consist of."""

    @abc.abstractmethod
    def metrics(self, answers: list, predicted: list) -> dict:
        """Named figures; nested ones for each class."""

    def draw(self, answers: list, predicted: list, folder: str, split: str) -> None:
        """Writes figures of an evaluation as PNG."""
        del answers, predicted, folder, split

    @abc.abstractmethod
    def show(self, prediction: Any, colour: bool) -> str:
        """A prediction in one line for a terminal."""

    def heard(self, answer: Mapping[str, Any]) -> list[str]:
        """What a model says of a chunk of a text that it reads as it comes, in lines."""
        raise UserError(f"--mode=stream: tasks.{self.name} has no streams")


class Trainer(abc.ABC, Generic[C]):
    """A corpus in numbers, and models trained on it.

    Attributes:
        task: whose.
        corpus: examples by split.
        config: the recipe.
        model_dir: folder of checkpoints and logs.
        source: the trained model that training starts from, or None.
        vectors: of its words, or None.
        read: digests of what it reads beside its corpus, by what that is called.
        notes: what is to be said of what it reads, before it trains.
        team: the replicas that train; by default this process alone.
    """

    config: C
    vectors: WordVectors | None = None
    read: Mapping[str, str] = {}
    notes: Sequence[str] = ()
    team: Team = ALONE

    def __init__(self, task: Task[C], corpus: dict[str, list], config: C, model_dir: str):
        self.task, self.corpus, self.config, self.model_dir = task, corpus, config, model_dir
        self.source = starting.find(config)
        self.pretrained = language_model_of(config.training, model_dir)

    @abc.abstractmethod
    def model_config(self) -> RecurrentConfig:
        """What the model is made of, its sizes as they follow from the corpus."""

    @abc.abstractmethod
    def make_model(self, config: RecurrentConfig, make_stack: MakeStack) -> RecurrentModel:
        """A model of a configuration."""

    def build(self, make_stack: MakeStack = layers.Stack) -> RecurrentModel:
        """A compiled, built model; `make_stack` makes its recurrent part."""
        training = self.config.training
        keras.utils.set_random_seed(training.seed)
        with fitting.precision(training.mixed_precision), self.team.scope():
            model = self.make_model(self.model_config(), make_stack)
            fitting.compile_model(model, training)
        if self.source is not None and make_stack is layers.Stack:
            model.start_from(self._trained(self.source))
        return model

    def as_measured(self, model: RecurrentModel) -> RecurrentModel:
        """A trained model as it is measured and saved: mixed precision is for training alone."""
        if self.config.training.mixed_precision == "float32":
            return model
        with fitting.precision("float32"):
            exact = model_of(model.config)
        exact.start_from(model)
        return exact

    @property
    def starts(self) -> bool:
        """Whether the model starts from a trained one."""
        return self.source is not None or self.pretrained is not None

    def known_words(self) -> list[str] | None:
        """The vocabulary of the model that this one starts from, if there is one."""
        if self.pretrained is not None:
            return self.pretrained.words
        return None if self.source is None else starting.lines(self.source, "vocabulary.txt")

    def _trained(self, found: Source) -> RecurrentModel:
        try:
            return load_weights(found)
        except (OSError, ValueError) as error:
            raise UserError(f"--init_from: {error}") from None

    @property
    def part(self) -> Part:
        """The rows of each training batch that are made here."""
        return self.team.part(self.config.training.batch_size)

    @abc.abstractmethod
    def epoch(self, number: int) -> Batches:
        """The training batches of an epoch, which follow from seed and number: this worker's `part`
        of each."""

    @abc.abstractmethod
    def predictor(self, model: keras.Model) -> Callable[[str], list]:
        """From a split to what the model predicts for its examples."""

    def fit(self, model: keras.Model, predict: Callable[[str], list]) -> list[dict]:
        """Trains and resumes, see `fitting.fit`; `predict` is the model's predictor."""
        return self.fit_in(self.model_dir, self.config.training.epochs, model, predict)

    def fit_in(
        self, folder: str, epochs: int, model: keras.Model, predict: Callable[[str], list]
    ) -> list[dict]:
        """What `fit` does, in a folder, for so many epochs."""
        return fitting.fit(
            model,
            self.epoch,
            self.scorer(model, predict),
            self.task.score_name,
            folder,
            dataclasses.replace(self.config.training, epochs=epochs),
            self.validation_loss(model),
            self.team,
        )

    def scorer(self, model: keras.Model, predict: Callable[[str], list]) -> Callable[[], float]:
        """What scores a model on the validation part after each epoch; higher is better."""
        answers = self.task.answers(self.corpus["validation"])

        def score() -> float:
            return self.task.metrics(answers, predict("validation"))[self.task.score_name]

        return score

    def validation_loss(self, model: keras.Model) -> Callable[[], float] | None:
        """What measures the loss of a model on validation examples; None where the score is it."""
        batches = self.validation_batches()
        if not batches:
            return None

        @function_here
        def loss(inputs: Any, answers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            scores = model(inputs, training=False)
            mean = model.compute_loss(x=inputs, y=answers, y_pred=scores, training=False)
            return mean, model.loss_count(inputs)

        def measure() -> float:
            total, count = 0.0, 0
            for inputs, answers in batches:
                mean, of = loss(tf.nest.map_structure(tf.constant, inputs), tf.constant(answers))
                total, count = total + float(mean) * int(of), count + int(of)
            return total / max(1, count)

        return measure

    @property
    def splits(self) -> list[str]:
        """Those of the corpus, and what else is learned from."""
        return list(self.corpus)

    def counts(self, split: str) -> dict[str, int]:
        """Numbers of a split's examples and of what they consist of."""
        return self.task.counts(self.corpus[split])

    def validation_batches(self) -> list[tuple[Any, np.ndarray]]:
        """Inputs and answers of some validation examples, without padded rows."""
        return []

    def further_metrics(self, model: Predictor, split: str) -> dict[str, float]:
        """More metrics of a split, of the model as it is served."""
        del model, split
        return {}

    def further_figures(self, model: keras.Model) -> dict[str, Any]:
        """What else results.json is to say of a trained model."""
        del model
        return {}

    @abc.abstractmethod
    def module(self, model: RecurrentModel, weights: str = "float32") -> Any:
        """The model with its signatures, from raw text to an answer."""

    def in_memory(self, model: RecurrentModel) -> Predictor:
        """The model, asked as a SavedModel is."""
        return InMemory(self.module(model))

    def about(self, model: RecurrentModel) -> dict[str, Any]:
        """What a SavedModel says of itself, see `zoo.catalog.sources`."""
        made_of = {**model.config.as_dict(), "rows": 0}
        return {
            "task": self.task.name,
            "model": {name: made_of[name] for name in model.config.as_dict()},
            "recipe": without_folders(self.config.as_dict(recipe_only=True)),
            "saved": self.saved_with(),
        }

    def saved_with(self) -> dict[str, Any]:
        """Options of the signatures that are no part of the recipe."""
        return {}

    def save(
        self,
        model: RecurrentModel,
        export_dir: str,
        weights: str = "float32",
        check: Callable[[Model], object] | None = None,
    ) -> str:
        """Saves a model as the next version under a folder; returns that version's.

        Args:
            model: to save.
            export_dir: folder of the versions.
            weights: how they are stored.
            check: called with what was saved, before it becomes a version: where it raises an
                error, there is none.

        Raises:
            UserError: the folder cannot be written to.
        """
        module, said = self.module(model, weights), f"--export_dir={export_dir}, as it was saved"
        failed = []

        def checked(folder: str) -> None:
            if check is not None:
                try:
                    check(load_model(self.task, Path(folder), said))
                except OSError as error:  # of what it writes elsewhere
                    failed.append(error)
                    raise

        signatures = {name: getattr(module, name) for name in module.signature_names}
        try:
            return export.save(
                module,
                signatures,
                export_dir,
                module.warmup(tf.constant([*self.task.texts, ""])),
                self.about(model),
                checked,
            )
        except OSError as error:
            if failed:
                raise
            raise UserError(
                f"--export_dir: expected a folder to write to. Received: {export_dir!r}, which "
                f"cannot be written to: {why(error)}. Give another folder."
            ) from None


def load_model(task: Task, folder: Path, said: str = "--model") -> Model:
    """A SavedModel of a task, from the folder of a version.

    Args:
        task: whose.
        folder: of the version.
        said: where it comes from, for messages.

    Raises:
        UserError: it cannot be loaded, or is none of this task.
    """
    try:
        # A running text that is evaluated may be of any length.
        model = Model(folder, max_characters=None)
    except (OSError, ValueError) as error:
        raise UserError(f"{said}: {error}") from None
    for name, output in task.signatures.items():
        if name not in model.signatures or output not in model.signatures[name].outputs:
            raise UserError(
                f"{said}: expected a model of tasks.{task.name}, with a signature {name!r} that "
                f"gives {output!r}. Received: {str(folder)!r}, with {sorted(model.signatures)}"
            )
    return model


def asset_lines(model: Model, name: str) -> list[str]:
    """The lines of a text file that a SavedModel holds as an asset."""
    return read_lines(model.folder / "assets" / name)
