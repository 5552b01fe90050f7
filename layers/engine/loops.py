"""The loops over time.

Inside of them time is the first axis, so that the values of a step lie side by side in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from layers.engine.cell import Step
from layers.engine.plan import Plan

# In a portable graph a turn of the loop costs more than a small step: several steps share one.
STEPS_PER_TURN = 4


def repeat(
    count: tf.Tensor,
    step: Callable,
    variables: Sequence,
    steps_per_turn: int = 1,
    at_most: tf.Tensor | None = None,
) -> tuple:
    """Runs `variables = step(i, *variables)` for i = 0 ... count - 1.

    Args:
        count: a scalar, int32.
        step: takes the number of the step and the variables, and returns the new variables.
        variables: tensors, tensor arrays, or nested lists and tuples of them.
        steps_per_turn: how many steps share one turn of the loop.
        at_most: no less than `count`, and known from shapes, or None. XLA needs it for automatic
            differentiation of the loop.

    Returns:
        The variables after the last step.

    Example:
        >>> (total,) = repeat(tf.constant(5), lambda i, total: (total + i,), (tf.constant(0),))
        >>> int(total)
        10
    """

    def turn(steps: int, i: tf.Tensor, *variables: Any) -> tuple:
        for k in range(steps):
            variables = step(i + k if k else i, *variables)
        return i + steps, *variables

    numbered = (tf.constant(0), *variables)
    for steps in (steps_per_turn, 1) if steps_per_turn > 1 else (1,):
        numbered = tf.while_loop(
            lambda i, *_, steps=steps: i + steps <= count,
            functools.partial(turn, steps),
            numbered,
            parallel_iterations=1,
            maximum_iterations=at_most,
        )
    _, *variables = numbered
    return tuple(variables)


def steps_forward(
    plan: Plan,
    z_x: tf.Tensor,
    states: tuple[tf.Tensor, ...],
    weights: dict[str, tf.Tensor],
    dropout: tf.Tensor | None,
    mask: tf.Tensor | None,
    steps: tf.Tensor | None,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """Steps through time.

    Args:
        plan: cell, direction, and what to keep.
        z_x: `[time, batch, gates * units]`.
        states: each `[batch, units]`.
        weights: as `Cell.arrange` gives them.
        dropout: `[batch, units]` or None.
        mask: bool `[time, batch, 1]` or None.
        steps: how many of the steps are real, or None for all.

    Returns:
        Outputs `[time, batch, units]` or None, the last states, each `[batch, units]`, and what
        `plan.keep` names: all slopes in one array `[time * slopes, batch, units]`, then each factor
        `[time, batch, units]`; or all quantities in one array, `[time * quantities, batch, units]`.
    """
    cell = plan.cell
    count = tf.shape(z_x)[0]
    first, end = _steps_to_take(plan, count, mask, steps)
    take = _step_of(plan, z_x, weights, dropout, mask)
    sizes = {
        "slopes": (len(cell.slopes), *[1 for _ in cell.factors]),
        "quantities": (len(cell.quantities),),
        "nothing": (),
    }[plan.keep]
    if plan.sequences:
        sizes = (1, *sizes)

    def groups(step: Step, output: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], ...]:
        """What goes into each array: tuples of as many values as `sizes` says."""
        kept: tuple[tuple[tf.Tensor, ...], ...] = ()
        if plan.keep == "slopes":
            kept = (step.slopes, *[(factor,) for factor in step.factors])
        elif plan.keep == "quantities":
            kept = (step.quantities,)
        return ((output,), *kept) if plan.sequences else kept

    def one_step(
        i: tf.Tensor, states: tuple[tf.Tensor, ...], arrays: list[tf.TensorArray]
    ) -> tuple[tuple[tf.Tensor, ...], list[tf.TensorArray]]:
        t = end - 1 - i if plan.reverse else first + i
        new_states, output, step = take(t, states)
        arrays = [
            _write(array, t, group)
            for array, group in zip(arrays, groups(step, output), strict=True)
        ]
        return new_states, arrays

    states, arrays = repeat(
        end - first,
        one_step,
        (tuple(states), [_array(states[0], count * size) for size in sizes]),
        steps_per_turn=1 if plan.compiled or plan.keep == "quantities" else STEPS_PER_TURN,
        at_most=None if plan.by_hand else count,
    )
    kept = [array.stack()[: count * size] for array, size in zip(arrays, sizes, strict=True)]
    outputs = kept.pop(0) if plan.sequences else None
    return outputs, states, kept


def steps_in_order(
    plan: Plan,
    z_x: tf.Tensor,
    states: tuple[tf.Tensor, ...],
    weights: dict[str, tf.Tensor],
    dropout: tf.Tensor | None,
    mask: tf.Tensor | None,
    steps: tf.Tensor | None,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """`steps_forward` in a form that LiteRT and ONNX can read too; slower, with the same result.

    All steps are taken, those of padding too, one in a turn of the loop; each turn writes one
    output, behind that of the turn before, into an array of a known shape. Nothing is kept.

    Example:
        >>> plan = engine.Plan(RNN(2).cell, 2, keep="nothing")
        >>> tensors = tf.ones([5, 1, 2]), (tf.zeros([1, 2]),), {"U": tf.eye(2)}, None, None, None
        >>> np.array_equal(steps_in_order(plan, *tensors)[0], steps_forward(plan, *tensors)[0])
        True
    """
    del steps
    count, batch, units = tf.shape(z_x)[0], states[0].shape[0], states[0].shape[1]
    take = _step_of(plan, z_x, weights, dropout, mask)
    shape = [tf.shape(states[0])[0] if batch is None else batch, units]
    dtype = states[0].dtype

    def one_step(
        i: tf.Tensor, states: tuple[tf.Tensor, ...], outputs: tuple[tf.Tensor, ...]
    ) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        t = count - 1 - i if plan.reverse else i
        new_states, output, _ = take(t, states)
        if plan.sequences:
            (array,) = outputs
            outputs = (tf.raw_ops.TensorListSetItem(input_handle=array, index=i, item=output),)
        return new_states, outputs

    arrays: tuple[tf.Tensor, ...] = ()
    if plan.sequences:
        arrays = (
            tf.raw_ops.TensorListReserve(
                element_shape=shape, num_elements=count, element_dtype=dtype
            ),
        )
    states, arrays = repeat(count, one_step, (tuple(states), arrays))
    if not plan.sequences:
        return None, states, []
    outputs = tf.raw_ops.TensorListStack(
        input_handle=arrays[0], element_shape=shape, element_dtype=dtype
    )
    outputs.set_shape([z_x.shape[0], batch, units])
    return tf.reverse(outputs, [0]) if plan.reverse else outputs, states, []


def steps_back(
    plan: Plan,
    d_outputs: tf.Tensor | None,
    d_states: tuple[tf.Tensor, ...],
    slopes: tf.Tensor,
    weights: dict[str, tf.Tensor],
    kernel: tf.Tensor | None,
    dropout: tf.Tensor | None,
    mask: tf.Tensor | None,
    steps: tf.Tensor | None,
) -> tuple[list[tf.Tensor], tuple[tf.Tensor, ...], tf.Tensor | None]:
    """Steps back through time: `steps_forward` in the opposite order.

    Args:
        plan: cell and direction.
        d_outputs: derivatives by the outputs, `[time, batch, units]`, or None.
        d_states: derivatives by the last states, each `[batch, units]`.
        slopes: `[time * slopes, batch, units]`, as `steps_forward` keeps them.
        kernel: W_x of all gates, `[features, gates * units]`, or None.
        weights, dropout, mask, steps: as in `steps_forward`.

    Returns:
        dz in blocks, each `[time, batch, width * units]`, behind them, where `plan.keep` says so,
        the derivatives by the states after each step; the derivatives by the first states, each
        `[batch, units]`; and the kernel transposed, `[gates * units, features]`, or None. It is
        transposed here because outside of XLA the graph optimizer would fold the transpose into the
        product dZ W_xᵀ, which is a third slower than transposing first.
    """
    cell = plan.cell
    transposed = {name: tf.transpose(w) for name, w in weights.items()}
    count = tf.shape(slopes)[0] // len(cell.slopes)
    first, end = _steps_to_take(plan, count, mask, steps)
    # What a function traced for any batch gave does not say its own: one of 1 would be lost.
    batch = d_states[0].shape[0]
    slopes = tf.ensure_shape(slopes, [None, batch, None])
    d_outputs = None if d_outputs is None else tf.ensure_shape(d_outputs, [None, batch, None])
    mask = None if mask is None else tf.ensure_shape(mask, [None, batch, None])
    shown = _shown(plan, mask)

    def one_step(
        i: tf.Tensor, d_states: tuple[tf.Tensor, ...], blocks: list[tf.TensorArray]
    ) -> tuple[tuple[tf.Tensor, ...], list[tf.TensorArray]]:
        t = first + i if plan.reverse else end - 1 - i
        d_new, d_kept = d_states, [0] * len(d_states)
        if d_outputs is not None:
            d_new = (d_new[0] + _at(d_outputs, t), *d_new[1:])
        if mask is not None:
            # A padded step handed its states on: so go the derivatives, around the cell.
            real, none = _at(mask, t), tf.zeros_like(d_states[0])
            handed_on = d_states
            if plan.repeats:  # its output was that state
                handed_on = (tf.where(_at(shown, t), d_new[0], d_states[0]), *d_states[1:])
            d_new = tuple(tf.where(real, d, none) for d in d_new)
            d_kept = [tf.where(real, none, d) for d in handed_on]
        here = t * len(cell.slopes)
        slopes_now = tuple(_at(slopes, here + k) for k in range(len(cell.slopes)))
        d_z, d_previous, d_direct = cell.step_back(d_new, slopes_now, transposed)
        if dropout is not None:
            d_previous *= dropout
        d_old = [direct + kept for direct, kept in zip(d_direct, d_kept, strict=True)]
        d_old[0] += d_previous
        kept = (*d_z, *d_new) if plan.keep == "derivatives" else d_z
        blocks = [_write(array, t, (block,)) for array, block in zip(blocks, kept, strict=True)]
        return tuple(d_old), blocks

    widths = cell.block_widths
    if plan.keep == "derivatives":
        widths += (1,) * len(cell.states)
    d_states, blocks = repeat(
        end - first,
        one_step,
        (tuple(d_states), [_array(d_states[0], count, width) for width in widths]),
    )
    kernel = None if kernel is None else tf.transpose(kernel)
    return [array.stack()[:count] for array in blocks], d_states, kernel


def _step_of(
    plan: Plan,
    z_x: tf.Tensor,
    weights: dict[str, tf.Tensor],
    dropout: tf.Tensor | None,
    mask: tf.Tensor | None,
) -> Callable:
    """A function that takes step t: states before it to states after it, output, and the `Step`."""
    shown = _shown(plan, mask)

    def take(
        t: tf.Tensor, states: tuple[tf.Tensor, ...]
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, Step]:
        previous = states[0] if dropout is None else states[0] * dropout
        step = plan.cell.step(_at(z_x, t), states, previous, weights)
        new_states, output = step.states, step.states[0]
        if mask is not None:
            real = _at(mask, t)
            new_states = tuple(
                tf.where(real, new, old) for new, old in zip(new_states, states, strict=True)
            )
            output = tf.where(_at(shown, t), new_states[0], tf.zeros_like(output))
        return new_states, output, step

    return take


def _array(state: tf.Tensor, count: tf.Tensor, width: int = 1) -> tf.TensorArray:
    """Room for `[batch, width * units]` at each step; what is not written reads as zeros."""
    shape = (state.shape[0], width * state.shape[1])
    if shape[0] is not None:
        return tf.TensorArray(state.dtype, size=count, element_shape=shape)
    # Of an array into which no step writes, TensorFlow would not know the batch.
    array = tf.TensorArray(state.dtype, size=tf.maximum(count, 1), element_shape=shape)
    return array.write(0, tf.zeros([tf.shape(state)[0], shape[1]], state.dtype))


def _at(values: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """The values of one step.

    Not `values[t]`: XLA takes the bounds of a slice for constants of the compilation, and so
    would compile anew for every mask that t follows from.
    """
    return tf.gather(values, t)


def _write(array: tf.TensorArray, t: tf.Tensor, values: tuple[tf.Tensor, ...]) -> tf.TensorArray:
    """The array with the values of step t, side by side.

    One array for many values, since XLA fills every array with zeros first.
    """
    for k, value in enumerate(values):
        array = array.write(t * len(values) + k, value)
    return array


def _shown(plan: Plan, mask: tf.Tensor | None) -> tf.Tensor | None:
    """Where the output is the first state, bool `[time, batch, 1]`; it is zeros elsewhere."""
    if mask is None or not plan.repeats:
        return mask
    return tf.cumsum(tf.cast(mask, tf.int32), axis=0, reverse=plan.reverse) > 0


def _steps_to_take(
    plan: Plan, count: tf.Tensor, mask: tf.Tensor | None, steps: tf.Tensor | None
) -> tuple[tf.Tensor | int, tf.Tensor]:
    """The first step that has to be taken, and the end after the last one.

    Steps that are padding in all sequences are left out, where they are not to repeat an output.
    """
    all_steps = 0, count if steps is None else steps
    if mask is None:
        return all_steps
    real = tf.reduce_any(mask, axis=[1, 2])
    numbers = tf.range(count)
    end = tf.maximum(tf.reduce_max(tf.where(real, numbers + 1, 0)), 0)  # 0 without any step
    first = tf.minimum(tf.reduce_min(tf.where(real, numbers, count)), end)
    if plan.repeats:
        return (all_steps[0], end) if plan.reverse else (first, all_steps[1])
    return first, end
