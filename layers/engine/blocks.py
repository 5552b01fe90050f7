"""The forward pass out of training, without XLA: rows in blocks side by side, without padding.

A graph does not know the server that it will run on, nor the batch. So it cuts a batch into blocks
that do not wait for each other, and TensorFlow gives each of them to a core that is free.

Rows with padding are packed first. They go by length into the blocks, the longest first in each, so
that at every step those that are still running are the first ones. A block's inputs lie one step
behind the other, without padding, so that what is projected, and stepped through, is real:

    lengths 3, 2, 1:    x₁<1> x₂<1> x₃<1> | x₁<2> x₂<2> | x₁<3>

Each output, and each row's last state, is then looked up where it was written.

Source: the packed sequences of PyTorch, there without blocks.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from layers.engine.loops import STEPS_PER_TURN
from layers.engine.passes import forward, project
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors

# From twice these rows on there are two blocks, and from then on one for each `ROWS_OF_MANY`.
ROWS_OF_TWO = 4
ROWS_OF_MANY = 32
# So many blocks run at once, on a server that has the cores.
AT_ONCE = 16


def forward_in_blocks(plan: Plan, tensors: Tensors) -> Result:
    """`passes.forward` where nothing is kept for a backward pass.

    Returns:
        Outputs `[batch, time, units]` or None, and the last states, each `[batch, units]`.
    """
    body = _whole if tensors.mask is None else _packed
    outputs, *states = _shared(body, plan, tensors.x.shape[2])(**tensors.by_name())
    states = [
        tf.ensure_shape(state, first.shape)
        for state, first in zip(states, tensors.states, strict=True)
    ]
    if outputs is not None:
        outputs = tf.ensure_shape(outputs, [*tensors.x.shape[:2], plan.units])
    return outputs, tuple(states)


@functools.lru_cache(maxsize=512)
def _shared(body: Callable, plan: Plan, features: int) -> Callable:
    """`body(plan, ...)` as a `tf.function`, shared by layers that are alike."""
    del features  # TensorFlow relaxes shapes that differ; these have to be known
    return tf.function(functools.partial(body, plan), autograph=False, reduce_retracing=True)


def blocks_of(batch: tf.Tensor) -> tf.Tensor:
    """How many blocks a batch has.

    Example:
        >>> [int(blocks_of(tf.constant(batch))) for batch in (0, 7, 8, 64, 256)]
        [1, 1, 2, 2, 8]
    """
    return tf.clip_by_value(batch // ROWS_OF_TWO, 1, tf.maximum(2, batch // ROWS_OF_MANY))


def _side_by_side(
    blocks: tf.Tensor, one_block: Callable, shapes: Sequence[list], dtype: tf.DType
) -> list[tf.Tensor]:
    """What `one_block` gives for each number of a block, one behind the other.

    Args:
        blocks: how many.
        one_block: from a number to tensors of `shapes`, whose first axes may differ.
        shapes: of each tensor.
        dtype: of all.
    """

    def write(i: tf.Tensor, arrays: list[tf.TensorArray]) -> tuple:
        values = one_block(i)
        return i + 1, [a.write(i, value) for a, value in zip(arrays, values, strict=True)]

    arrays = [tf.TensorArray(dtype, blocks, infer_shape=False, element_shape=s) for s in shapes]
    _, arrays = tf.while_loop(
        lambda i, _: i < blocks, write, (tf.constant(0), arrays), parallel_iterations=AT_ONCE
    )
    return [array.concat() for array in arrays]


def _whole(plan: Plan, **fields: tf.Tensor) -> list[tf.Tensor | None]:
    """Rows without padding."""
    tensors, units = Tensors(**fields), plan.units
    batch = tf.shape(tensors.x)[0]
    blocks = blocks_of(batch)

    def one_block(i: tf.Tensor) -> list[tf.Tensor]:
        rows = slice(batch * i // blocks, batch * (i + 1) // blocks)
        states = tuple(state[rows] for state in tensors.states)
        outputs, states, _ = forward(plan, tensors.replace(x=tensors.x[rows], states=states))
        return [*([] if outputs is None else [outputs]), *states]

    shapes = [[None, None, units]] * plan.sequences + [[None, units] for _ in tensors.states]
    found = _side_by_side(blocks, one_block, shapes, tensors.x.dtype)
    return found if plan.sequences else [None, *found]


@dataclasses.dataclass(frozen=True)
class _Packing:
    """Where everything lies. A row is in a block, at a place in it.

    Attributes:
        lengths: real steps of each row, `[batch]`.
        rows: the rows of each block in their order, `[blocks, places]`; any behind the last one.
        block, place: of each row, `[batch]`.
        steps: the number of each step among the real ones of its row, in the direction of the run,
            `[batch, time]`; at padding that of the real step before, or -1.
        source: of each real step, packed, its number in `[batch * time]`.
        counts: rows of each block that are running at each step, `[blocks, time + 1]`.
        written: rows that each step writes, `[blocks, time + 1]`. It may be more than those
            running: a turn of several steps goes on with the rows that it began with.
    """

    lengths: tf.Tensor
    rows: tf.Tensor
    block: tf.Tensor
    place: tf.Tensor
    steps: tf.Tensor
    source: tf.Tensor
    counts: tf.Tensor
    written: tf.Tensor


def _packed(plan: Plan, **fields: tf.Tensor) -> list[tf.Tensor | None]:
    """Rows with padding anywhere."""
    tensors = Tensors(**fields)
    weights = plan.cell.arrange(tensors.recurrent_kernel, tensors.recurrent_bias)
    packing, gates = _pack(tensors.mask, plan.reverse), tensors.recurrent_kernel.shape[1]
    x = tf.reshape(tensors.x, [-1, tensors.x.shape[2]])
    ends = tf.cumsum(tf.reduce_sum(packing.counts, axis=1))

    def one_block(i: tf.Tensor) -> list[tf.Tensor]:
        counts, steps = packing.counts[i], tf.math.count_nonzero(packing.counts[i], dtype=tf.int32)
        begins = tf.stack([tf.cumsum(counts, exclusive=True), tf.zeros_like(counts)], axis=1)
        z_sizes, state_sizes = (
            tf.stack([counts, tf.fill(tf.shape(counts), columns)], axis=1)
            for columns in (gates, plan.units)
        )
        if tf.executing_eagerly() and not steps:  # an eager array of nothing has no `concat`
            return [tf.zeros([0, plan.units], x.dtype) for _ in tensors.states]
        source = packing.source[ends[i] - tf.reduce_sum(counts) : ends[i]]
        # The rows that a turn goes on with read what is none of theirs, or what is behind the end.
        z_x = tf.pad(project(tf.gather(x, source), tensors), [[0, counts[0]], [0, 0]])
        states = [tf.gather(state, packing.rows[i, : counts[0]]) for state in tensors.states]

        shape = [None, plan.units]

        def turn(length: int, t: tf.Tensor, states: list, histories: list) -> tuple:
            size, z_size = tf.gather(state_sizes, t), tf.gather(z_sizes, t)
            states = [tf.ensure_shape(tf.slice(s, [0, 0], size), shape) for s in states]
            for k in range(length):
                z = tf.slice(z_x, tf.gather(begins, t + k if k else t), z_size)
                z = tf.ensure_shape(z, [None, gates])
                states = list(plan.cell.step(z, tuple(states), states[0], weights).states)
                histories = [h.write(t + k, s) for h, s in zip(histories, states, strict=True)]
            return t + length, states, histories

        histories = [
            tf.TensorArray(x.dtype, steps, infer_shape=False, element_shape=shape) for _ in states
        ]
        taken = (tf.constant(0), states, histories)
        invariants = tf.nest.map_structure(lambda _: tf.TensorShape(None), taken)
        for length in (STEPS_PER_TURN, 1):
            taken = tf.while_loop(
                lambda t, *_, length=length: t + length <= steps,
                functools.partial(turn, length),
                taken,
                shape_invariants=invariants,
                parallel_iterations=1,
            )
        return [history.concat() for history in taken[2]]

    shapes = [[None, plan.units] for _ in tensors.states]
    histories = _side_by_side(tf.shape(packing.counts)[0], one_block, shapes, x.dtype)
    return _unpacked(plan, tensors, packing, histories)


def _pack(mask: tf.Tensor, reverse: bool) -> _Packing:
    batch, time = tf.unstack(tf.shape(mask))
    real = tf.cast(mask, tf.int32)
    lengths = tf.reduce_sum(real, axis=1)
    by_length = tf.argsort(lengths, direction="DESCENDING", stable=True)
    rank = tf.math.invert_permutation(by_length)
    blocks = blocks_of(batch)
    places = -(-batch // blocks)

    # The rows of each rank, by block and place; those that fill the last places have no step.
    def by_block(ranked: tf.Tensor) -> tf.Tensor:
        filled = tf.pad(ranked, [[0, blocks * places - batch]])
        return tf.transpose(tf.reshape(filled, [places, blocks]))

    rows, numbers = by_block(by_length), tf.range(time + 1)
    runs = by_block(tf.gather(lengths, by_length))[:, None, :] > numbers[None, :, None]
    counts = tf.reduce_sum(tf.cast(runs, tf.int32), axis=2)

    # Of each packed step its block, its number in its row, and its place; then which step it was.
    block, step, place = tf.unstack(tf.cast(tf.where(runs), tf.int32), axis=1)
    row = tf.gather_nd(rows, tf.stack([block, place], axis=1))
    if reverse:
        step = tf.gather(lengths, row) - 1 - step
    in_rows = tf.cast(tf.where(tf.reshape(mask, [-1]))[:, 0], tf.int32)
    source = tf.gather(in_rows, tf.gather(tf.cumsum(lengths, exclusive=True), row) + step)

    begun = numbers - numbers % STEPS_PER_TURN
    last = tf.math.count_nonzero(counts, axis=1, keepdims=True, dtype=tf.int32)
    whole = (begun + STEPS_PER_TURN <= last) & (counts > 0)
    written = tf.where(whole, tf.gather(counts, begun, axis=1), counts)
    steps = tf.cumsum(real, axis=1, reverse=reverse) - 1
    return _Packing(lengths, rows, rank % blocks, rank // blocks, steps, source, counts, written)


def _unpacked(
    plan: Plan, tensors: Tensors, packing: _Packing, histories: list[tf.Tensor]
) -> list[tf.Tensor | None]:
    """Outputs, and the last states, out of all states that were written."""
    ends = tf.reshape(tf.cumsum(tf.reshape(packing.written, [-1])), tf.shape(packing.written))
    begins = ends - packing.written
    # A row of zeros behind the last one, for those who have none.
    histories = [tf.pad(history, [[0, 1], [0, 0]]) for history in histories]
    none = tf.shape(histories[0])[0] - 1

    last, ran = tf.maximum(packing.lengths - 1, 0), packing.lengths > 0
    at = tf.gather_nd(begins, tf.stack([packing.block, last], axis=1)) + packing.place
    states = [
        tf.where(ran[:, None], tf.gather(history, tf.where(ran, at, none)), first)
        for history, first in zip(histories, tensors.states, strict=True)
    ]
    if not plan.sequences:
        return [None, *states]
    shown = packing.steps >= 0 if plan.repeats else tensors.mask
    steps = tf.maximum(packing.steps, 0)
    at = tf.gather(tf.gather(begins, packing.block), steps, batch_dims=1) + packing.place[:, None]
    return [tf.gather(histories[0], tf.where(shown, at, none)), *states]
