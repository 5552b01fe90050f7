"""Where one kernel of TensorFlow does a whole sequence: the one place that chooses it."""

from __future__ import annotations

import tensorflow as tf

from layers.engine.passes import forward
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors

# Up to this batch, a portable graph leaves the sequence to one kernel where a cell has one; beyond,
# products over all steps and the whole batch are faster.
ROWS_OF_ONE_KERNEL = 4


def infer(plan: Plan, tensors: Tensors) -> Result:
    """The forward pass where no backward pass is expected: by one kernel if that is faster.

    A sequence of padding makes the loop necessary, and so does a large batch; both are known when
    the graph runs, so the graph holds kernel and loop.

    Returns:
        Outputs `[batch, time, units]` or None, and the last states, each `[batch, units]`.
    """
    kernel = plan.cell.one_kernel(tensors.x.dtype)
    if plan.compiled or kernel is None or tensors.dropout is not None:
        return forward(plan, tensors)[:2]

    def by_kernel():
        x = tf.transpose(tensors.x, [1, 0, 2])
        x = tf.reverse(x, [0]) if plan.reverse else x
        outputs, states = kernel(
            x, tensors.states, tensors.kernel, tensors.recurrent_kernel, tensors.bias
        )
        outputs = tf.reverse(outputs, [0]) if plan.reverse else outputs
        return [tf.transpose(outputs, [1, 0, 2])][: plan.sequences], list(states)

    def by_steps():
        outputs, states, _ = forward(plan, tensors)
        return [outputs][: plan.sequences], list(states)

    batch, time = tf.unstack(tf.shape(tensors.x)[:2])
    fits = (batch <= ROWS_OF_ONE_KERNEL) & (time > 0)
    if tensors.mask is not None:
        fits &= tf.reduce_all(tensors.mask)
    outputs, states = tf.cond(fits, by_kernel, by_steps)
    return outputs[0] if plan.sequences else None, tuple(states)
