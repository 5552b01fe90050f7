"""Training that can be stopped at any moment: checkpoints, early stopping, logs."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.data.batching import Batches
from tasks.data.errors import UserError
from tasks.framework import checkpoints, stages
from tasks.framework.configuration import TrainingConfig
from tasks.framework.distribution import ALONE, Team
from tasks.framework.optimizers import (
    by_one_kernel,
    clipped_as_a_whole,
    unscaled,
    with_warm_average,
)
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
    """The optimizer of a recipe, with clipping and the average of weights; Adam without
    `one_kernel` is Keras' own."""
    arguments: dict[str, Any] = {"global_clipnorm": training.clip_norm or None}
    if training.average:
        arguments |= {"use_ema": True, "ema_momentum": training.average}
    if training.optimizer == "sgd":
        sgd = keras.optimizers.SGD(training.learning_rate, momentum=0.9, **arguments)
        return with_warm_average(clipped_as_a_whole(sgd))
    adam = keras.optimizers.Adam(training.learning_rate, **arguments)
    return with_warm_average(clipped_as_a_whole(by_one_kernel(adam))) if one_kernel else adam


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
    model: RecurrentModel,
    batches: Callable[[int], Batches],
    score: Callable[[], float],
    score_name: str,
    model_dir: str,
    training: TrainingConfig,
    validation_loss: Callable[[], float] | None = None,
    team: Team = ALONE,
) -> list[dict]:
    """Trains for some epochs, or until validation no longer improves; keeps the best weights.

    With `training.average`, it is the average of the weights that is scored and kept as the best.

    Each epoch ends with a checkpoint of all variables, random seeds included, and each epoch's
    batches depend on its number alone: a run that was stopped goes on from the last finished epoch
    and ends as it would have ended.

    Args:
        model: compiled, built.
        batches: of an epoch, by its number.
        score: validation score of the model as it is, higher is better.
        score_name: what the score is called in logs.
        model_dir: folder of checkpoints and logs.
        training: how long, and with which learning rates.
        validation_loss: of the model as it is.
        team: that trains it; only its chief measures and writes.

    Returns:
        One row for each epoch: epoch, loss, the score by its name, seconds of training,
        learning_rate, validation_loss where that is measured, and scoring_seconds.

    Raises:
        UserError: weights are no numbers any more; nothing of that epoch is kept.
    """
    variables = [*model.variables, *model.optimizer.variables]
    history = checkpoints.restore(model_dir, stages.CHECKPOINT, variables)
    history = team.begin(variables, history)
    epochs, step = training.epochs, None
    if not history:
        print("The first epoch compiles, which takes a while.", flush=True)
    elif len(history) < epochs:
        print(f"Resuming after epoch {len(history)} of {model_dir}.", flush=True)
    else:
        print(f"Trained: all {epochs} epoch(s) of {model_dir}.", flush=True)
    logs = os.path.join(model_dir, "tensorboard")
    writer = tf.summary.create_file_writer(logs) if team.is_chief else None
    with contextlib.closing(writer) if writer else contextlib.nullcontext():
        for epoch in range(len(history), epochs):
            scores = [row[score_name] for row in history]
            if is_over(scores, training.patience):
                best = _best(scores) + 1
                print(f"No more epochs: none after epoch {best} was better.", flush=True)
                break
            model.optimizer.learning_rate = rate = learning_rate(training, epoch, epochs)
            start, data = time.perf_counter(), batches(epoch)
            step = step or team.step(model, data.signature)
            print(f"Epoch {epoch + 1}/{epochs}", flush=True)
            row = {"epoch": epoch + 1, "loss": team.train(step, data)}
            _check_numbers(model, row, history, model_dir)
            if writer is not None:
                trained = time.perf_counter()
                seconds = trained - start
                with averaged(model):
                    row |= {score_name: score(), "seconds": seconds, "learning_rate": rate}
                    if validation_loss is not None:
                        row["validation_loss"] = validation_loss()
                    row["scoring_seconds"] = time.perf_counter() - trained
                    if _best([*scores, row[score_name]]) == epoch:
                        checkpoints.save(model_dir, BEST, model.variables, [])
                _write_log(os.path.join(model_dir, LOG), [*history, row])
                checkpoints.save(model_dir, stages.CHECKPOINT, variables, [*history, row])
                print(f"  {score_name} {row[score_name]:.4f}  ({seconds:.1f} s)", flush=True)
                with writer.as_default(step=epoch + 1):
                    for name in ("loss", "validation_loss", score_name, "learning_rate"):
                        if name in row:
                            tf.summary.scalar(name, row[name])
                writer.flush()
            history.append(team.share(row))
    if team.is_chief:
        checkpoints.restore_best(model, model_dir)
    return history


def is_over(scores: Sequence[float], patience: int) -> bool:
    """Whether so many epochs have passed without a better score than before.

    Example:
        >>> is_over([0.5, 0.7, 0.6, 0.7], patience=2), is_over([], patience=1)
        (True, False)
    """
    return bool(scores) and len(scores) - 1 - _best(scores) >= patience


def _best(scores: Sequence[float]) -> int:
    """The first epoch, counted from 0, with the best score; one that is no number is the worst."""
    return int(np.argmax([-math.inf if math.isnan(score) else score for score in scores]))


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """While it lasts, weights are their moving average, if the recipe asks for one: that is what is
    to be scored, and not what training goes on from."""
    optimizer = unscaled(model.optimizer)
    # An average of no steps is zeros: in float16 the first steps may overflow and be left out.
    if not (optimizer.use_ema and keras.ops.convert_to_numpy(optimizer.iterations)):
        yield
        return
    weights = model.get_weights()
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        model.set_weights(weights)


def _check_numbers(model: RecurrentModel, row: dict, history: list[dict], model_dir: str) -> None:
    """Raises UserError where weights are no numbers any more: nor will they be ever again."""
    weights = map(keras.ops.convert_to_numpy, model.trainable_variables)
    if all(np.isfinite(one).all() for one in weights):
        return
    kept = f"The epochs before it are kept in {model_dir}. " if history else ""
    raise UserError(
        f"epoch {row['epoch']}: expected weights that are numbers. Received: infinite ones, and a "
        f"loss of {row['loss']}. {kept}Train with a lower --learning_rate, or with --clip_norm, in "
        "another --model_dir"
    )


def _write_log(path: str, history: list[dict]) -> None:
    # Rows of an older version may have fewer columns.
    names = dict.fromkeys(name for row in history for name in row)

    def write(temporary: str) -> None:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, list(names))
            rows.writeheader()
            rows.writerows(history)

    files.replace(path, write)
