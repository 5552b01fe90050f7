"""A task in which distance decides: the number that came first is to be said at the end.

Behind it comes noise. A network that answers must hold one number over all steps, exactly, as "was"
and "were" hold on to a subject; what it does not hold, no gradient through its states can teach it.
Who always says 0 has a loss of 1/3, the mean of y².

Source: the adding problem of Hochreiter and Schmidhuber 1997, with one number in place of two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.experiments import small_networks

# A number, and whether it is the first one.
FEATURES = 2


@dataclasses.dataclass(frozen=True)
class Update:
    """What was seen at one step of training: the loss, and the norm of all gradients before any
    clipping."""

    loss: float
    norm: float


def batch(random: np.random.Generator, rows: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `[rows, steps, FEATURES]` of numbers from -1 to 1, and the answers `[rows, 1]`.

    Example:
        >>> x, y = batch(np.random.default_rng(0), rows=2, steps=5)
        >>> x.shape, np.array_equal(x[:, 0, :1], y)
        ((2, 5, 2), True)
    """
    x = np.zeros([rows, steps, FEATURES], np.float32)
    x[:, :, 0] = random.uniform(-1, 1, [rows, steps])
    x[:, 0, 1] = 1
    return x, x[:, 0, :1]


def network(
    cell: str, units: int, seed: int, dtype: str = "float32", **layer: Any
) -> keras.Sequential:
    """A recurrent layer, and ŷ = W a<T> + b, built.

    Args:
        cell: a name of `layers.CELLS`.
        units: of the layer.
        seed: of its weights.
        dtype: of all numbers.
        layer: further arguments of the layer.

    Example:
        >>> model = network("gru", units=8, seed=0)
        >>> model(batch(np.random.default_rng(0), 2, 5)[0]).shape
        TensorShape([2, 1])
    """
    # To compile a loop for each length takes as long as to train without.
    return small_networks.network(cell, units, seed, FEATURES, dtype=dtype, jit=False, **layer)


def train(
    model: keras.Model,
    lengths: Iterable[int],
    optimizer: keras.optimizers.Optimizer,
    clip_norm: float,
    seed: int,
    rows: int = 32,
    see: Callable[[int, Update], object] = lambda number, update: None,
) -> list[Update]:
    """Trains a network on a new batch for each of the lengths.

    Args:
        model: as `network` makes it.
        lengths: steps of the sequences of each batch.
        optimizer: of Keras, new.
        clip_norm: largest norm of all gradients together; 0: any.
        seed: of the batches.
        rows: sequences in a batch.
        see: called with the number of each update, from 1 up, and the update.
    """
    random, found = np.random.default_rng(seed), []
    update = tf.function(
        small_networks.updating(model, optimizer, clip_norm, _squares),
        autograph=False,
        reduce_retracing=False,
    )
    for number, steps in enumerate(lengths, start=1):
        x, y = batch(random, rows, steps)
        loss, norm = update(tf.constant(x), tf.constant(y))
        found.append(Update(float(loss), float(norm)))
        see(number, found[-1])
    return found


def _squares(y_hat: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean((y_hat - y) ** 2)


def error(model: keras.Model, steps: int, seed: int, rows: int = 200) -> float:
    """The mean of (ŷ - y)² over new sequences of so many steps."""
    x, y = batch(np.random.default_rng([seed, steps]), rows, steps)
    return float(np.mean((model(x).numpy() - y) ** 2))
