"""When XLA compiles, for which lengths, and one function for all layers of a kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

# Sequences of unknown length are padded to a multiple of this before XLA sees them, so that XLA
# compiles for few lengths; the recurrent layers never step through that padding.
TIME_BUCKET = 16


class Compilable(Protocol):
    """What `shared_function` needs of a plan. It has to be hashable."""

    @property
    def compiled(self) -> bool:
        """Whether XLA compiles."""

    def __hash__(self) -> int: ...


@functools.lru_cache(maxsize=512)
def shared_function(body: Callable, plan: Compilable) -> Callable:
    """`body(plan, ...)` as a `tf.function`, shared by all layers with the same plan.

    So XLA compiles it once for all of them, and once for each shape.

    Example:
        >>> plan = engine.Plan(RNN(2).cell, 2)
        >>> shared_function(len, plan) is shared_function(len, engine.Plan(RNN(2).cell, 2))
        True
    """
    return tf.function(
        functools.partial(body, plan),
        jit_compile=plan.compiled or None,
        autograph=False,
        reduce_retracing=True,
    )


def compiles(jit: bool | str, pays: bool) -> bool:
    """Whether a layer lets XLA compile.

    Args:
        jit: the argument of the layer: True, False, or `"auto"`: where it pays, but only in a
            graph, and never under a distribution strategy, where XLA fails.
        pays: whether it would pay in a graph.

    Example:
        >>> compiles(True, pays=False), compiles("auto", pays=True)  # this runs eagerly
        (True, False)
    """
    if jit != "auto":
        return bool(jit)
    return bool(pays) and not tf.executing_eagerly() and not tf.distribute.has_strategy()


def padding_to_bucket(time: tf.Tensor) -> tf.Tensor:
    """How many steps are missing to a multiple of `TIME_BUCKET`, at least one bucket.

    Example:
        >>> [int(padding_to_bucket(tf.constant(time))) for time in (0, 1, 16, 17)]
        [16, 15, 0, 15]
    """
    return tf.maximum(-(-time // TIME_BUCKET), 1) * TIME_BUCKET - time
