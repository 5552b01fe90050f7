"""The modes of all programs: train, evaluate, predict, export, stream."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from typing import Any

from tasks.data.errors import UserError
from tasks.framework import distribution
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.distribution import Team
from tasks.framework.evaluating import evaluate, predicted_answers
from tasks.framework.machine import machine, versions
from tasks.framework.predicting import predict
from tasks.framework.stages import CONFIG
from tasks.framework.starting import read_alike
from tasks.framework.streaming import stream
from tasks.framework.task import Task, load_model
from tasks.framework.text_io import check_writable
from tasks.framework.training import counted, load, restore, train
from zoo import files
from zoo.catalog.loading import Model
from zoo.catalog.sources import BEST
from zoo.saving.versions import SAVED_MODELS, find

# A mode is given the task of its program, the recipe, and what the program is asked to do; of these
# two, programs have their own classes.
Mode = Callable[[Task, Any, Any], None]

# Of a user's own validation texts, what is shown after training.
_SHOWN, _SHOWN_CHARACTERS = 3, 300


def train_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Trains, evaluates, saves the model, and shows what it says of some texts."""
    with distribution.joined(config.training, task.name, run.model_dir) as team:
        _train(task, config, run, team)


def _train(task: Task, config: TaskConfig, run: RunConfig, team: Team) -> None:
    folder = export_folder(task, run)
    if team.is_chief:
        check_writable(folder, "export_dir")
    trained = train(task, config, run.model_dir, run.command)
    texts = task.texts
    if config.data.data != "demo":
        examples = trained.trainer.corpus["validation"][:_SHOWN]
        texts = [_beginning(task.text(example)) for example in examples]
    shown: list[str] = []

    def check(model: Model) -> None:
        """All that is asked of the SavedModel, before it becomes a version."""
        if run.weights != "float32":
            examples = trained.trainer.corpus["validation"]
            predicted = predicted_answers(task, model, examples)
            metrics = evaluate(task, examples, predicted, f"validation, {run.weights}", None)
            trained.results.stored = {"weights": run.weights, "validation": metrics}
            trained.write()
        predictions = task.predict(model, texts)
        shown.extend(task.show(prediction, os.isatty(1)) for prediction in predictions)

    version = trained.export(folder, run.weights, check)
    print(f"\nSaved: {version}   Logs, figures, results.json: {trained.trainer.model_dir}\n")
    print(*shown, sep="\n")


def _beginning(text: str) -> str:
    """What is shown of a text: its first line, and not a whole book."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return textwrap.shorten(line, _SHOWN_CHARACTERS, placeholder="")


def evaluate_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Measures a SavedModel on the test split."""
    model, folder = needed_model(task, run), run.model_dir
    if folder:
        check_writable(folder, "model_dir")
    (examples,) = load(task, read_alike(config, model, run.given), ["test"]).values()
    task.check_answers(model, task.answers(examples))
    of = "the built-in corpus" if config.data.data == "demo" else config.data.data
    print(f"test, {of}: {counted(task.counts(examples))}", flush=True)
    start = time.perf_counter()
    predicted = predicted_answers(task, model, examples)
    seconds = time.perf_counter() - start
    if folder:
        os.makedirs(folder, exist_ok=True)
    metrics = evaluate(task, examples, predicted, "test", folder)
    print(f"  {len(examples) / seconds:.0f} texts/s")
    if folder:
        results = {
            "task": task.name,
            "command": run.command,
            "model": run.model,
            "counts": {"test": task.counts(examples)},
            "test": metrics,
            "wall_seconds": seconds,
            "machine": machine(),
            "versions": versions(),
        }
        files.write_json(os.path.join(folder, "evaluation.json"), results)


def predict_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """What a SavedModel says of texts, in the terminal or in a file."""
    predict(task, config, run, lambda: needed_model(task, run))


def export_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """Saves the model of a run that was trained before."""
    task.check_mode(run)
    model_dir = run.model_dir
    wanted = [os.path.join(model_dir or "", name) for name in (BEST, CONFIG)]
    if not model_dir or not all(map(os.path.exists, wanted)):
        raise UserError(
            f"--mode=export needs --model_dir, the folder of a run, with {BEST} and {CONFIG} in "
            f"it. Received: {model_dir!r}"
        )
    check_writable(export_folder(task, run), "export_dir")
    trainer, model = restore(task, config, model_dir, run.given)

    def check(saved: Model) -> None:
        task.predict(saved, task.texts)

    print(f"Saved: {trainer.save(model, export_folder(task, run), run.weights, check)}")


def stream_mode(task: Task, config: TaskConfig, run: RunConfig) -> None:
    """What a SavedModel says of standard input, as it comes."""
    del config
    stream(task, run, lambda: needed_model(task, run))


MODES: dict[str, Mode] = {
    "train": train_mode,
    "evaluate": evaluate_mode,
    "predict": predict_mode,
    "export": export_mode,
    "stream": stream_mode,
}


def export_folder(task: Task, run: RunConfig) -> str:
    """Where a task's SavedModels go: --export_dir, or by the name of the task."""
    return run.export_dir or os.path.join(SAVED_MODELS, task.name)


def needed_model(task: Task, run: RunConfig) -> Model:
    """The SavedModel that --model names.

    Raises:
        UserError: it names none, or one that cannot do what the program is asked.
    """
    task.check_mode(run)
    if not run.model:
        raise UserError(
            f"--mode={run.mode} needs --model, a SavedModel or the name of one. Received: none; "
            f"give its folder, or a name of {SAVED_MODELS}/"
        )
    try:
        folder = find(run.model)
    except ValueError as error:
        raise UserError(f"--model: {error}") from None
    model = load_model(task, folder)
    task.check_asked(model, run)
    return model
