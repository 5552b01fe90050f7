"""The tensors of a run, cut into shards of the batch and joined again."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, ClassVar

import tensorflow as tf

from layers.engine.compiling import has_gpu

# Less than this in a shard, and its products are too small to be worth a core: rows of the batch,
# and multiplications in one step.
ROWS_PER_SHARD = 8
WORK_PER_SHARD = 2**17
# With an unknown batch size the number of shards cannot follow it.
SHARDS_OF_UNKNOWN_BATCH = 4
# Up to so many recurrent weights, two directions side by side keep the cores busy by themselves.
WEIGHTS_OF_SMALL_RUN = 2**17

Result = tuple[tf.Tensor | None, tuple[tf.Tensor, ...]]


@dataclasses.dataclass(frozen=True)
class Tensors:
    """The tensors of `engine.run`, with its names and shapes.

    Attributes:
        padding: how many steps the loop over time gets at the end that it does not take, a scalar,
            so that XLA compiles for few lengths; or None.
    """

    x: tf.Tensor
    states: tuple[tf.Tensor, ...]
    kernel: tf.Tensor | None
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None = None
    recurrent_bias: tf.Tensor | None = None
    dropout: tf.Tensor | None = None
    mask: tf.Tensor | None = None
    padding: tf.Tensor | None = None

    # What has a gradient, in the order of the custom gradient's arguments; the states follow.
    DIFFERENTIABLE: ClassVar = ("x", "kernel", "recurrent_kernel", "bias", "recurrent_bias")

    def by_name(self) -> dict[str, Any]:
        """As arguments of a function, what is not there as None."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def replace(self, **changes: Any) -> Tensors:
        """The same tensors but for some."""
        return dataclasses.replace(self, **changes)

    def cast(self, dtype: tf.DType) -> Tensors:
        """The same tensors with numbers of this type."""

        def convert(tensor: tf.Tensor | None) -> tf.Tensor | None:
            return None if tensor is None else tf.cast(tensor, dtype)

        numbers = {name: convert(getattr(self, name)) for name in (*self.DIFFERENTIABLE, "dropout")}
        return self.replace(**numbers, states=tuple(map(convert, self.states)))

    def shards(self, at_once: int = 1) -> list[Tensors]:
        """Shards of the batch of almost equal size, one for each core.

        Small runs of which `at_once` run side by side share the cores.
        """
        if has_gpu():
            return [self]
        units, columns = self.recurrent_kernel.shape
        batch, cores = self.x.shape[0], os.cpu_count() or 1
        if units * columns <= WEIGHTS_OF_SMALL_RUN:
            cores = max(1, cores // at_once)
        if batch is None:
            count, batch = min(cores, SHARDS_OF_UNKNOWN_BATCH), tf.shape(self.x)[0]
        else:
            work = batch * units * columns
            count = min(cores, batch // ROWS_PER_SHARD, work // WORK_PER_SHARD)
        if count <= 1:
            return [self]
        sizes = [batch * (i + 1) // count - batch * i // count for i in range(count)]

        def cut(tensor: tf.Tensor | None) -> list[tf.Tensor | None]:
            # tf.split, since the gradient of slices would fill a whole batch for each slice.
            return [None] * count if tensor is None else tf.split(tensor, sizes)

        states = zip(*map(cut, self.states), strict=True)
        parts = zip(cut(self.x), states, cut(self.dropout), cut(self.mask), strict=True)
        return [self.replace(x=x, states=s, dropout=d, mask=m) for x, s, d, m in parts]


def join(shards: list[Result]) -> Result:
    """Outputs `[batch, time, units]` or None, and states `[batch, units]`, of the whole batch."""
    if len(shards) == 1:
        return shards[0]
    outputs, states = zip(*shards, strict=True)
    return (
        None if outputs[0] is None else tf.concat(outputs, axis=0),
        tuple(tf.concat(parts, axis=0) for parts in zip(*states, strict=True)),
    )
