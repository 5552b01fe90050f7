"""One training of `tasks.long_memory`: a cell, a task, a length and a seed, until it is solved."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import CELLS
from tasks.experiments import small_networks
from tasks.experiments.gradient_flow import rounded
from tasks.experiments.long_memory_recipe import Recipe
from tasks.experiments.long_memory_tasks import MemoryTask
from tasks.framework.optimizers import by_one_kernel

# Updates between two validations, and of one call: to leave the graph costs as much as 20 steps.
EVERY, _IN_ONE_CALL = 100, 50
VALIDATION_ROWS = 500
# The gate whose bias decides what a cell begins by keeping, and the bias's sign.
_KEEPING = {
    "lstm": ("f", 1.0),
    "gru": ("u", -1.0),
    "gru_simplified": ("u", -1.0),
    "gru_reset_after": ("u", -1.0),
}

# Task, length, cell, seed and variant.
Key = tuple[str, int, str, int, str]


@dataclasses.dataclass(frozen=True)
class Job:
    """A training that is to be done.

    Attributes:
        task: what is asked.
        length: T.
        cell: a name of `layers.CELLS`.
        seed: of weights and sequences.
        recipe: how.
        variant: the flag by which the recipe differs from that of the others; "": it does not.
    """

    task: MemoryTask
    length: int
    cell: str
    seed: int
    recipe: Recipe
    variant: str = ""

    @property
    def key(self) -> Key:
        """What tells it from the others of a run."""
        return self.task.name, self.length, self.cell, self.seed, self.variant

    @property
    def most(self) -> int:
        """Updates that it may take."""
        return self.recipe.updates or self.task.updates


@dataclasses.dataclass(frozen=True)
class Training:
    """What came of a job.

    Attributes:
        task, length, cell, seed, variant: of the job.
        losses: of the validation sequences, after each `EVERY` updates and the last; None: not
            finite.
        right: the share of right classes likewise; empty where numbers are asked.
        updates: how many there were.
        seconds: that it took, compiling and validating included.
        solved: after how many updates it was solved, or None.
    """

    task: str
    length: int
    cell: str
    seed: int
    variant: str
    losses: list[float | None]
    right: list[float | None]
    updates: int
    seconds: float
    solved: int | None = None

    @property
    def key(self) -> Key:
        """That of the job."""
        return self.task, self.length, self.cell, self.seed, self.variant


def parameters(cell: str, units: int, features: int) -> int:
    """Of a recurrent layer: for each gate W_a, W_x and b, and b_cc where it has one.

    Example:
        >>> parameters("lstm", units=32, features=2)
        4480
    """
    gates, more = _vectors(cell)
    return gates * units * (units + features + 1) + more * units


def _vectors(cell: str) -> tuple[int, int]:
    """How many gates a cell has, and how many biases beside theirs."""
    kind, arguments = CELLS[cell]
    equations = kind(1, **arguments).cell
    return len(equations.gates), len(equations.recurrent_bias_blocks)


def units_of(cell: str, lstm: int, features: int) -> int:
    """So many units that a layer has as many parameters as an LSTM, as nearly as can be.

    Example:
        >>> {cell: units_of(cell, 32, features=2) for cell in ("rnn", "gru", "lstm")}
        {'rnn': 65, 'gru': 37, 'lstm': 32}
    """
    wanted, (gates, more) = parameters("lstm", lstm, features), _vectors(cell)
    # gates * u² + each * u = wanted
    each = gates * (features + 1) + more
    exact = (math.sqrt(each**2 + 4 * gates * wanted) - each) / (2 * gates)
    around = (max(1, math.floor(exact)), math.ceil(exact))
    return min(around, key=lambda units: abs(parameters(cell, units, features) - wanted))


def network(task: MemoryTask, cell: str, seed: int, recipe: Recipe) -> keras.Sequential:
    """A network of a recipe, before training."""
    model = small_networks.network(
        cell,
        units_of(cell, recipe.units, task.features),
        seed,
        task.features,
        task.outputs,
        return_sequences=task.answers > 1,
        **recipe.layer(),
    )
    if cell in _KEEPING:
        gate, sign = _KEEPING[cell]
        layer = model.layers[0]
        blocks = np.split(layer.bias.numpy(), len(layer.cell.gates))
        blocks[layer.cell.gates.index(gate)][:] = sign * recipe.forget_bias
        layer.bias.assign(np.concatenate(blocks))
    return model


def train(job: Job) -> Training:
    """Trains a network on new sequences at every update, until it is solved, has had its updates
    or is no longer finite.

    The sequences follow from task, length and seed: every cell and variant reads the same.
    """
    start, task, recipe = time.perf_counter(), job.task, job.recipe
    draw, draw_validation = (np.random.default_rng([job.seed, part]) for part in (0, 1))
    validation = task.validation(draw_validation, VALIDATION_ROWS, job.length)
    model = network(task, job.cell, job.seed, recipe)
    shapes = [(values.shape[1:], values.dtype) for values in validation]
    update = _updates(model, task, recipe).get_concrete_function(
        *(tf.TensorSpec([None, recipe.batch_size, *shape], dtype) for shape, dtype in shapes)
    )
    validate = _validation(model, task).get_concrete_function(
        *(tf.TensorSpec([VALIDATION_ROWS, *shape], dtype) for shape, dtype in shapes)
    )
    losses: list[float] = []
    right: list[float] = []
    count, solved = 0, False
    while count < job.most and not solved and all(map(math.isfinite, losses)):
        until = min(count + EVERY, job.most)
        while count < until:
            turns = min(_IN_ONE_CALL, until - count)
            x, y = task.draw(draw, turns * recipe.batch_size, job.length)
            update(_stacked(x, turns), _stacked(y, turns))
            count += turns
        loss, share = (float(value) for value in validate(*map(tf.constant, validation)))
        losses.append(loss)
        right.append(share)
        solved = share >= task.solved if task.of_classes else loss <= task.solved
    return Training(
        *job.key,
        losses=rounded(losses),
        right=rounded(right) if task.of_classes else [],
        updates=count,
        seconds=round(time.perf_counter() - start, 1),
        solved=count if solved else None,
    )


def _stacked(values: np.ndarray, count: int) -> tf.Tensor:
    return tf.constant(values.reshape(count, -1, *values.shape[1:]))


def _loss_of(task: MemoryTask) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    def of_numbers(y_hat: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean((y_hat - y) ** 2)

    def of_classes(y_hat: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        scores = _asked(task, y_hat)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))

    return of_classes if task.of_classes else of_numbers


def _asked(task: MemoryTask, scores: tf.Tensor) -> tf.Tensor:
    """`[rows, answers, outputs]`, of the steps at the end that are asked for."""
    return scores[:, -task.answers :] if task.answers > 1 else scores[:, None]


def _updates(model: keras.Model, task: MemoryTask, recipe: Recipe) -> Any:
    """A function that takes as many batches as there are along the first axis."""
    adam = by_one_kernel(keras.optimizers.Adam(recipe.learning_rate))
    update = small_networks.updating(model, adam, recipe.clip_norm, _loss_of(task))

    @tf.function(autograph=False)
    def updates(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        def one(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, total + update(x[i], y[i])[0]

        return tf.while_loop(lambda i, _: i < tf.shape(x)[0], one, (0, 0.0))[1]

    return updates


def _validation(model: keras.Model, task: MemoryTask) -> Any:
    """A function that gives the loss, and for classes the share of right ones."""
    loss_of = _loss_of(task)

    @tf.function(autograph=False)
    def validate(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y_hat = model(x)
        if not task.of_classes:
            return loss_of(y_hat, y), tf.constant(0.0)
        said = tf.argmax(_asked(task, y_hat), axis=-1, output_type=y.dtype)
        return loss_of(y_hat, y), tf.reduce_mean(tf.cast(said == y, tf.float32))

    return validate
