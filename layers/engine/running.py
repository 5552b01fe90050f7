"""What layers call: one run of a cell over sequences; the gates of one run, and its way back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow as tf

from layers.engine.checking import agrees
from layers.engine.compiling import (
    in_xla,
    is_for_here,
    padding_to_bucket,
    precision_of_loops,
    shared_function,
)
from layers.engine.cudnn import run_by_cudnn, why_not
from layers.engine.gradient import differentiable
from layers.engine.loops import steps_back, steps_forward
from layers.engine.passes import forward
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors, join


def run(
    plan: Plan,
    x: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernel: tf.Tensor | None,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    recurrent_bias: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    at_once: int = 1,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...]]:
    """Runs a cell over sequences.

    It computes in the precision that `compiling.precision_of_loops` gives for the inputs: where
    they have 16 bits on a CPU, only what goes in and comes out has.

    Args:
        plan: cell, direction, and how to run.
        x: inputs `[batch, time, features]`.
        states: states before the first step, each `[batch, units]`.
        kernel: W_x of all gates, `[features, gates * units]`; or None, where x is W_x x + b of all
            gates already, `[batch, time, gates * units]`, and behind it whatever else the cell
            wants at each step, which has no gradient.
        recurrent_kernel: U of all gates, `[units, gates * units]`.
        bias: b of all gates, `[gates * units]`, or None.
        recurrent_bias: the vector inside the recurrent products, for a cell that has one.
        dropout: factor `[batch, units]` on the state inside the recurrent products, or None.
        mask: bool `[batch, time]`, True where a step is real, or None. A padded step leaves the
            states as they are, outputs zeros and adds nothing to any gradient.
        at_once: how many such runs go side by side, two for two directions.

    Returns:
        Outputs `[batch, time, units]` in the order of time (None unless `plan.sequences`), and the
        states after the last step, each `[batch, units]`; all of the inputs' type.

    Example:
        >>> plan = Plan(RNN(4).cell, units=4)
        >>> x, start = tf.ones([2, 5, 3]), tf.zeros([2, 4])
        >>> outputs, (a,) = run(plan, x, [start], tf.ones([3, 4]), tf.eye(4))
        >>> outputs.shape, a.shape
        (TensorShape([2, 5, 4]), TensorShape([2, 4]))
    """
    tensors = Tensors(
        x, tuple(states), kernel, recurrent_kernel, bias, recurrent_bias, dropout, mask
    )
    outputs, last_states = _run(plan, tensors.cast(precision_of_loops(x.dtype)), at_once)
    outputs = None if outputs is None else tf.cast(outputs, x.dtype)
    return outputs, tuple(tf.cast(state, x.dtype) for state in last_states)


def _run(plan: Plan, tensors: Tensors, at_once: int) -> Result:
    """`run` of tensors of one type, by what is fastest of what may run here."""
    if _takes_cudnn(plan, tensors):
        return run_by_cudnn(plan, tensors)
    if not plan.by_hand:
        return forward(plan, tensors, functools.partial(steps_forward, plan))[:2]
    if plan.compiled:
        return _run_compiled(plan, tensors, at_once)
    return differentiable(plan, tensors)


def _takes_cudnn(plan: Plan, tensors: Tensors) -> bool:
    """Whether cuDNN can run this, nobody else will have to, and it gives the right numbers.

    Raises:
        ValueError: it cannot, and the plan insists.
    """
    if not plan.cudnn:
        return False
    reason = why_not(plan, tensors)
    if reason is not None:
        if plan.cudnn is True:
            raise ValueError(
                f"use_cudnn: True is not possible here: {reason}. "
                'Pass use_cudnn="auto" for cuDNN where it is.'
            )
        return False
    return (
        (plan.keep == "slopes" or is_for_here())
        and not in_xla()
        and 0 not in tensors.x.shape[:2]
        and agrees(run_by_cudnn, plan.cell, tensors.x.dtype)
    )


def _run_compiled(plan: Plan, tensors: Tensors, at_once: int) -> Result:
    """`run` by XLA: in shards of the batch, the loop over time padded to whole buckets."""
    if not tensors.x.shape[1]:
        tensors = tensors.replace(padding=padding_to_bucket(tf.shape(tensors.x)[1]))
    return join([differentiable(plan, shard) for shard in tensors.shards(at_once)])


def quantities(
    plan: Plan,
    x: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernel: tf.Tensor | None,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    recurrent_bias: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """What the equations compute at every step, without gradient.

    Args:
        plan: cell and direction.
        x, states, kernel, recurrent_kernel, bias, recurrent_bias, mask: as in `run`.

    Returns:
        `[batch, time, units]` each, by the names of `Cell.quantities`. Padded steps are zeros.

    Example:
        >>> plan = Plan(GRU(4, reset_gate=None).cell, units=4)
        >>> x, start = tf.ones([2, 5, 3]), tf.zeros([2, 4])
        >>> named = quantities(plan, x, [start], tf.ones([3, 8]), tf.ones([4, 8]))
        >>> {name: value.shape for name, value in named.items() if name.startswith("gate")}
        {'gate_u': TensorShape([2, 5, 4])}
    """
    plan = dataclasses.replace(plan, keep="quantities", sequences=False, compiled=False)
    tensors = Tensors(x, tuple(states), kernel, recurrent_kernel, bias, recurrent_bias, mask=mask)
    (kept,) = forward(plan, tensors.cast(precision_of_loops(x.dtype)))[2].kept
    kept = tf.cast(kept, x.dtype)
    names = plan.cell.quantities
    by_name = {name: tf.transpose(kept[k :: len(names)], [1, 0, 2]) for k, name in enumerate(names)}
    if mask is not None:
        real = mask[:, :, None]
        by_name = {name: tf.where(real, v, tf.zeros_like(v)) for name, v in by_name.items()}
    return by_name


def derivatives(
    plan: Plan,
    d_outputs: tf.Tensor,
    x: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernel: tf.Tensor | None,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    recurrent_bias: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """What back-propagation through time carries from step to step: ∂L/∂s<t> of every state s.

    Args:
        plan: cell and direction.
        d_outputs: what L has to do with the outputs directly, `[batch, time, units]`.
        x, states, kernel, recurrent_kernel, bias, recurrent_bias, mask: as in `run`.

    Returns:
        `[batch, time, units]` each, by the names of `Cell.states`. Padded steps are zeros.

    Example:
        >>> plan = Plan(RNN(4).cell, units=4)
        >>> x, start = tf.ones([2, 5, 3]), tf.zeros([2, 4])
        >>> named = derivatives(plan, tf.ones([2, 5, 4]), x, [start], tf.ones([3, 4]), tf.eye(4))
        >>> named["a"].shape
        TensorShape([2, 5, 4])
    """
    plan = dataclasses.replace(plan, keep="slopes", sequences=False, compiled=False)
    tensors = Tensors(x, tuple(states), kernel, recurrent_kernel, bias, recurrent_bias, mask=mask)
    tensors = tensors.cast(precision_of_loops(x.dtype))
    _, last, residuals = forward(plan, tensors)
    back = dataclasses.replace(plan, keep="derivatives")
    kept, _, _ = shared_function(steps_back, back)(
        tf.transpose(tf.cast(d_outputs, tensors.x.dtype), [1, 0, 2]),
        tuple(tf.zeros_like(state) for state in last),
        residuals.kept[0],
        residuals.weights,
        tensors.kernel,
        None,
        residuals.mask,
        None,
    )
    names = plan.cell.states
    return {
        name: tf.cast(tf.transpose(d, [1, 0, 2]), x.dtype)
        for name, d in zip(names, kept[-len(names) :], strict=True)
    }
