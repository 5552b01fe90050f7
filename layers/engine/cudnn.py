"""A whole run by cuDNN, the recurrent kernel of NVIDIA's GPUs, in place of the loops.

It has wishes of its own:

    weights    one flat array: for each gate W_xᵀ, for each gate Uᵀ, for each gate the bias beside
               W_x, for each gate the bias beside U; in which order, `Cell.cudnn` says.
    padding    only behind the last step. So the real steps of a row move to its front, in the
               direction of the run, and their outputs back to their places.
    emptiness  none. A row of padding alone takes one step, which nobody sees; so does an empty
               sequence, and an empty batch gets a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import tensorflow as tf

from layers.engine.cell import Cell, CudnnForm
from layers.engine.compiling import has_gpu
from layers.engine.gradient import refuse_second_derivatives
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors


def why_not(plan: Plan, tensors: Tensors) -> str | None:
    """What keeps cuDNN from such a run, in words, or None.

    Example:
        >>> one = tf.ones([1, 1])
        >>> tensors = Tensors(one[None], (one,), one, one)
        >>> why_not(Plan(RNN(1, activation="softsign").cell, 1), tensors)
        'cuDNN does not have the equations of RNNCell with these activations'
    """
    if plan.cell.cudnn() is None:
        name = type(plan.cell).__name__
        return f"cuDNN does not have the equations of {name} with these activations"
    if not plan.by_hand:
        return 'gradient="automatic" differentiates the equations themselves'
    if tensors.dropout is not None:
        return "cuDNN has no dropout from one step to the next (recurrent_dropout)"
    if tensors.x.dtype == tf.bfloat16:
        return "its gradients in bfloat16 are wrong (seen with TensorFlow 2.21, cuDNN 9.19, H200)"
    if not has_gpu():
        return "TensorFlow sees no GPU"
    return None


def run_by_cudnn(plan: Plan, tensors: Tensors) -> Result:
    """Runs a cell over sequences, as `engine.run` does.

    Returns:
        Outputs `[batch, time, units]` or None, and the last states, each `[batch, units]`.
    """
    if None not in tensors.x.shape[:2]:
        return _run(plan, tensors)
    batch, time = tf.unstack(tf.shape(tensors.x)[:2])
    outputs, states = _run(plan, _not_empty(tensors), steps=time)
    if outputs is not None:
        outputs = tf.ensure_shape(outputs[:batch, :time], [*tensors.x.shape[:2], plan.units])
    return outputs, tuple(
        tf.ensure_shape(last[:batch], first.shape)
        for last, first in zip(states, tensors.states, strict=True)
    )


def flat_weights(cell: Cell, tensors: Tensors) -> tf.Tensor:
    """All weights in one row, as cuDNN reads them.

    Example:
        >>> one, two, bias = tf.ones([2, 1]), 2 * tf.ones([1, 1]), tf.constant([3.0])
        >>> tensors = Tensors(tf.ones([1, 5, 2]), (one[:1],), one, two, bias)
        >>> flat_weights(RNN(1).cell, tensors).numpy().tolist()
        [1.0, 1.0, 2.0, 3.0, 0.0]
    """
    form, units = _form(cell), tensors.recurrent_kernel.shape[0]
    none = tf.zeros([units], tensors.x.dtype)

    def in_order(weights: tf.Tensor) -> tf.Tensor:
        if form.gates == cell.gates and not form.negated:
            return weights
        columns = dict(zip(cell.gates, tf.split(weights, len(cell.gates), axis=-1), strict=True))
        columns |= {gate: -columns[gate] for gate in form.negated}
        return tf.concat([columns[gate] for gate in form.gates], axis=-1)

    matrices = [in_order(weights) for weights in (tensors.kernel, tensors.recurrent_kernel)]
    biases = [none] * len(form.gates) if tensors.bias is None else [in_order(tensors.bias)]
    inside = none if tensors.recurrent_bias is None else tensors.recurrent_bias
    biases += [inside if gate == form.recurrent_bias else none for gate in form.gates]
    return tf.concat([*(tf.reshape(tf.transpose(w), [-1]) for w in matrices), *biases], axis=0)


def _form(cell: Cell) -> CudnnForm:
    return cast(CudnnForm, cell.cudnn())


def _run(plan: Plan, tensors: Tensors, steps: tf.Tensor | None = None) -> Result:
    """`run_by_cudnn` of a batch with a row and a step at least, of which `steps` are real."""
    x, mask = tensors.x, tensors.mask
    batch, time = tf.unstack(tf.shape(x)[:2])
    if mask is None:
        count = tf.fill([batch], time if steps is None else steps)
        x = tf.reverse(x, [1]) if plan.reverse else x
    else:
        count = tf.cast(tf.reduce_sum(tf.cast(mask, tf.float32), axis=1), tf.int32)
        x = tf.where(mask[:, :, None], x, tf.zeros([], x.dtype))
        x = _to_front(x, mask, count, plan.reverse)

    outputs, *states = _differentiable(plan, tensors, x, tf.maximum(count, 1))

    if mask is not None or steps is not None:
        ran = count[:, None] > 0
        states = [tf.where(ran, *pair) for pair in zip(states, tensors.states, strict=True)]
    if not plan.sequences:
        return None, tuple(states)
    if mask is None:
        outputs = tf.reverse(outputs, [1]) if plan.reverse else outputs
    elif plan.repeats:
        so_far = tf.cumsum(tf.cast(mask, tf.float32), axis=1, reverse=plan.reverse)
        so_far = tf.cast(so_far, tf.int32)
        outputs = tf.gather(outputs, tf.maximum(so_far - 1, 0), batch_dims=1)
        outputs = tf.where(so_far[:, :, None] > 0, outputs, tf.zeros([], x.dtype))
    else:
        outputs = _to_front(outputs, mask, count, plan.reverse, back=True)
        outputs = tf.where(mask[:, :, None], outputs, tf.zeros([], x.dtype))
    return outputs, tuple(states)


def _not_empty(tensors: Tensors) -> Tensors:
    """The same with one row at least, and one step."""
    batch, time = tf.unstack(tf.shape(tensors.x)[:2])
    rows, steps = tf.maximum(1 - batch, 0), tf.maximum(1 - time, 0)
    x = tf.pad(tensors.x, [[0, rows], [0, steps], [0, 0]])
    return tensors.replace(
        x=tf.ensure_shape(x, [None, None, tensors.x.shape[2]]),
        states=tuple(tf.pad(state, [[0, rows], [0, 0]]) for state in tensors.states),
        mask=None if tensors.mask is None else tf.pad(tensors.mask, [[0, rows], [0, steps]]),
    )


def _to_front(
    steps: tf.Tensor, mask: tf.Tensor, count: tf.Tensor, reverse: bool, back: bool = False
) -> tf.Tensor:
    """`[batch, time, columns]` with the real steps of each row in front, in the order of the run.

    `back` puts them back to their places. Where all padding is on the right, as it mostly is, there
    is little to do; cuDNN wants to know `count` on the processor, so that asking costs no more.
    """

    def as_it_is() -> tf.Tensor:
        return tf.reverse_sequence(steps, count, 1, 0) if reverse else steps

    def reordered() -> tf.Tensor:
        places = _places(mask, reverse)
        return _reordered(steps, *(places if back else places[::-1]))

    on_the_right = tf.reduce_all(tf.sequence_mask(count, tf.shape(mask)[1]) == mask)
    return tf.ensure_shape(tf.cond(on_the_right, as_it_is, reordered), steps.shape)


def _places(mask: tf.Tensor, reverse: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each step goes, real ones to the front; and which step comes to each place.

    In float32: what TensorFlow does with integers, it would do on the processor.
    """
    real = tf.cast(mask, tf.float32)

    def number(those: tf.Tensor) -> tf.Tensor:
        return tf.cumsum(those, axis=1, reverse=reverse) - 1

    count = tf.reduce_sum(real, axis=1, keepdims=True)
    place = tf.cast(tf.where(mask, number(real), count + number(1 - real)), tf.int32)
    batch, time = tf.unstack(tf.shape(mask))
    rows = tf.range(batch)[:, None] + tf.zeros_like(place)
    steps = tf.range(time, dtype=tf.float32)[None] + tf.zeros_like(real)
    order = tf.scatter_nd(tf.stack([rows, place], axis=2), steps, [batch, time])
    return place, tf.cast(order, tf.int32)


def _reordered(steps: tf.Tensor, order: tf.Tensor, back: tf.Tensor) -> tf.Tensor:
    """`[batch, time, columns]` with the steps of each row in another order, which `back` undoes.

    The gradient of `tf.gather` would be a sum into zeros; here it is a gather as well.
    """

    @tf.custom_gradient
    def gather(steps: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        return tf.gather(steps, order, batch_dims=1), lambda d: tf.gather(d, back, batch_dims=1)

    return gather(steps)


def _differentiable(
    plan: Plan, tensors: Tensors, x: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """The operation with its gradient: outputs `[batch, time, units]` and states after `lengths`.

    What the gradient needs is kept where `plan.keep` says so; else it takes one run more.
    """
    trains, has_c = plan.keep == "slopes", len(tensors.states) > 1

    @tf.custom_gradient
    def run(x: tf.Tensor, weights: tf.Tensor, *states: tf.Tensor) -> tuple[tuple, Callable]:
        given = {
            "input": x,
            "input_h": states[0][:, None],
            "input_c": states[1][:, None] if has_c else tf.zeros([], x.dtype),
            "params": weights,
            "sequence_lengths": lengths,
            "rnn_mode": _form(plan.cell).mode,
            "time_major": False,
        }
        done = tf.raw_ops.CudnnRNNV3(**given, is_training=trains)

        def gradient(d_outputs: tf.Tensor, *d_states: tf.Tensor) -> list[tf.Tensor]:
            kept = done if trains else tf.raw_ops.CudnnRNNV3(**given, is_training=True)
            back = tf.raw_ops.CudnnRNNBackpropV3(
                **given,
                output=kept.output,
                output_h=kept.output_h,
                output_c=kept.output_c,
                output_backprop=d_outputs,
                output_h_backprop=d_states[0][:, None],
                output_c_backprop=d_states[1][:, None] if has_c else tf.zeros_like(kept.output_c),
                reserve_space=kept.reserve_space,
                host_reserved=kept.host_reserved,
            )
            d_first = [back.input_h_backprop[:, 0]]
            d_first += [back.input_c_backprop[:, 0]] if has_c else []
            return refuse_second_derivatives(
                [back.input_backprop, back.params_backprop, *d_first],
                [x, weights, *states],
                "a recurrent layer",
            )

        last = [done.output_h[:, 0], *([done.output_c[:, 0]] if has_c else [])]
        return (done.output, *last), gradient

    return run(x, flat_weights(plan.cell, tensors), *tensors.states)
