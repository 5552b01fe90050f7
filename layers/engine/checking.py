"""A kernel is believed once it has given, on this machine, what the loop gives."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from layers.engine.cell import Cell
from layers.engine.gradient import differentiable
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors

# Largest differences that rounding explains, by the type's name. A GPU multiplies numbers of
# float32 as TF32, with 10 bits of the fraction; a gate out of place differs by half and more.
ROUNDING = {"float64": 1e-6, "float32": 0.02, "float16": 0.02, "bfloat16": 0.05}

_BATCH, _TIME, _FEATURES, _UNITS = 3, 5, 3, 4


@functools.lru_cache(maxsize=64)
def agrees(kernel: Callable, cell: Cell, dtype: tf.DType) -> bool:
    """Whether a kernel gives the outputs, states and gradients that the loop gives.

    A small batch with padding is run by both, once for each kind of cell and type. Where they
    differ, or the kernel fails, a warning says by how much, or how.

    Args:
        kernel: takes a plan and tensors, as `gradient.differentiable` does.
        cell: the equations.
        dtype: of all tensors.

    Example:
        >>> agrees(differentiable, LSTM(1).cell, tf.float32)  # the loop agrees with itself
        True
    """
    # A thread of its own knows nothing of the graph that is being made, nor of its tapes.
    with ThreadPoolExecutor(1) as thread:
        try:
            found, expected = thread.map(
                lambda run: _results(run, cell, dtype), (kernel, differentiable)
            )
            apart = max(map(_difference, found, expected))
            if apart <= ROUNDING[dtype.name]:
                return True
            what = f"differs from the loop over time by {apart:.2g}"
        except (tf.errors.OpError, ValueError) as error:
            what = f"fails: {str(error).splitlines()[0]}"
    warnings.warn(
        f"cuDNN {what}, computing {type(cell).__name__} in {dtype.name} on this machine. "
        "Its place is taken by the loop, which is slower and gives the right numbers.",
        stacklevel=2,
    )
    return False


def _results(
    run: Callable[[Plan, Tensors], Result], cell: Cell, dtype: tf.DType
) -> list[np.ndarray]:
    """Outputs, last states, and the gradients by all that has one."""
    tensors = _example(cell, dtype)
    names = [name for name in Tensors.DIFFERENTIABLE if getattr(tensors, name) is not None]
    watched = [*(getattr(tensors, name) for name in names), *tensors.states]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        outputs, states = run(Plan(cell, _UNITS), tensors)
        loss = tf.reduce_sum(tf.sin(outputs)) + sum(tf.reduce_sum(s * s) for s in states)
    results = [outputs, *states, *tape.gradient(loss, watched)]
    return [tf.cast(result, tf.float64).numpy() for result in results]


def _example(cell: Cell, dtype: tf.DType) -> Tensors:
    """Random numbers, and a mask with padding at the end and in between."""
    random, columns = np.random.default_rng(0), len(cell.gates) * _UNITS

    def numbers(*shape: int) -> tf.Tensor:
        return tf.constant(random.uniform(-1, 1, shape), dtype)

    return Tensors(
        x=numbers(_BATCH, _TIME, _FEATURES),
        states=tuple(numbers(_BATCH, _UNITS) for _ in cell.states),
        kernel=numbers(_FEATURES, columns),
        recurrent_kernel=numbers(_UNITS, columns),
        bias=numbers(columns),
        recurrent_bias=numbers(_UNITS) if cell.recurrent_bias_blocks else None,
        mask=tf.constant([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1]]) > 0,
    )


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest one, by the size of what was expected; infinite where it is no number."""
    apart = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    return float(apart) if np.isfinite(apart) else float("inf")
