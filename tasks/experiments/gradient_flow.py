"""How far back a loss is felt: the norm of ∂L<T>/∂a<t> by the distance T - t.

The lecture's reason for gates: through 1,000 steps a network is as deep as one of 1,000 layers, and
a gradient that shrinks or grows by a constant factor at each of them is gone, or is all there is.

Source: Andrew Ng, Sequence Models, week 1, "Vanishing gradients with RNNs"; Bengio, Simard and
Frasconi 1994; Pascanu, Mikolov and Bengio 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.experiments import recall

CELLS = {"RNN": "rnn", "simplified GRU": "gru_simplified", "GRU": "gru", "LSTM": "lstm"}
RADII = (0.5, 0.75, 1.0, 1.25, 1.5)
# Training goes through sequences of these lengths, the same number of updates each.
LENGTHS = (5, 10, 20, 35, 60, 100)
UPDATES, QUICK_UPDATES = 500, 20
_LEARNING_RATE, _CLIP_NORM = 2e-3, 1.0
_SEQUENCES = 8

Say = Callable[[str], object]


def norms(model: keras.Sequential, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """‖∂L<T>/∂s<t>‖ / ‖∂L<T>/∂a<T>‖ by the distance T - t, for each state s of a network.

    Args:
        model: as `recall.network` makes it.
        x: sequences `[batch, time, features]`.
        y: answers `[batch, 1]`; L<T> = (ŷ - y)².

    Returns:
        By the state's name, `[time]`, from the last step to the first: the geometric mean over the
        sequences. What is smaller than numbers of this precision can be is 0.

    Example:
        >>> model = recall.network("rnn", units=4, seed=0, dtype="float64")
        >>> norms(model, *recall.batch(np.random.default_rng(0), 2, 5))["a"].shape
        (5,)
    """
    layer, scores = model.layers
    x = tf.cast(x, layer.compute_dtype)
    a = layer(x)
    with tf.GradientTape() as tape:
        tape.watch(a)
        loss = tf.reduce_sum((scores(a) - tf.cast(y, a.dtype)) ** 2)
    d_a = tape.gradient(loss, a)
    d_outputs = tf.pad(d_a[:, None], [[0, 0], [x.shape[1] - 1, 0], [0, 0]])
    last = _logarithms(d_a.numpy())[:, None]
    return {
        name: np.exp(np.mean(_logarithms(d.numpy()) - last, axis=0))[::-1]
        for name, d in layer.state_gradients(x, d_outputs).items()
    }


def _logarithms(vectors: np.ndarray) -> np.ndarray:
    """log ‖v‖ of the vectors of the last axis; squares of small numbers would be 0."""
    largest = np.max(np.abs(vectors), axis=-1, keepdims=True)
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 0)
    with np.errstate(divide="ignore"):
        return np.log(largest[..., 0]) + np.log(np.linalg.norm(scaled, axis=-1))


def by_cell(units: int, steps: int, seeds: Sequence[int], updates: int, say: Say) -> dict[str, Any]:
    """Every cell fresh, and trained on `tasks.experiments.recall` with up to 100 steps.

    Args:
        units: of each network.
        steps: the longest distance T - t.
        seeds: of weights and sequences, for each of which all networks are made and trained.
        updates: of training, for each of `LENGTHS`.
        say: is told how far it is.

    Returns:
        `distances`; `fresh` and `trained`, each a row of norms by the name of a cell, with one more
        for c<t> of the LSTM, the geometric mean over the seeds; `errors`, the mean of (ŷ - y)² of
        the trained networks, by the name and the steps.
    """
    distances = _distances(steps)
    lengths = [length for length in LENGTHS for _ in range(updates)]
    seen: dict[str, dict[str, list]] = {"fresh": {}, "trained": {}}
    errors: dict[str, dict[str, float]] = {}
    for label, cell in CELLS.items():
        after: dict[str, list[float]] = {str(n): [] for n in (LENGTHS[-1], steps)}
        for seed in seeds:
            network = recall.network(cell, units, seed)
            probe = recall.network(cell, units, seed, dtype="float64")
            x, y = recall.batch(np.random.default_rng([seed, 1]), _SEQUENCES, steps + 1)
            for state in seen:
                if state == "trained":
                    optimizer = keras.optimizers.Adam(_LEARNING_RATE)
                    recall.train(network, lengths, optimizer, _CLIP_NORM, seed)
                probe.set_weights(network.get_weights())
                for name, row in norms(probe, x, y).items():
                    key = f"{label}, c" if (cell, name) == ("lstm", "c") else label
                    seen[state].setdefault(key, []).append(row[distances])
            for n, measured in after.items():
                measured.append(recall.error(network, int(n), seed))
            error = after[str(LENGTHS[-1])][-1]
            say(f"{label}, seed {seed}: (ŷ - y)² after {LENGTHS[-1]} steps {error:.5f}")
        errors[label] = {n: rounded([float(np.mean(row))])[0] or 0.0 for n, row in after.items()}
    return {
        "units": units,
        "seeds": list(seeds),
        "trained_on": LENGTHS,
        "updates": len(lengths),
        "distances": distances,
        **{
            state: {label: rounded(_geometric_mean(some)) for label, some in rows.items()}
            for state, rows in seen.items()
        },
        "errors": errors,
    }


def _geometric_mean(rows: Sequence[np.ndarray]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.exp(np.mean(np.log(rows), axis=0))


def by_radius(units: int, steps: int, seed: int) -> dict[str, Any]:
    """The fresh RNN, its W_aa an orthogonal matrix times each of `RADII`, which is then both its
    spectral radius and its norm.

    Returns:
        `distances`, and `norms`, a row of them by the radius.
    """
    distances = _distances(steps)
    x, y = recall.batch(np.random.default_rng([seed, 1]), _SEQUENCES, steps + 1)
    found = {}
    for radius in RADII:
        model = recall.network("rnn", units, seed, dtype="float64")
        kernel = model.layers[0].recurrent_kernel
        kernel.assign(radius * kernel)
        found[str(radius)] = rounded(norms(model, x, y)["a"][distances])
    return {"units": units, "distances": distances, "norms": found}


def _distances(steps: int) -> list[int]:
    """All short distances, and every tenth of the others."""
    return sorted({*range(min(20, steps) + 1), *range(20, steps + 1, 10), steps})


def rounded(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """Numbers with four digits, as JSON has them: what is not finite is None.

    Example:
        >>> rounded([0.123456, float("nan")])
        [0.1235, None]
    """
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]
