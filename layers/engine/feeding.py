"""The loop over time in which each step waits for attention, and back-propagation through it.

    z<t>       = Z<t> + ã<t-1> W_f         Z = X W_x + b, one product for all steps, as elsewhere
    a<t>       = the cells of all layers, from the lowest up
    e<t,t'>    = the scores of a<t> and the keys (`layers.Attention`)
    α<t>       = softmax(e<t>)
    context<t> = Σ_t' α<t,t'> values<t'>
    ã<t>       = tanh(W_c [context<t>, a<t>] + b_c)

Back through time go only the derivatives that the step before needs, those by ã<t-1> and by the
states; what the weights, keys and values need is kept, and multiplied after the loop for all steps
at once.

Inside of the loops time is the first axis.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from layers.engine.cell import Cell
from layers.engine.compiling import has_gpu, padding_to_bucket, shared_function
from layers.engine.gradient import refuse_second_derivatives
from layers.engine.loops import _at, _write, repeat
from layers.engine.sharding import ROWS_PER_SHARD, SHARDS_OF_UNKNOWN_BATCH

# Nested dicts and tuples of tensors, by the names of `FeedingTensors`.
Nest = dict[str, Any]
# The states of each layer.
States = tuple[tuple[tf.Tensor, ...], ...]


@dataclasses.dataclass(frozen=True)
class FeedingPlan:
    """How such a loop runs. Plans are hashable: equal plans share compiled functions.

    Attributes:
        cell: the equations of every layer.
        depth: number of layers.
        additive: whether scores are additive, or products.
        compiled: by XLA, or portable.
        by_hand: back-propagation as written here and in the cell, or automatic differentiation.
        sizes: of the tensors, by which functions that are shared differ; `run_feeding` says them.

    Example:
        >>> cell = GRU(4).cell
        >>> FeedingPlan(cell, 1, additive=True) == FeedingPlan(cell, 1, additive=True)
        True
    """

    cell: Cell
    depth: int
    additive: bool
    compiled: bool = False
    by_hand: bool = True
    sizes: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class FeedingTensors:
    """The tensors of a run; tuples have one tensor for each layer.

    Attributes:
        x: x<t>, `[batch, time, features]`.
        states: for each layer those before the first step, each `[batch, units]`.
        kernels: W_x of each layer; of the first one, the rows for x<t> and below them those for
            ã<t-1>, W_f, `[features + width, gates * units]`.
        biases: `[gates * units]` each.
        recurrent_kernels: U, `[units, gates * units]` each.
        recurrent_biases: `[units]` each, or empty, for cells without one.
        memory: the projected keys, `[batch, time of keys, columns]`.
        values: `[batch, time of keys, features]`.
        combine: W_c, the rows for the context above those for a<t>, `[features + units, width]`.
        combine_bias: b_c, `[width]`.
        query: W_q of additive scores, `[units, columns]`, or None.
        scale: v of additive scores, `[columns]`, or None.
        mask: bool `[batch, time of keys]`, True where a key is real.
        recurrent_dropout: factors on the state inside the recurrent products, `[batch, units]`
            each, or empty.
        dropout: factors on the outputs of each layer but the last, `[batch, units]` each, and on
            ã<t>, `[batch, width]`, which are the same at every step; or empty.

    Example:
        >>> FeedingTensors.__dataclass_fields__["dropout"].default
        ()
    """

    x: tf.Tensor
    states: tuple[tuple[tf.Tensor, ...], ...]
    kernels: tuple[tf.Tensor, ...]
    biases: tuple[tf.Tensor, ...]
    recurrent_kernels: tuple[tf.Tensor, ...]
    recurrent_biases: tuple[tf.Tensor, ...]
    memory: tf.Tensor
    values: tf.Tensor
    combine: tf.Tensor
    combine_bias: tf.Tensor
    query: tf.Tensor | None
    scale: tf.Tensor | None
    mask: tf.Tensor
    recurrent_dropout: tuple[tf.Tensor, ...] = ()
    dropout: tuple[tf.Tensor, ...] = ()


def run_feeding(plan: FeedingPlan, tensors: FeedingTensors) -> tf.Tensor:
    """Runs cells over sequences, the attention of each step fed into the next one.

    Args:
        plan: how to run.
        tensors: all of the type in which is computed.

    Returns:
        ã<t>, `[batch, time, width]`, its dropout included. Of the masks of x<t> it knows nothing:
        padding at the end has outputs too, and no step before it depends on them.

    Example:
        >>> keys = tf.ones([2, 5, 4])
        >>> tensors = FeedingTensors(
        ...     x=tf.ones([2, 3, 6]),
        ...     states=((tf.zeros([2, 4]),),),
        ...     kernels=(tf.ones([6 + 7, 4]),),
        ...     biases=(tf.zeros([4]),),
        ...     recurrent_kernels=(tf.eye(4),),
        ...     recurrent_biases=(),
        ...     memory=keys,
        ...     values=keys,
        ...     combine=tf.ones([4 + 4, 7]),
        ...     combine_bias=tf.zeros([7]),
        ...     query=None,
        ...     scale=None,
        ...     mask=tf.ones([2, 5], tf.bool),
        ... )
        >>> run_feeding(FeedingPlan(RNN(4).cell, 1, additive=False), tensors).shape
        TensorShape([2, 3, 7])
    """
    x = tensors.x
    time, compiled = tf.shape(x)[1], plan.compiled
    steps = None
    if compiled and x.shape[1] is None:
        x, steps = tf.pad(x, [[0, 0], [0, padding_to_bucket(time)], [0, 0]]), time
    features, width = x.shape[2], tensors.combine.shape[1]
    units, columns = tensors.recurrent_kernels[0].shape[0], tensors.memory.shape[2]
    plan = dataclasses.replace(plan, sizes=(units, columns, tensors.values.shape[2], width))
    above, feed = tf.split(tensors.kernels[0], [features, width])
    z_x = tf.tensordot(tf.transpose(x, [1, 0, 2]), above, 1) + tensors.biases[0]
    memory, values, mask = tensors.memory, tensors.values, tensors.mask
    if compiled and memory.shape[1] is None:
        more = padding_to_bucket(tf.shape(memory)[1])
        memory, values = (tf.pad(v, [[0, 0], [0, more], [0, 0]]) for v in (memory, values))
        mask = tf.pad(mask, [[0, 0], [0, more]])
    values = tf.where(mask[:, :, None], values, tf.zeros([], values.dtype))

    shared: Nest = {
        "feed": feed,
        "kernels": tensors.kernels[1:],
        "biases": tensors.biases[1:],
        "recurrent_kernels": tensors.recurrent_kernels,
        "recurrent_biases": tensors.recurrent_biases,
        "combine": tensors.combine,
        "combine_bias": tensors.combine_bias,
    }
    if plan.additive:
        shared |= {"query": tensors.query, "scale": tensors.scale}
    of_rows: Nest = {"states": tensors.states, "memory": memory, "values": values}
    constant: Nest = {
        "mask": mask,
        "recurrent_dropout": tensors.recurrent_dropout,
        "dropout": tensors.dropout,
    }
    outputs = []
    for z, rows, fixed in _shards(plan, z_x, of_rows, constant):
        if steps is not None:
            fixed = {**fixed, "steps": steps}
        outputs.append(_differentiable(plan, {"z_x": z, **rows, **shared}, fixed))
    whole = outputs[0] if len(outputs) == 1 else tf.concat(outputs, axis=1)
    whole = tf.transpose(whole, [1, 0, 2])
    return whole if steps is None else whole[:, :time]


def _shards(plan: FeedingPlan, z_x: tf.Tensor, of_rows: Nest, constant: Nest) -> list:
    """The batch cut into shards of almost equal size, one for each core, where XLA compiles."""
    count, batch = os.cpu_count() or 1, z_x.shape[1]
    if batch is None:
        count, batch = min(count, SHARDS_OF_UNKNOWN_BATCH), tf.shape(z_x)[1]
    else:
        count = min(count, batch // ROWS_PER_SHARD)
    if count <= 1 or has_gpu() or not plan.compiled:
        return [(z_x, of_rows, constant)]
    sizes = [batch * (i + 1) // count - batch * i // count for i in range(count)]

    def cut(nest: Nest) -> list[Nest]:
        parts = [tf.split(tensor, sizes) for tensor in tf.nest.flatten(nest)]
        return [tf.nest.pack_sequence_as(nest, [part[i] for part in parts]) for i in range(count)]

    return list(zip(tf.split(z_x, sizes, axis=1), cut(of_rows), cut(constant), strict=True))


def _differentiable(plan: FeedingPlan, tensors: Nest, constant: Nest) -> tf.Tensor:
    """ã<t>, `[time, batch, width]`, with the loop back as its gradient."""
    if not plan.by_hand:
        return steps_forward(plan, tensors, constant)[0]

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        # Detached, so that no tape records the loop as well.
        given = tf.nest.pack_sequence_as(tensors, [tf.stop_gradient(one) for one in arguments])
        outputs, kept = shared_function(steps_forward, plan)(given, constant)

        def gradient(d_outputs: tf.Tensor) -> list[tf.Tensor]:
            looped = shared_function(steps_back, plan)(d_outputs, given, constant, kept)
            found = _products(plan, given, kept, looped)
            return refuse_second_derivatives(
                tf.nest.flatten({name: found[name] for name in tensors}),
                arguments,
                "a loop that waits for attention",
            )

        return outputs, gradient

    return run(*tf.nest.flatten(tensors))


def steps_forward(plan: FeedingPlan, tensors: Nest, constant: Nest) -> tuple[tf.Tensor, Nest]:
    """Steps through time.

    Args:
        plan: how to run.
        tensors: Z as `"z_x"`, `[time, batch, gates * units]`, W_f as `"feed"`, and by the names of
            `FeedingTensors` the rest; `kernels` and `biases` are those of the second layer and
            above.
        constant: what has no gradient, by the same names; as `"steps"` how many steps are real, if
            not all.

    Returns:
        ã<t>, `[time, batch, width]`, and what the way back needs, each `[time, batch, ...]`.
    """
    cell, z_x, states = plan.cell, tensors["z_x"], tensors["states"]
    count = tf.shape(z_x)[0]
    weights = _arranged(plan, tensors)
    start = tf.zeros_like(z_x[0, :, :1]) * tensors["combine_bias"]

    def one_step(
        t: tf.Tensor, fed: tf.Tensor, states: States, arrays: list[tf.TensorArray]
    ) -> tuple[tf.Tensor, States, list[tf.TensorArray]]:
        z, read = _at(z_x, t) + fed @ tensors["feed"], fed
        after: list[tuple[tf.Tensor, ...]] = []
        reads: list[tf.Tensor] = []
        slopes: list[tf.Tensor] = []
        factors: list[tf.Tensor] = []
        for layer, before in enumerate(states):
            if layer:
                read = after[-1][0]
                if constant["dropout"]:
                    read *= constant["dropout"][layer - 1]
                z = read @ tensors["kernels"][layer - 1] + tensors["biases"][layer - 1]
            previous = before[0]
            if constant["recurrent_dropout"]:
                previous *= constant["recurrent_dropout"][layer]
            step = cell.step(z, before, previous, weights[layer])
            after.append(tuple(step.states))
            reads.append(read)
            slopes += step.slopes
            factors += step.factors
        a = after[-1][0]
        asked = a @ tensors["query"] if plan.additive else a
        alpha = _softmax(_scores(plan, tensors, asked), constant["mask"])
        context = tf.reduce_sum(alpha[:, :, None] * tensors["values"], axis=1)
        both = tf.concat([context, a], axis=1)
        squashed = tf.tanh(both @ tensors["combine"] + tensors["combine_bias"])
        fed = squashed * constant["dropout"][-1] if constant["dropout"] else squashed
        kept = [tuple(slopes)]
        kept += [(one,) for one in (*reads, *factors, both, alpha, squashed, fed)]
        kept += [(asked,)] if plan.additive else []
        arrays = [_write(a, t, k) for a, k in zip(arrays, kept, strict=True)]
        return fed, tuple(after), arrays

    rows, units, memory = states[0][0], states[0][0].shape[1], tensors["memory"]
    width, many = tensors["combine_bias"].shape[0], len(cell.factors) * plan.depth
    widths = [width, *[units] * (plan.depth - 1 + many)]
    widths += [tensors["combine"].shape[0], _size(memory, 1), width, width]
    widths += [memory.shape[2]] if plan.additive else []
    every = len(cell.slopes) * plan.depth
    arrays = [_room(count * every, rows, units), *[_room(count, rows, n) for n in widths]]
    _, _, arrays = repeat(
        constant.get("steps", count),
        one_step,
        (start, tuple(tuple(some) for some in states), arrays),
        at_most=None if plan.by_hand else count,
    )
    slopes, *stacked = [array.stack() for array in arrays]
    kept: Nest = {"slopes": slopes[: count * every]}
    stacked = [one[:count] for one in stacked]
    kept["reads"], stacked = tuple(stacked[: plan.depth]), stacked[plan.depth :]
    kept["factors"], stacked = tuple(stacked[:many]), stacked[many:]
    kept |= dict(zip(("both", "alpha", "squashed", "fed", "asked"), stacked, strict=False))
    return kept["fed"], kept


def steps_back(
    plan: FeedingPlan, d_fed: tf.Tensor, tensors: Nest, constant: Nest, kept: Nest
) -> Nest:
    """Steps back through time: `steps_forward` in the opposite order.

    Args:
        d_fed: derivatives by its outputs, `[time, batch, width]`.
        plan, tensors, constant: as `steps_forward` had them.
        kept: as it returned it.

    Returns:
        Derivatives at every step, `[time, batch, ...]`: dz of each layer in blocks, by W_c [...] +
        b_c, by the scores, by the contexts, and for additive by W_q a<t>; those by the first
        states; and for additive those by memory and v.
    """
    cell, states = plan.cell, tensors["states"]
    count = tf.shape(d_fed)[0]
    transposed = [
        {name: tf.transpose(w) for name, w in some.items() if w.shape.rank == 2}
        for some in _arranged(plan, tensors)
    ]
    blocks = [width * states[0][0].shape[1] for width in cell.block_widths]
    widths = [blocks[i] for i in cell.input_blocks]
    below = [
        tf.split(tf.transpose(w), widths, axis=0) for w in (tensors["feed"], *tensors["kernels"])
    ]
    combine = tf.transpose(tensors["combine"])
    features = tensors["values"].shape[2]
    memory, values = tensors["memory"], tensors["values"]
    query = tf.transpose(tensors["query"]) if plan.additive else None
    every = len(cell.slopes) * plan.depth

    def one_step(
        i: tf.Tensor,
        d_next: tf.Tensor,
        d_states: States,
        sums: tuple[tf.Tensor, ...],
        arrays: list[tf.TensorArray],
    ) -> tuple[tf.Tensor, States, tuple[tf.Tensor, ...], list[tf.TensorArray]]:
        t = constant.get("steps", count) - 1 - i
        squashed = _at(kept["squashed"], t)
        d = _at(d_fed, t) + d_next
        if constant["dropout"]:
            d *= constant["dropout"][-1]
        d_pre = d * (1 - squashed * squashed)
        d_context, d_a = tf.split(d_pre @ combine, [features, combine.shape[1] - features], axis=1)
        alpha = _at(kept["alpha"], t)
        d_alpha = tf.reduce_sum(values * d_context[:, None], axis=2)
        d_e = alpha * (d_alpha - tf.reduce_sum(alpha * d_alpha, axis=1, keepdims=True))
        written = [d_pre, d_e, d_context]
        if plan.additive:
            hidden = tf.tanh(memory + _at(kept["asked"], t)[:, None])
            d_hidden = d_e[:, :, None] * tensors["scale"] * (1 - hidden * hidden)
            d_asked = tf.reduce_sum(d_hidden, axis=1)
            d_a += d_asked @ query
            sums = (sums[0] + d_hidden, sums[1] + d_e[:, :, None] * hidden)
            written += [d_asked]
        else:
            d_a += tf.reduce_sum(d_e[:, :, None] * memory, axis=1)
        d_before: list[tuple[tf.Tensor, ...]] = []
        d_z_layers: list[tuple[tf.Tensor, ...]] = []
        for layer in reversed(range(plan.depth)):
            d_new = (d_states[layer][0] + d_a, *d_states[layer][1:])
            first = t * every + layer * len(cell.slopes)
            slopes = tuple(_at(kept["slopes"], first + k) for k in range(len(cell.slopes)))
            d_z, d_previous, d_direct = cell.step_back(d_new, slopes, transposed[layer])
            if constant["recurrent_dropout"]:
                d_previous *= constant["recurrent_dropout"][layer]
            d_before.insert(0, (d_direct[0] + d_previous, *d_direct[1:]))
            d_z_layers.insert(0, d_z)
            of_inputs = [d_z[k] for k in cell.input_blocks]
            d_a = tf.add_n([d @ w for d, w in zip(of_inputs, below[layer], strict=True)])
            if layer and constant["dropout"]:
                d_a *= constant["dropout"][layer - 1]
        written += [d for d_z in d_z_layers for d in d_z]
        arrays = [_write(array, t, (value,)) for array, value in zip(arrays, written, strict=True)]
        return d_a, tuple(d_before), sums, arrays

    columns = [combine.shape[0], _size(memory, 1), features]
    columns += [memory.shape[2]] if plan.additive else []
    columns += blocks * plan.depth
    sums = (tf.zeros_like(memory), tf.zeros_like(memory)) if plan.additive else ()
    _, d_states, sums, arrays = repeat(
        constant.get("steps", count),
        one_step,
        (
            tf.zeros_like(d_fed[0]),
            tuple(tuple(tf.zeros_like(state) for state in some) for some in states),
            sums,
            [_room(count, states[0][0], n) for n in columns],
        ),
    )
    stacked = [array.stack()[:count] for array in arrays]
    found: Nest = {"d_pre": stacked[0], "d_e": stacked[1], "d_context": stacked[2]}
    if plan.additive:
        found |= {"d_asked": stacked[3], "memory": sums[0]}
        found["scale"] = tf.reduce_sum(sums[1], axis=[0, 1])
    d_z = stacked[4 if plan.additive else 3 :]
    many = len(blocks)
    found["d_z"] = tuple(tuple(d_z[k * many : (k + 1) * many]) for k in range(plan.depth))
    found["states"] = d_states
    return found


def _products(plan: FeedingPlan, tensors: Nest, kept: Nest, looped: Nest) -> Nest:
    """The derivatives by all tensors, one product over all steps for each."""
    cell = plan.cell

    def over_steps(pairs: Sequence[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
        return tf.concat(
            [tf.matmul(_rows(a), _rows(b), transpose_a=True) for a, b in pairs], axis=1
        )

    def summed(values: Sequence[tf.Tensor]) -> tf.Tensor:
        ones = tf.ones_like(_rows(values[0])[:, :1])
        return tf.concat([tf.matmul(ones, _rows(v), transpose_a=True)[0] for v in values], axis=0)

    found: Nest = {"states": looped["states"]}
    of_inputs = [[d_z[i] for i in cell.input_blocks] for d_z in looped["d_z"]]
    found["z_x"] = tf.concat(of_inputs[0], axis=2)
    found["feed"], *kernels = [
        over_steps([(read, d) for d in some])
        for read, some in zip(kept["reads"], of_inputs, strict=True)
    ]
    found["kernels"], found["biases"] = tuple(kernels), tuple(map(summed, of_inputs[1:]))
    each = len(cell.factors)
    found["recurrent_kernels"] = tuple(
        over_steps([(kept["factors"][n * each + f], d_z[i]) for f, i in cell.recurrent_products])
        for n, d_z in enumerate(looped["d_z"])
    )
    found["recurrent_biases"] = (
        tuple(summed([d_z[i] for i in cell.recurrent_bias_blocks]) for d_z in looped["d_z"])
        if tensors["recurrent_biases"]
        else ()
    )
    found["combine"] = over_steps([(kept["both"], looped["d_pre"])])
    found["combine_bias"] = summed([looped["d_pre"]])
    found["values"] = _over_time(kept["alpha"], looped["d_context"])
    a = kept["both"][:, :, tensors["values"].shape[2] :]
    if plan.additive:
        found["query"] = over_steps([(a, looped["d_asked"])])
        found |= {"memory": looped["memory"], "scale": looped["scale"]}
    else:
        found["memory"] = _over_time(looped["d_e"], a)
    return found


def _arranged(plan: FeedingPlan, tensors: Nest) -> list[dict[str, tf.Tensor]]:
    """The recurrent weights of each layer, as its steps use them."""
    biases = tensors["recurrent_biases"] or (None,) * plan.depth
    pairs = zip(tensors["recurrent_kernels"], biases, strict=True)
    return [plan.cell.arrange(kernel, bias) for kernel, bias in pairs]


def _scores(plan: FeedingPlan, tensors: Nest, asked: tf.Tensor) -> tf.Tensor:
    """e<t,t'> of one step, `[batch, time of keys]`."""
    if not plan.additive:
        return tf.reduce_sum(tensors["memory"] * asked[:, None], axis=2)
    hidden = tf.tanh(tensors["memory"] + asked[:, None])
    return tf.reduce_sum(hidden * tensors["scale"], axis=2)


def _softmax(e: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """`layers.attention.weights_of` one step, in the type of the loop."""
    e = tf.where(mask, e, e.dtype.min)
    peak = tf.stop_gradient(tf.reduce_max(e, axis=1, keepdims=True))
    share = tf.where(mask, tf.exp(e - peak), tf.zeros([], e.dtype))
    return tf.math.divide_no_nan(share, tf.reduce_sum(share, axis=1, keepdims=True))


def _room(count: tf.Tensor, rows: tf.Tensor, width: int | tf.Tensor | None) -> tf.TensorArray:
    """Room for `count` tensors `[batch, width]`, with the rows and the type of another tensor."""
    known = width if isinstance(width, int) else tf.get_static_value(width)
    shape = (rows.shape[0], known)
    if None not in shape:
        return tf.TensorArray(rows.dtype, size=count, element_shape=shape)
    # XLA, and an array into which no step writes, need a shape: one tensor says it.
    array = tf.TensorArray(rows.dtype, size=tf.maximum(count, 1), element_shape=shape)
    return array.write(0, tf.zeros([tf.shape(rows)[0], width], rows.dtype))


def _size(tensor: tf.Tensor, axis: int) -> int | tf.Tensor:
    return tensor.shape[axis] or tf.shape(tensor)[axis]


def _rows(steps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(steps, [-1, steps.shape[-1]])


def _over_time(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Σ_t a<t> b<t>ᵀ of each row: `[time, batch, n]` and `[time, batch, m]` to `[batch, n, m]`."""
    return tf.matmul(tf.transpose(a, [1, 2, 0]), tf.transpose(b, [1, 0, 2]))
