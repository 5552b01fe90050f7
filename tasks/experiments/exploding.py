"""Exploding gradients: the same training run with and without clipping.

Without it, one large gradient throws the weights to where nothing is finite any more. Clipping
keeps its direction and cuts its length. Two networks for which that happens: the lecture's with
tanh, W_aa of a spectral radius of 1.25, and one with ReLU whose W_aa starts as the identity, which
can hold a number exactly (Le, Jaitly and Hinton 2015).

Source: Andrew Ng, Sequence Models, week 1, "Vanishing gradients with RNNs"; Pascanu, Mikolov and
Bengio 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tasks.experiments import recall
from tasks.experiments.gradient_flow import rounded

# As Keras saves it: an initializer that was made already would have its own seed.
_ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.25}}
# By the name of a network: further arguments of its layer, and the learning rate of SGD.
NETWORKS: dict[str, tuple[dict[str, Any], float]] = {
    "RNN, tanh, radius 1.25": ({"recurrent_initializer": _ORTHOGONAL}, 0.1),
    "RNN, ReLU, W_aa = I": ({"activation": "relu", "recurrent_initializer": "identity"}, 0.01),
}
STEPS = 100
UPDATES, QUICK_UPDATES = 600, 60
# The mean loss of so many updates is what a run ends with.
_LAST = 50


def runs(
    units: int, clip_norm: float, seed: int, updates: int, say: Callable[[str], object]
) -> list[dict[str, Any]]:
    """Every network without clipping and with it, from the same weights, on the same batches.

    Returns:
        For each run `network`, `clip_norm` (0: none), `losses` and `norms` of all updates (None
        where they are not finite), `nan_steps`, how many are not, `first_nan`, the number of the
        first of them, or None, `largest_norm` of those that are, and `last_loss`, the mean of the
        last ones, or None.
    """
    found = []
    for name, (layer, learning_rate) in NETWORKS.items():
        for clip in (0.0, clip_norm):
            model = recall.network("rnn", units, seed, **layer)
            optimizer = keras.optimizers.SGD(learning_rate)
            seen = recall.train(model, [STEPS] * updates, optimizer, clip, seed)
            row = summary([one.loss for one in seen], [one.norm for one in seen])
            found.append({"network": name, "clip_norm": clip, **row})
            how = f"clipped to {clip:g}" if clip else "not clipped"
            say(f"{name}, {how}: {row['nan_steps']} of {updates} steps became NaN")
    return found


def summary(losses: list[float], norms: list[float]) -> dict[str, Any]:
    """What is said of a run.

    Example:
        >>> found = summary([2.0, 1.0, math.nan], [1.0, math.inf, math.nan])
        >>> found["nan_steps"], found["first_nan"], found["largest_norm"], found["last_loss"]
        (2, 2, 1.0, None)
    """
    finite = [math.isfinite(a) and math.isfinite(b) for a, b in zip(losses, norms, strict=True)]
    return {
        "losses": rounded(losses),
        "norms": rounded(norms),
        "nan_steps": finite.count(False),
        "first_nan": finite.index(False) + 1 if False in finite else None,
        "largest_norm": rounded([max((n for n in norms if math.isfinite(n)), default=math.nan)])[0],
        "last_loss": rounded([float(np.mean(losses[-_LAST:]))])[0],
    }
