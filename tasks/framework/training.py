"""Training from Python: a task and a recipe in, a trained model and what was measured out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.data.errors import UserError
from tasks.framework import checkpoints, distribution, figures, starting
from tasks.framework.configuration import TaskConfig
from tasks.framework.distribution import Team
from tasks.framework.evaluating import evaluate, show_metrics
from tasks.framework.machine import machine, versions
from tasks.framework.task import Task, Trainer
from zoo.catalog.loading import Model
from zoo.catalog.results import RESULTS, RunResults
from zoo.models import RecurrentModel
from zoo.predictor import Predictor


@dataclasses.dataclass(frozen=True)
class Trained:
    """What `train` gives.

    Attributes:
        model: the Keras model, with the weights of its best epoch.
        results: what was measured, as in results.json.
        predictor: the model, asked with texts as a SavedModel is.
        trainer: the corpus in numbers, see `Trainer`.
    """

    model: RecurrentModel
    results: RunResults
    predictor: Predictor
    trainer: Trainer

    def __call__(self, texts: Any) -> dict[str, np.ndarray]:
        """The answers for a text or several, see `Predictor`."""
        return self.predictor(texts)

    def export(
        self,
        folder: str,
        weights: str = "float32",
        check: Callable[[Model], object] | None = None,
    ) -> str:
        """Saves the model as the next version under a folder, and returns that version's.

        Args:
            folder: of the versions, such as `saved_models/mine`.
            weights: how they are stored, `"float32"`, `"float16"` or `"int8"`.
            check: see `Trainer.save`.
        """
        return self.trainer.save(self.model, folder, weights, check)

    def write(self) -> None:
        """Writes results.json into the folder of the run."""
        self.results.write(os.path.join(self.trainer.model_dir, RESULTS))


def train(
    task: Task, config: TaskConfig | None = None, model_dir: str | None = None, command: str = ""
) -> Trained:
    """Trains a model, measures it, and writes results.json and figures.

    With `init_from` and `pretrain_from`, options of the model's shape are those of the model that
    it starts from; other ones, where they are not the defaults, are an error.

    Args:
        task: such as `tasks.tagging.NamedEntities()`.
        config: its recipe; by default the task's own, on the built-in corpus.
        model_dir: folder of checkpoints, logs and figures; a run that it holds is resumed. By
            default a temporary one.
        command: that does the same; by default made from the recipe.

    With `distribute="multi_worker"`, each worker calls this, and where it returns is the chief: the
    others end there.

    Raises:
        UserError: data, folder or workers are not as they must be.
        SystemExit: this worker is done, and not the chief.
    """
    config = task.config() if config is None else config
    with distribution.joined(config.training, task.name, model_dir) as team:
        return _train(task, config, model_dir, command, team)


def _train(
    task: Task, config: TaskConfig, model_dir: str | None, command: str, team: Team
) -> Trained:
    start = time.perf_counter()
    config = starting.shaped(config, config.changed(), model_dir)
    corpus = load(task, config, ["train", "validation", "test"])
    folder = distribution.folder_of(team, model_dir, task.name)
    with checkpoints.held(folder):
        seconds_before, trainer = claim(task, config, corpus, folder)
        options, read = checkpoints.what_is_read(folder)
        team.agree(options, read, type(config)().as_dict(recipe_only=True))
        trainer.team = team
        return _trained(trainer, command, not model_dir, start - seconds_before)


def _trained(trainer: Trainer, command: str, temporary: bool, start: float) -> Trained:
    """Trains in the folder of a run, which may be a temporary one, and measures."""
    task, config, corpus, team = trainer.task, trainer.config, trainer.corpus, trainer.team
    if team.is_chief:
        for name, why in config.without_effect().items():
            print(f"{task.name}: --{name} has no effect {why}.", file=sys.stderr)
        for note in trainer.notes:
            print(f"{task.name}: {note}", file=sys.stderr)
    counts = {split: trainer.counts(split) for split in trainer.splits}
    for split, count in counts.items():
        print(f"{split}: {counted(count)}", flush=True)

    model = trainer.build()
    predict = trainer.predictor(model)
    try:
        history = trainer.fit(model, predict)
        distribution.end_with_the_chief(team)
    except KeyboardInterrupt:
        if temporary:
            print(
                f"\nWhat was trained so far is in {trainer.model_dir}: with "
                f"--model_dir={trainer.model_dir}, the same command goes on from the last epoch.",
                file=sys.stderr,
            )
        raise
    exact = trainer.as_measured(model)
    if exact is not model:
        model, predict = exact, trainer.predictor(exact)
    results = RunResults(
        task=task.name,
        score=task.score_name,
        command=command or command_of(task, config),
        config=config.as_dict(recipe_only=True),
        model=model.config.as_dict(),
        counts=counts,
        parameters=sum(math.prod(variable.shape) for variable in model.parameters),
        epochs=history,
        machine={**machine(), **team.about()},
        versions=versions(),
        data_fingerprint=fingerprint(corpus),
        validation={},
        wall_seconds=0.0,
    )
    return _measured(trainer, model, predict, results, start)


def _measured(
    trainer: Trainer,
    model: RecurrentModel,
    predict: Callable[[str], list],
    results: RunResults,
    start: float,
) -> Trained:
    """Measures a trained model and writes results.json: first with what all tasks measure, and
    again with what else there is to say and to draw, which may take long or fail."""
    task, corpus, folder = trainer.task, trainer.corpus, trainer.model_dir

    # A finished run that is measured again keeps how long it took, and what it is not asked for.
    before = _measured_before(os.path.join(folder, RESULTS), results.epochs)
    known = {} if before is None else before.further
    results.further = known

    def write() -> None:
        seconds = time.perf_counter() - start
        results.wall_seconds = seconds if before is None else before.wall_seconds
        results.write(os.path.join(folder, RESULTS))

    predicted = {split: predict(split) for split in ("validation", "test") if split in corpus}
    measured = {
        split: evaluate(task, corpus[split], found, split, None)
        for split, found in predicted.items()
    }
    results.validation, results.test = measured["validation"], measured.get("test")
    write()
    for split, found in predicted.items():
        task.draw(task.answers(corpus[split]), found, folder, split)
    predictor = trainer.in_memory(model)
    for split, metrics in measured.items():
        more = trainer.further_metrics(predictor, split)
        if more:
            show_metrics(f"{split}, as served", more)
        metrics |= more
    results.further = known | trainer.further_figures(model)
    curves = os.path.join(folder, "learning_curves.png")
    figures.learning_curves(results.epochs, task.score_name, curves)
    write()
    return Trained(model, results, predictor, trainer)


def _measured_before(path: str, epochs: list[dict]) -> RunResults | None:
    """The record that is there already, if it is one of the same epochs."""
    try:
        before = RunResults.read(path)
    except (OSError, ValueError):
        return None  # none, or damaged: it is about to be written anew
    return before if before.epochs == epochs else None


def counted(counts: Mapping[str, int]) -> str:
    """Numbers of examples and of what they consist of, in words.

    Example:
        >>> counted({"texts": 1200, "words": 9})
        '1,200 texts, 9 words'
    """
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def restore(
    task: Task, config: TaskConfig, model_dir: str, given: Collection[str] | None = None
) -> tuple[Trainer, RecurrentModel]:
    """The model of a run that was trained before, with the weights of its best epoch.

    Args:
        task: of the run.
        config: its recipe; where `given` says which of its options were said, the others are those
            of the run.
        model_dir: its folder.
        given: names of options, or None for all.

    Raises:
        UserError: the folder holds another run, or does not say which.
    """
    if given is not None:
        said = {name: value for name, value in config.as_dict().items() if name in given}
        there = checkpoints.read_config(model_dir)
        try:
            config = type(config).from_dict({**there, **said})
        except ValueError as error:
            raise UserError(f"--model_dir: {model_dir!r}: {error}. Give another folder.") from None
        planned = there.get("epochs", config.training.epochs)
        if config.training.epochs > planned:  # which training may go on to
            raise UserError(
                f"--model_dir: {model_dir!r} holds a run with other flags: --epochs={planned} "
                f"there, {config.training.epochs} now. Leave it out."
            )
    _, trainer = claim(task, config, load(task, config, ["train", "validation"]), model_dir)
    model = trainer.build()
    checkpoints.restore_best(model, model_dir)
    return trainer, trainer.as_measured(model)


def claim(
    task: Task, config: TaskConfig, corpus: dict[str, list], model_dir: str
) -> tuple[float, Trainer]:
    """Takes a folder for a run, and prepares its corpus; also the seconds that it was trained for.

    Raises:
        UserError: the folder holds another run.
    """
    checkpoints.claim(
        model_dir,
        {"task": task.name, **config.as_dict(recipe_only=True)},
        {split: fingerprint({split: corpus[split]}) for split in ("train", "validation")},
        type(config)().as_dict(recipe_only=True),
    )
    trainer = task.trainer(corpus, config, model_dir)
    for what, digest in trainer.read.items():
        checkpoints.keep_lines(
            model_dir,
            f"{what.replace(' ', '_')}.txt",
            [digest],
            "the texts or the model that --data, --pretrain_file or --pretrain_from name",
        )
    return checkpoints.seconds_before(model_dir), trainer


def load(task: Task, config: TaskConfig, splits: list[str]) -> dict[str, list]:
    """The splits of the corpus; for training, a test split only where there is one.

    Raises:
        UserError: the corpus cannot be read, or files are given that it does not take.
    """
    given = [split for split, path in config.data.files.items() if path]
    if given and config.data.data != "files":
        raise UserError(
            f"a {given[0]} file goes with --data=files. Received: --data={config.data.data}"
        )
    return task.load(config, splits, optional=["test"] if len(splits) > 1 else [])


def command_of(task: Task, config: TaskConfig) -> str:
    """The command that trains a recipe: its options that are not the defaults, as flags."""
    words = ["python", "-m", f"tasks.{task.name}"]
    for name, value in config.changed().items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no'}{name}")
        else:
            words.append(f"--{name}={value}")
    return shlex.join(words)


def fingerprint(corpus: Mapping[str, Sequence[Any]]) -> str:
    """What tells one corpus from another: a digest of all examples of all splits, in order."""
    digest = hashlib.sha256()
    for split in sorted(corpus):
        digest.update(f"{split} {len(corpus[split])}\n".encode())
        for example in corpus[split]:
            digest.update(json.dumps(example).encode() + b"\n")
    return digest.hexdigest()
