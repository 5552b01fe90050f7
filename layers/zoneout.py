"""Zoneout: units that now and then keep their old state, with its derivative by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from layers.arguments import share
from layers.engine import Step, WrappedCell


def checked_zoneout(zoneout: float | Sequence[float]) -> float | list[float]:
    """The argument `zoneout` of a layer: a share for all states, or one for each.

    Raises:
        ValueError: a number is no share.

    Example:
        >>> checked_zoneout(0.1), checked_zoneout((0.05, 0.5))
        (0.1, [0.05, 0.5])
    """
    if isinstance(zoneout, Sequence) and not isinstance(zoneout, str):
        return [share("zoneout", rate) for rate in zoneout]
    return share("zoneout", zoneout)


def rates(zoneout: float | Sequence[float], states: Sequence[str]) -> tuple[float, ...]:
    """One rate for each state.

    Raises:
        ValueError: there are more or fewer than states.

    Example:
        >>> rates(0.1, ["a", "c"]), rates([0.05, 0.5], ["a", "c"])
        ((0.1, 0.1), (0.05, 0.5))
    """
    one_each = tuple(zoneout) if isinstance(zoneout, Sequence) else (zoneout,) * len(states)
    if len(one_each) != len(states):
        raise ValueError(
            f"zoneout: expected one rate, or one for each of the states {list(states)}. "
            f"Received: {zoneout!r}"
        )
    return one_each


def taken(
    rate: float, shape: Sequence[int | tf.Tensor], seed: keras.random.SeedGenerator
) -> tf.Tensor:
    """Which units take their new value, bool of a shape: each with probability 1 - rate.

    Example:
        >>> bool(tf.reduce_all(taken(0.0, [2, 5, 4], keras.random.SeedGenerator(1))))
        True
    """
    return keras.random.uniform(shape, seed=seed, dtype="float32") >= rate


@dataclasses.dataclass(frozen=True)
class ZoneoutCell(WrappedCell):
    """Each unit of a state s takes its new value, or keeps the old one:

        s<t> = k * s̃<t> + (1 - k) * s<t-1>,   k = 0 with probability `rate`, else 1

    for each unit and step anew in training, where s̃<t> is what the cell gives; out of training k is
    its mean, 1 - rate.

    Source: Krueger et al. 2017, "Zoneout". In an LSTM, a<t> is computed of the new memory cell, as
    there, and not of what zoneout leaves of it.

    With `draws`, k of every state comes behind the columns of z_x, `[batch, states * units]`.
    Slopes: those of the cell, and k of each state.

    Attributes:
        rates: one for each state.
        draws: whether k is drawn, as in training.

    Example:
        >>> cell = ZoneoutCell(RNN(1, activation="linear").cell, rates=(0.25,))
        >>> old, new = tf.constant([[1.0]]), tf.constant([[5.0]])
        >>> cell.step(new, (old,), old, {"U": tf.zeros([1, 1])}).states[0].numpy().tolist()
        [[4.0]]
    """

    rates: tuple[float, ...]
    draws: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        taken = (f"taken_{state}" for state in self.cell.states)
        self._have(slopes=(*self.cell.slopes, *taken))

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        previous: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        columns = len(self.cell.gates) * previous.shape[-1]
        step = self.cell.step(z_x[:, :columns], states, previous, weights)

        if self.draws:
            taken = tf.split(z_x[:, columns:], len(states), axis=-1)
        else:
            taken = [(1 - rate) * tf.ones_like(states[0]) for rate in self.rates]
        new = tuple(
            k * s_new + (1 - k) * s_old
            for k, s_new, s_old in zip(taken, step.states, states, strict=True)
        )
        named = dict(zip(self.cell.quantities, step.quantities, strict=True))
        named |= dict(zip(self.cell.states, new, strict=True))
        return Step(new, lambda: (*step.slopes, *taken), step.factors, tuple(named.values()))

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        count = len(self.cell.slopes)
        taken = slopes[count:]

        d_new = tuple(k * d for k, d in zip(taken, d_states, strict=True))
        d_z, d_previous, d_direct = self.cell.step_back(d_new, slopes[:count], transposed)
        d_old = tuple(
            direct + (1 - k) * d for direct, k, d in zip(d_direct, taken, d_states, strict=True)
        )
        return d_z, d_previous, d_old
