"""The forward and the backward pass: a loop over time, and the matrix products around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from layers.engine.compiling import multiply, shared_function
from layers.engine.loops import steps_back, steps_forward
from layers.engine.plan import Plan
from layers.engine.sharding import Tensors


@dataclasses.dataclass(frozen=True)
class Residuals:
    """What the backward pass needs of the forward pass.

    Attributes:
        rows: the inputs of all steps, `[time * batch, features]`, zeros where the mask is False.
        mask: bool `[time, batch, 1]` or None.
        weights: as `Cell.arrange` gives them.
        kept: as `loops.steps_forward` returns them.
    """

    rows: tf.Tensor
    mask: tf.Tensor | None
    weights: dict[str, tf.Tensor]
    kept: list[tf.Tensor]


def forward(
    plan: Plan, tensors: Tensors, loop: Callable | None = None
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...], Residuals]:
    """Projects the inputs of all steps, then runs the loop.

    Args:
        plan: how to run.
        tensors: batch first, as in `engine.run`.
        loop: `loops.steps_forward` of the plan; by default the function that all layers share.

    Returns:
        Outputs `[batch, time, units]` or None, the last states, each `[batch, units]`, and what
        the backward pass needs.
    """
    x, mask = tf.transpose(tensors.x, [1, 0, 2]), None
    if tensors.mask is not None:
        mask = tf.expand_dims(tf.transpose(tensors.mask), 2)  # LiteRT cuts no slices of bools
        x = tf.where(mask, x, tf.zeros([], x.dtype))  # whatever the padding holds, it is no input
    rows = tf.reshape(x, [-1, x.shape[2]])
    z_x, steps = _in_steps(project(rows, tensors, plan.products), x), None
    if tensors.padding is not None:
        steps = tf.shape(x)[0]
        z_x, mask = _padded(z_x, tensors.padding), _padded(mask, tensors.padding)

    loop = loop or shared_function(steps_forward, plan)
    weights = plan.cell.arrange(tensors.recurrent_kernel, tensors.recurrent_bias)
    outputs, states, kept = loop(z_x, tensors.states, weights, tensors.dropout, mask, steps)
    if plan.sequences:
        outputs = tf.transpose(_first(outputs, steps), [1, 0, 2])
        outputs.set_shape([*tensors.x.shape[:2], plan.units])  # a loop forgets the number of steps
    return outputs, states, Residuals(rows, mask, weights, kept)


def project(rows: tf.Tensor, tensors: Tensors, products: str | None = None) -> tf.Tensor:
    """W_x x + b of all gates, `[rows, gates * units]`, for inputs `[rows, features]`.

    Without a kernel, the inputs are that, as they are. `products` is as in `Plan`.

    Example:
        >>> tensors = Tensors(tf.ones([1, 1, 2]), (), 3 * tf.ones([2, 4]), tf.ones([4, 4]))
        >>> project(tf.ones([1, 2]), tensors).numpy().tolist()
        [[6.0, 6.0, 6.0, 6.0]]
    """
    if tensors.kernel is None:
        return rows
    z_x = multiply(rows, tensors.kernel, products)
    return z_x if tensors.bias is None else tf.nn.bias_add(z_x, tensors.bias)


def backward(
    plan: Plan,
    tensors: Tensors,
    residuals: Residuals,
    d_outputs: tf.Tensor | None,
    d_states: tuple[tf.Tensor, ...],
) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
    """Runs the loop back, then multiplies all steps' dz into the derivatives by the weights.

    Args:
        plan: how to run.
        tensors: those of the forward pass.
        residuals: what the forward pass returned with `keep="slopes"`.
        d_outputs: derivatives by the outputs, `[batch, time, units]`, or None.
        d_states: derivatives by the last states, each `[batch, units]`.

    Returns:
        The derivatives by `Tensors.DIFFERENTIABLE`, by name, in their shapes, and those by the
        first states, each `[batch, units]`.
    """
    cell, rows, steps = plan.cell, residuals.rows, None
    slopes, *factors = residuals.kept
    if d_outputs is not None:
        d_outputs = tf.transpose(d_outputs, [1, 0, 2])
    if tensors.padding is not None:
        steps, d_outputs = tf.shape(tensors.x)[1], _padded(d_outputs, tensors.padding)
    blocks, d_states, kernel_transposed = shared_function(steps_back, plan)(
        d_outputs,
        tuple(d_states),
        slopes,
        residuals.weights,
        tensors.kernel,
        tensors.dropout,
        residuals.mask,
        steps,
    )

    d_z = [tf.reshape(_first(block, steps), [-1, block.shape[2]]) for block in blocks]
    factors = [tf.reshape(_first(factor, steps), [-1, factor.shape[2]]) for factor in factors]
    ones = tf.ones_like(rows[:, :1])
    of_inputs = [d_z[i] for i in cell.input_blocks]
    if kernel_transposed is None:
        d_x = tf.concat(
            [*of_inputs, tf.zeros_like(rows[:, plan.units * len(cell.gates) :])], axis=1
        )
    else:
        kernels = tf.split(kernel_transposed, [d.shape[1] for d in of_inputs], axis=0)
        d_x = tf.add_n(
            [multiply(d, w, plan.products) for d, w in zip(of_inputs, kernels, strict=True)]
        )
    shape = tf.shape(tensors.x)
    d_x = tf.transpose(tf.reshape(d_x, [shape[1], shape[0], tensors.x.shape[2]]), [1, 0, 2])

    def over_all_steps(products: Sequence[tuple[tf.Tensor, int]]) -> tf.Tensor:
        return tf.concat(
            [multiply(a, d_z[i], plan.products, transpose_a=True) for a, i in products], axis=1
        )

    derivatives = {
        "x": d_x,
        "recurrent_kernel": over_all_steps([(factors[f], i) for f, i in cell.recurrent_products]),
    }
    if tensors.kernel is not None:
        derivatives["kernel"] = over_all_steps([(rows, i) for i in cell.input_blocks])
    # A sum over rows as a product with ones: a third of the time of tf.reduce_sum here.
    if tensors.bias is not None:
        derivatives["bias"] = over_all_steps([(ones, i) for i in cell.input_blocks])[0]
    if tensors.recurrent_bias is not None:
        inside = [(ones, i) for i in cell.recurrent_bias_blocks]
        derivatives["recurrent_bias"] = over_all_steps(inside)[0]
    return derivatives, list(d_states)


def _padded(values: tf.Tensor | None, steps: tf.Tensor) -> tf.Tensor | None:
    """`[time, ...]` with zeros for so many steps behind it."""
    if values is None:
        return None
    return tf.pad(values, [[0, steps], *[[0, 0] for _ in values.shape[1:]]])


def _first(values: tf.Tensor, steps: tf.Tensor | None) -> tf.Tensor:
    """The first steps of `[time, ...]`, all of them for None."""
    return values if steps is None else values[:steps]


def _in_steps(rows: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Rows `[time * batch, columns]` as `[time, batch, columns]`, time and batch those of x.

    The shape that is asked for says all that is known: LiteRT needs it for its arrays, and has no
    operation that would say it afterwards.
    """
    time, batch = x.shape[:2]
    wanted = [time, batch, rows.shape[1]]
    if time is None and batch:
        wanted[0] = -1
    elif batch is None and time:
        wanted[1] = -1
    elif time is None or batch is None:
        wanted[:2] = tf.unstack(tf.shape(x)[:2])
    steps = tf.reshape(rows, wanted)
    steps.set_shape([time, batch, rows.shape[1]])
    return steps
