"""The neural cache: words that came lately, after states like this one, come again.

    P(w | y<1>, ..., y<t-1>) = (1 - λ) P_model(w | ...) + λ P_cache(w | ...)
    P_cache(w | ...) ∝ Σ_i 1[y<i> = w] exp(θ a<i> · a<t>),   i = t - size, ..., t - 1

where a<t> is what the softmax predicts y<t> from. Nothing is trained: a text's own past is looked
up, as far as it was predicted before. The first token has none: its λ is 0.

Source: Grave, Joulin and Usunier 2017, "Improving neural language models with a continuous cache".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from layers.softmax import log_probabilities
from tasks.data import running as running_text
from zoo.models import LanguageModel

# What is tried on the validation part. Of θ, shares of 1 / mean |a|²: how long states are, is a
# matter of the model.
THETAS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
LAMBDAS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
# Steps that the model takes at once, and those that look into the cache at once.
_STEPS, _LOOKING = 512, 256


@dataclasses.dataclass(frozen=True)
class Read:
    """A text that a model has read.

    Attributes:
        ids: of its tokens y, `[time]`.
        a: from what each is predicted, `[time, width]`.
        p: P_model of each, `[time]`.
    """

    ids: np.ndarray
    a: np.ndarray
    p: np.ndarray


@dataclasses.dataclass(frozen=True)
class Cache:
    """A cache of so many steps.

    Example:
        >>> a = np.float32([[1, 0], [0, 1], [1, 0]])
        >>> read = Read(np.array([5, 6, 5]), a, p=np.full(3, 0.1))
        >>> Cache(size=2, theta=4.0, share=0.5).probabilities(read).round(2).tolist()
        [0.1, 0.05, 0.54]
    """

    size: int
    theta: float
    share: float

    def probabilities(self, read: Read) -> np.ndarray:
        """P of each token of a text, `[time]`."""
        (looked_up,) = look_up(read, self.size, [self.theta])
        return _mixed(read, looked_up, self.share)


def _mixed(read: Read, looked_up: np.ndarray, share: float) -> np.ndarray:
    shares = np.full(len(read.ids), share)
    shares[:1] = 0
    return (1 - shares) * read.p + shares * looked_up


def reader(model: LanguageModel) -> Callable[[np.ndarray], Read]:
    """From the ids of a text, `<EOS>` included, to how a model reads it, its states carried on."""

    @function_here
    def step(
        targets: tf.Tensor, before: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        a, states = model.run(model.inputs_of(targets, before), states, targets > 0)
        a = tf.cast(a[0], tf.float32)
        return a, log_probabilities(a, *model.output_weights(), targets[0]), states

    def read(ids: np.ndarray) -> Read:
        states, parts = model.zero_states(1), []
        for inputs, count in running_text.batches_of_text(ids, _STEPS):
            targets, before = (tf.constant(inputs[name]) for name in ("targets", "before"))
            a, log_p, states = step(targets, before, states)
            p = np.exp(log_p.numpy().astype(np.float64))  # of float32, none below e^-103
            parts.append((a.numpy()[:count], p[:count]))
        a, p = (np.concatenate(some) for some in zip(*parts, strict=True))
        return Read(ids, a, p)

    return read


def look_up(read: Read, size: int, thetas: Sequence[float]) -> list[np.ndarray]:
    """P_cache of each token of a text, `[time]`, for each of some θ; 0 for the first token.

    Example:
        >>> read = Read(np.array([5, 6, 5]), np.zeros([3, 2], "float32"), p=np.zeros(3))
        >>> [p.tolist() for p in look_up(read, size=2, thetas=[1.0])]
        [[0.0, 0.0, 0.5]]
    """
    found, size = np.zeros([len(thetas), len(read.ids)]), min(size, len(read.ids))
    for start in range(0, len(read.ids), _LOOKING):
        end, first = min(start + _LOOKING, len(read.ids)), max(0, start - size)
        now, past = np.arange(start, end)[:, None], np.arange(first, end)
        likeness = read.a[start:end] @ read.a[first:end].T
        likeness[(past >= now) | (past < now - size)] = -np.inf
        right = read.ids[first:end] == read.ids[start:end, None]
        # The first token has no past: its row, of which no power is above 0, gives 0.
        largest = np.maximum(likeness.max(axis=1, keepdims=True), np.finfo(np.float32).min)
        for number, theta in enumerate(thetas):
            each = np.exp(theta * (likeness - largest))
            together = each.sum(axis=1)
            found[number, start:end] = (each * right).sum(axis=1) / np.maximum(together, 1e-30)
    return list(found)


def fitted(texts: Sequence[Read], size: int) -> Cache:
    """The cache of so many steps under which texts are likeliest."""
    squares = sum(float(np.einsum("ij,ij->", read.a, read.a)) for read in texts)
    mean = squares / max(1, sum(len(read.ids) for read in texts))
    thetas = [share / max(mean, 1e-30) for share in THETAS]
    looked_up = [look_up(read, size, thetas) for read in texts]

    def log_probability(number: int, share: float) -> float:
        return sum(
            float(np.log(_mixed(read, found[number], share)).sum())
            for read, found in zip(texts, looked_up, strict=True)
        )

    tried = [(number, share) for number in range(len(thetas)) for share in LAMBDAS]
    number, share = max(tried, key=lambda one: log_probability(*one))
    return Cache(size, thetas[number], share)
