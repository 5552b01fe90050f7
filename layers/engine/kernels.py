"""Where the forward pass out of training is chosen: by one kernel, or step by step; and for whom.

A graph that TensorFlow runs, TensorFlow Serving included, takes what is fastest: one kernel for a
whole sequence where a cell has one and the batch is small, else several steps in a turn of the
loop. XLA and the converters to LiteRT and ONNX cannot read that, and a graph is made before anyone
says where it will go. So it calls a function with a plain loop, which all of them can read, and in
its library is another function that "implements the same" and "prefers" the devices of TensorFlow.
TensorFlow's own graph optimizer (Grappler's implementation selector) puts that one in its place; no
one else does.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from layers.engine.blocks import forward_in_blocks
from layers.engine.loops import steps_forward, steps_in_order
from layers.engine.passes import forward
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors

# Up to this batch, a portable graph leaves the sequence to one kernel where a cell has one; beyond,
# products over all steps and the whole batch are faster.
ROWS_OF_ONE_KERNEL = 4
# Up to so many multiplications in a step, all of a compiled forward pass is one call.
WORK_OF_ONE_CALL = 2**19


def infer(plan: Plan, tensors: Tensors) -> Result:
    """The forward pass where no backward pass is expected, as fast as who runs it can have it.

    Returns:
        Outputs `[batch, time, units]` or None, and the last states, each `[batch, units]`.
    """
    if plan.compiled and _is_small(tensors):
        return _in_one_call(plan, tensors)
    if plan.compiled or tensors.dropout is not None:
        return forward(plan, tensors)[:2]
    results = (_fastest if tf.executing_eagerly() else _in_graph)(plan, tensors)
    return (results[0], tuple(results[1:])) if plan.sequences else (None, tuple(results))


def _is_small(tensors: Tensors) -> bool:
    """Whether what is around a step costs as much as the step, by all that is known of shapes."""
    batch, time = tensors.x.shape[:2]
    units, columns = tensors.recurrent_kernel.shape
    return bool(batch and time) and batch * units * columns <= WORK_OF_ONE_CALL


def _in_one_call(plan: Plan, tensors: Tensors) -> Result:
    """Projection and loop as one call of XLA, whose large products would be slower."""
    return _compiled(plan)(**tensors.by_name())


@functools.lru_cache(maxsize=512)
def _compiled(plan: Plan) -> Callable:
    """The forward pass of a plan, compiled for each of the shapes, all of which are known."""

    def whole(**fields: Any) -> Result:
        return forward(plan, Tensors(**fields), functools.partial(steps_forward, plan))[:2]

    return tf.function(whole, jit_compile=True, autograph=False)


def _in_order(plan: Plan, tensors: Tensors) -> list[tf.Tensor]:
    """Step by step in plain order; outputs, if they are wanted, and states."""
    outputs, states, _ = forward(plan, tensors, functools.partial(steps_in_order, plan))
    return [*([outputs] if plan.sequences else []), *states]


def _by_steps(plan: Plan, tensors: Tensors) -> list[tf.Tensor]:
    outputs, states = forward_in_blocks(plan, tensors)
    return [*([outputs] if plan.sequences else []), *states]


def _by_kernel(plan: Plan, tensors: Tensors, kernel: Callable) -> list[tf.Tensor]:
    x = tf.transpose(tensors.x, [1, 0, 2])
    x = tf.reverse(x, [0]) if plan.reverse else x
    outputs, states = kernel(
        x, tensors.states, tensors.kernel, tensors.recurrent_kernel, tensors.bias
    )
    outputs = tf.reverse(outputs, [0]) if plan.reverse else outputs
    return [*([tf.transpose(outputs, [1, 0, 2])] if plan.sequences else []), *states]


def _fastest(plan: Plan, tensors: Tensors) -> list[tf.Tensor]:
    """By the kernel where it is faster; a sequence of padding makes the loop necessary.

    Batch and padding are known when the graph runs, so the graph holds both.
    """
    kernel = plan.cell.one_kernel(tensors.x.dtype)
    if kernel is None or (tensors.x.shape[0] or 0) > ROWS_OF_ONE_KERNEL:
        return _by_steps(plan, tensors)
    batch, time = tf.unstack(tf.shape(tensors.x)[:2])
    fits = (batch <= ROWS_OF_ONE_KERNEL) & (time > 0)
    if tensors.mask is not None:
        fits &= tf.reduce_all(tensors.mask)
    return tf.cond(
        fits, lambda: _by_kernel(plan, tensors, kernel), lambda: _by_steps(plan, tensors)
    )


def _in_graph(plan: Plan, tensors: Tensors) -> list[tf.Tensor]:
    """A call of the plain loop, beside it in the library what TensorFlow puts in its place."""
    given = {name: tensor for name, tensor in tensors.by_name().items() if tensor is not None}
    flat = tf.nest.flatten(given)
    specs = tuple(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in flat)
    signature = (plan, tuple(sorted(given)), len(tensors.states), specs)
    # To the optimizer, functions of one name are one function. Each call has its own: no converter
    # reads two loops that share a body.
    name = {"api_implements": f"recurrent_{uuid.uuid4().hex}"}
    in_order = _function(_in_order, *signature, attributes=name)
    fastest = _shared_fastest(*signature)
    for device in ("CPU", "GPU"):
        instead = _concrete(fastest, specs, {**name, "api_preferred_device": device})
        instead.add_to_graph(tf.compat.v1.get_default_graph())
    return in_order(*flat)


@functools.lru_cache(maxsize=512)
def _shared_fastest(*signature: Any) -> Callable:
    """`_fastest` as a function, one for all calls of a plan and of shapes."""
    return _function(_fastest, *signature)


def _function(
    body: Callable,
    plan: Plan,
    names: tuple[str, ...],
    states: int,
    specs: tuple[tf.TensorSpec, ...],
    attributes: dict[str, str] | None = None,
) -> Callable:
    """`body(plan, tensors)` as a function of the tensors in one row.

    Args:
        body: returns a list of tensors.
        plan: how to run.
        names: of the tensors that are given, in order.
        states: how many of them are states.
        specs: of each tensor.
        attributes: of the function in the graph.
    """
    structure = {name: (0,) * states if name == "states" else 0 for name in names}

    def run(*flat: tf.Tensor) -> list[tf.Tensor]:
        given = tf.nest.pack_sequence_as(structure, list(flat))
        return body(plan, Tensors(**{"kernel": None, **given}))

    return _concrete(run, specs, attributes or {})


def _concrete(run: Callable, specs: tuple[tf.TensorSpec, ...], attributes: dict) -> Any:
    function = tf.function(run, autograph=False, experimental_attributes=attributes)
    with tf.init_scope():
        return function.get_concrete_function(*specs)
