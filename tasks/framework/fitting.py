"""Training that can be stopped at any moment: checkpoints, early stopping, logs."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.framework import checkpoints
from tasks.framework.configuration import TrainingConfig
from tasks.framework.optimizers import by_one_kernel
from zoo import files
from zoo.catalog.sources import BEST
from zoo.models import RecurrentModel

LOG = "log.csv"


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """While it lasts, models are made with a dtype policy, such as `"mixed_float16"`."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def make_optimizer(training: TrainingConfig, one_kernel: bool = True) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe, with clipping and the average of weights; with `one_kernel`, Adam
    is that of `by_one_kernel`."""
    arguments: dict[str, Any] = {"global_clipnorm": training.clip_norm or None}
    if training.average:
        arguments |= {"use_ema": True, "ema_momentum": training.average}
    if training.optimizer == "sgd":
        return keras.optimizers.SGD(training.learning_rate, momentum=0.9, **arguments)
    adam = keras.optimizers.Adam(training.learning_rate, **arguments)
    return by_one_kernel(adam) if one_kernel else adam


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
    validation_loss: Callable[[], float] | None = None,
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
        validation_loss: of the model as it is.

    Returns:
        One row for each epoch: epoch, loss, the score by its name, seconds, learning_rate, and
        validation_loss where that is measured.
    """
    variables = [*model.variables, *model.optimizer.variables]
    history = checkpoints.restore(model_dir, checkpoints.CHECKPOINT, variables)
    if history:
        print(f"Resuming after epoch {len(history)} of {model_dir}.", flush=True)
    else:
        print("The first epoch compiles, which takes a while.", flush=True)
    epochs = training.epochs
    writer = tf.summary.create_file_writer(os.path.join(model_dir, "tensorboard"))
    with contextlib.closing(writer):
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
            if validation_loss is not None:
                row["validation_loss"] = validation_loss()
            print(f"  {score_name} {row[score_name]:.4f}  ({seconds:.1f} s)", flush=True)
            if all(row[score_name] > past for past in scores):
                checkpoints.save(model_dir, BEST, model.variables, [])
            one_epoch.restore()
            history.append(row)
            _write_log(os.path.join(model_dir, LOG), history)
            checkpoints.save(model_dir, checkpoints.CHECKPOINT, variables, history)
            with writer.as_default(step=epoch + 1):
                for name in ("loss", "validation_loss", score_name, "learning_rate"):
                    if name in row:
                        tf.summary.scalar(name, row[name])
            writer.flush()
    checkpoints.restore_best(model, model_dir)
    return history


class _OneEpoch(keras.callbacks.Callback):
    """Ends `fit` after an epoch, while its progress bar counts all of them.

    When `fit` ends, Keras replaces averaged weights by their average: what is to be scored, and not
    what training goes on from, which `restore` brings back.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.stop_training = True
        self.weights = self.model.get_weights() if self._optimizer.use_ema else None

    def on_train_end(self, logs: dict | None = None) -> None:
        # An average of no steps is zeros: in float16 the first steps may overflow and be left out.
        if not int(self._optimizer.iterations):
            self.restore()

    def restore(self) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)

    @property
    def _optimizer(self) -> keras.optimizers.Optimizer:
        """The one that averages; in float16, Keras wraps it in one that scales the loss."""
        return getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)


def _write_log(path: str, history: list[dict]) -> None:
    def write(temporary: str) -> None:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, list(history[0]))
            rows.writeheader()
            rows.writerows(history)

    files.replace(path, write)
