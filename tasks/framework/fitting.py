"""Training that can be stopped at any moment: checkpoints, early stopping, logs."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.framework.configuration import TrainingConfig
from tasks.framework.errors import UserError
from zoo import files
from zoo.models import RecurrentModel

CHECKPOINT, BEST, CONFIG, LOG = "checkpoint.npz", "best.npz", "config.json", "log.csv"


def claim_folder(model_dir: str, recipe: Mapping[str, Any], data: Mapping[str, str]) -> None:
    """Makes a folder the place of a run, or finds that it is the place of this one already.

    Args:
        model_dir: the folder.
        recipe: the options that make the run what it is, by the names of their flags.
        data: a fingerprint of each split that training reads.

    Raises:
        UserError: it holds another run: the flags or splits that differ are named.
    """
    path = os.path.join(model_dir, CONFIG)
    known = {**recipe, _DATA: dict(data)}
    try:
        os.makedirs(model_dir, exist_ok=True)
        if not os.path.exists(path):
            files.write_json(path, known)
            return
    except OSError as error:
        raise UserError(f"--model_dir: cannot write to {model_dir!r}: {error.strerror}") from None
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        found_data = found.pop(_DATA, {})
    except (ValueError, AttributeError):
        raise UserError(
            f"--model_dir: {path}: expected what this program writes there, an object of JSON. "
            "Give another folder."
        ) from None
    differing = [
        f"--{name}={found.get(name)!r} there, {recipe.get(name)!r} now"
        for name in sorted({*found, *recipe})
        if found.get(name) != recipe.get(name)
    ]
    if differing:
        raise UserError(
            f"--model_dir: {model_dir!r} holds a run with other flags: {'; '.join(differing)}. "
            "Give the same flags to resume it, or another folder."
        )
    changed = [split for split in data if found_data.get(split) != data[split]]
    if changed:
        raise UserError(
            f"--model_dir: {model_dir!r} holds a run on other data: it began with another "
            f"{' and another '.join(changed)} split. Give the same data to resume it, or another "
            "folder."
        )


_DATA = "data_fingerprints"


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """While it lasts, models are made with a dtype policy, such as `"mixed_float16"`."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def make_optimizer(training: TrainingConfig) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe, with clipping and the average of weights."""
    arguments: dict[str, Any] = {"global_clipnorm": training.clip_norm or None}
    if training.average:
        arguments |= {"use_ema": True, "ema_momentum": training.average}
    if training.optimizer == "sgd":
        return keras.optimizers.SGD(training.learning_rate, momentum=0.9, **arguments)
    return keras.optimizers.Adam(training.learning_rate, **arguments)


def learning_rate(training: TrainingConfig, epoch: int, epochs: int) -> float:
    """The learning rate of an epoch, counted from 0, of so many."""
    done = epoch / epochs
    share = {
        "inverse": 1 / (1 + training.decay * epoch),
        "linear": 1 - done,
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
    }[training.schedule]
    return training.learning_rate * share


def compile_model(model: RecurrentModel, training: TrainingConfig) -> None:
    """Compiles a model for training, and makes its weights and those of its optimizer."""
    # The recurrent layers compile their loops themselves.
    model.compile(make_optimizer(training), jit_compile=False)
    model.build()
    model.optimizer.build(model.trainable_variables)


def fit(
    model: keras.Model,
    batches: Callable[[int], tuple[tf.data.Dataset, int]],
    score: Callable[[], float],
    score_name: str,
    model_dir: str,
    training: TrainingConfig,
) -> list[dict]:
    """Trains for some epochs, or until validation no longer improves; keeps the best weights.

    With `training.average`, it is the average of the weights that is scored and kept as the best.

    Each epoch ends with a checkpoint of all variables, random seeds included, and each epoch's
    batches depend on its number alone: a run that was stopped goes on from the last finished epoch
    and ends as it would have ended.

    Args:
        model: compiled, built.
        batches: the batches of an epoch and their count, by its number.
        score: validation score of the model as it is, higher is better.
        score_name: what the score is called in logs.
        model_dir: folder of checkpoints and logs.
        training: how long, and with which learning rates.

    Returns:
        One row for each epoch: epoch, loss, the score by its name, seconds, learning_rate.
    """
    variables = [*model.variables, *model.optimizer.variables]
    checkpoint, best = (os.path.join(model_dir, name) for name in (CHECKPOINT, BEST))
    history = _restore(checkpoint, variables)
    if history:
        print(f"Resuming after epoch {len(history)} of {model_dir}.", flush=True)
    writer = tf.summary.create_file_writer(os.path.join(model_dir, "tensorboard"))
    epochs = training.epochs
    for epoch in range(len(history), epochs):
        scores = [row[score_name] for row in history]
        if scores and epoch - 1 - np.argmax(scores) >= training.patience:
            break
        rate = learning_rate(training, epoch, epochs)
        model.optimizer.learning_rate = rate
        start = time.perf_counter()
        data, steps = batches(epoch)
        one_epoch = _OneEpoch()
        logs = model.fit(
            data,
            steps_per_epoch=steps,
            initial_epoch=epoch,
            epochs=epochs,
            shuffle=False,
            verbose=1 if os.isatty(1) else 2,
            callbacks=[one_epoch],
        ).history
        seconds = time.perf_counter() - start
        row = {
            "epoch": epoch + 1,
            "loss": logs["loss"][-1],
            score_name: score(),
            "seconds": seconds,
            "learning_rate": rate,
        }
        print(f"  {score_name} {row[score_name]:.4f}  ({seconds:.1f} s)", flush=True)
        if all(row[score_name] > past for past in scores):
            _save(best, model.variables, [])
        one_epoch.restore()
        history.append(row)
        _write_log(os.path.join(model_dir, LOG), history)
        _save(checkpoint, variables, history)
        with writer.as_default(step=epoch + 1):
            for name in ("loss", score_name, "learning_rate"):
                tf.summary.scalar(name, row[name])
        writer.flush()
    restore_best(model, model_dir)
    return history


def restore_best(model: keras.Model, model_dir: str) -> None:
    """Loads the weights of the best epoch."""
    _restore(os.path.join(model_dir, BEST), model.variables)


def seconds_before(model_dir: str) -> float:
    """How long the epochs took that earlier processes trained in a folder and in those below."""
    seconds = 0.0
    for folder, _, names in os.walk(model_dir):
        if CHECKPOINT in names:
            with np.load(os.path.join(folder, CHECKPOINT)) as arrays:
                seconds += sum(row["seconds"] for row in json.loads(str(arrays["history"])))
    return seconds


class _OneEpoch(keras.callbacks.Callback):
    """Ends `fit` after an epoch, while its progress bar counts all of them.

    When `fit` ends, Keras replaces averaged weights by their average: what is to be scored, and not
    what training goes on from, which `restore` brings back.
    """

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True
        averaged = self.model.optimizer.use_ema
        self.weights = self.model.get_weights() if averaged else None

    def restore(self) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


def _save(path: str, variables: list, history: list[dict]) -> None:
    arrays = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    arrays["history"] = np.array(json.dumps(history))
    files.replace(path, lambda temporary: np.savez(temporary, **arrays))


def _restore(path: str, variables: list) -> list[dict]:
    if not os.path.exists(path):
        return []
    with np.load(path) as arrays:
        for i, variable in enumerate(variables):
            variable.assign(arrays[str(i)])
        return json.loads(str(arrays["history"]))


def _write_log(path: str, history: list[dict]) -> None:
    def write(temporary):
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, list(history[0]))
            rows.writeheader()
            rows.writerows(history)

    files.replace(path, write)
