"""The loop over time, and back-propagation through it: one place, used by every cell.

How the work is divided, for T steps:

    before the loop   Z = X W_x + b                   one matrix product for all steps
    the loop          z<t> = Z<t> + a<t-1> U          only what depends on the step before
                      gates, states, and the slopes that the way back will need
    the loop back     dz<t> from da<t>, then da<t-1> = dz<t> Uᵀ
    after the loop    dU = Σ_t a<t-1>ᵀ dz<t>,  dW_x = Σ_t x<t>ᵀ dz<t>,  dX = dZ W_xᵀ
                      one matrix product each for all steps

A cell (rnn.py, gru.py, lstm.py) writes down its equations and, beside them, its derivatives; the
loops here know nothing of gates.

Two ways to run the same loops:

    compiled   by XLA, the batch cut into shards that run side by side, because XLA keeps the
               products of one call on one core. Compiles once for each shape.
    portable   an ordinary TensorFlow graph, without XLA: runs wherever TensorFlow runs,
               TensorFlow Serving included.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

# Less than this in a shard, and its products are too small to be worth a core: rows of the batch,
# and multiplications in one step.
_ROWS_PER_SHARD = 8
_WORK_PER_SHARD = 2**17
# With an unknown batch size the number of shards cannot follow it.
_SHARDS_OF_UNKNOWN_BATCH = 4
# Up to so many recurrent weights, two directions side by side keep the cores busy by themselves.
_WEIGHTS_OF_SMALL_PASS = 2**17
# In a portable graph a turn of the loop costs more than a small step: several steps share one.
_STEPS_PER_TURN = 4
# Up to this batch, a portable graph leaves the sequence to one kernel of TensorFlow where a cell
# has one; beyond, products over all steps and the whole batch are faster.
_ROWS_OF_ONE_KERNEL = 4
# Sequences of unknown length are padded to a multiple of this before XLA sees them, so that XLA
# compiles for few lengths; the padding is never stepped through.
_TIME_BUCKET = 16


@dataclasses.dataclass(frozen=True)
class Step:
    """What one step of a cell gives.

    Attributes:
        states: the new states, each `[batch, units]`; the first one is the layer's output.
        slopes: the local derivatives that `Cell.step_back` needs.
        factors: the left factors of the recurrent products (a<t-1>, or Γr * c<t-1>).
        quantities: everything that the equations name, to look at.
    """

    states: tuple[tf.Tensor, ...]
    slopes: tuple[tf.Tensor, ...]
    factors: tuple[tf.Tensor, ...]
    quantities: tuple[tf.Tensor, ...]


class Cell:
    """The equations of one step and their derivatives. Cells hold no weights and are hashable.

    Attributes:
        states: names of the states.
        gates: names of the column blocks of the kernels, in order.
        quantities: names of what the equations compute, as people look at it.
        slopes: names of the local derivatives.
        factors: names of the left factors of the recurrent products.
        blocks: widths, in units, of the blocks in which `step_back` returns dz; by default one
            block for all gates. A block is what takes part in one matrix product.
        input_products: which blocks, side by side, are the derivative of the input projection.
        recurrent_products: (factor, block) pairs whose products, side by side, are dU.
        recurrent_bias_block: the block whose sum is the derivative of the bias inside the
            recurrent product, for the cell that has one.
    """

    states: tuple[str, ...]
    gates: tuple[str, ...]
    quantities: tuple[str, ...]
    slopes: tuple[str, ...]
    factors: tuple[str, ...] = ("previous",)
    blocks: tuple[int, ...] = ()
    input_products: tuple[int, ...] = ()
    recurrent_products: tuple[tuple[int, int], ...] = ((0, 0),)
    recurrent_bias_block: int | None = None

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        previous: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        """One step forward.

        Args:
            z_x: W_x x<t> + b for all gates, `[batch, gates * units]`.
            states: the states before the step.
            previous: the first state after recurrent dropout: what the recurrent products see.
            weights: as `arrange` returns them.
        """
        raise NotImplementedError

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple]:
        """One step back.

        Args:
            d_states: derivatives of the loss by the states after the step.
            slopes: what `step` returned as slopes.
            transposed: the matrices that `arrange` returns, transposed.

        Returns:
            dz in blocks, the derivative by `previous`, and the derivatives by the states on the
            paths that do not lead through `previous` (0 where there is none).
        """
        raise NotImplementedError

    def arrange(
        self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """The recurrent weights as the steps use them, cut once and not at every step."""
        weights = {"U": recurrent_kernel}
        if recurrent_bias is not None:
            weights["b"] = recurrent_bias
        return weights

    def one_kernel(self, dtype: tf.DType) -> Callable | None:
        """A kernel of TensorFlow that computes a whole sequence without gradient, or None.

        Called with x `[time, batch, features]`, states, kernel, recurrent kernel and bias, it
        returns outputs `[time, batch, units]` and the last states.
        """
        return None

    @property
    def block_widths(self) -> tuple[int, ...]:
        return self.blocks or (len(self.gates),)

    @property
    def input_blocks(self) -> tuple[int, ...]:
        return self.input_products or tuple(range(len(self.block_widths)))


@dataclasses.dataclass(frozen=True)
class Pass:
    """One way of running a cell over a sequence: everything that is known before the data.

    Attributes:
        cell: the equations.
        units: number of units.
        reverse: from the last step to the first.
        sequences: whether the outputs of all steps are wanted, or only the last states.
        compiled: by XLA or portable.
        by_hand: back-propagation as written in the cell, or automatic differentiation of `step`.
        keep: what to keep of each step: `"slopes"`, for the way back; `"quantities"`, to look at
            them; or `"nothing"`: a gradient that is asked for all the same then runs the forward
            pass once more.
    """

    cell: Cell
    units: int
    reverse: bool = False
    sequences: bool = True
    compiled: bool = False
    by_hand: bool = True
    keep: str = "slopes"


def run(
    way: Pass,
    x: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    recurrent_bias: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    at_once: int = 1,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...]]:
    """Runs a cell over sequences.

    Args:
        way: cell, direction, and how to run.
        x: inputs `[batch, time, features]`.
        states: states before the first step, each `[batch, units]`.
        kernel: W_x of all gates, `[features, gates * units]`.
        recurrent_kernel: U of all gates, `[units, gates * units]`.
        bias: `[gates * units]` or None.
        recurrent_bias: the bias inside the recurrent product, for the cell that has one.
        dropout: factor `[batch, units]` on the state inside the recurrent products, or None.
        mask: bool `[batch, time]`, True where a step is real, or None. A padded step leaves the
            states as they are, outputs zeros and adds nothing to any gradient.
        at_once: how many such passes run side by side, two for two directions.

    Returns:
        Outputs `[batch, time, units]` in the order of time (None unless `way.sequences`), and the
        states after the last step.
    """
    tensors = _Tensors(
        x, tuple(states), kernel, recurrent_kernel, bias, recurrent_bias, dropout, mask
    )
    if not way.by_hand:
        outputs, last_states, _ = _forward(way, tensors, functools.partial(_loop, way))
        return outputs, last_states
    if not way.compiled:
        return _differentiable(way, tensors)

    known = bool(x.shape[1])
    if not known:
        time = tf.shape(x)[1]
        bucket = tf.maximum(-(-time // _TIME_BUCKET), 1) * _TIME_BUCKET
        tensors = tensors.pad_time(bucket - time)
    shards = [_differentiable(way, shard) for shard in tensors.shards(at_once)]
    outputs, last_states = shards[0] if len(shards) == 1 else _join(shards)
    if way.sequences and not known:
        outputs = outputs[:, :time]
    return outputs, last_states


def quantities(way: Pass, *args, mask=None, **tensors) -> dict[str, tf.Tensor]:
    """What the equations compute at every step, `[batch, time, units]` each, by name.

    Takes the arguments of `run`. Padded steps are zeros.
    """
    way = dataclasses.replace(way, keep="quantities", sequences=False, compiled=False)
    tensors = _Tensors(*args, mask=mask, dropout=None, **tensors)
    (kept,) = _forward(way, tensors, _function("loop", way))[2][-1]
    names = way.cell.quantities
    by_name = {name: tf.transpose(kept[k :: len(names)], [1, 0, 2]) for k, name in enumerate(names)}
    if mask is not None:
        real = mask[:, :, None]
        by_name = {name: tf.where(real, v, tf.zeros_like(v)) for name, v in by_name.items()}
    return by_name


@dataclasses.dataclass(frozen=True)
class _Tensors:
    """The arguments of `run`, and how many steps are real when time is padded without a mask."""

    x: tf.Tensor
    states: tuple[tf.Tensor, ...]
    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None
    recurrent_bias: tf.Tensor | None
    dropout: tf.Tensor | None
    mask: tf.Tensor | None
    steps: tf.Tensor | None = None

    # What has a gradient, in the order of the custom gradient's arguments; the states follow.
    DIFFERENTIABLE = ("x", "kernel", "recurrent_kernel", "bias", "recurrent_bias")

    def replace(self, **changes) -> _Tensors:
        return dataclasses.replace(self, **changes)

    def pad_time(self, padding: tf.Tensor) -> _Tensors:
        mask = self.mask
        if mask is not None:
            mask = tf.pad(mask, [[0, 0], [0, padding]])
        return self.replace(
            x=tf.pad(self.x, [[0, 0], [0, padding], [0, 0]]), mask=mask, steps=tf.shape(self.x)[1]
        )

    def shards(self, at_once: int = 1) -> list[_Tensors]:
        """Cuts the batch into shards of almost equal size, one for each core; small passes that
        run side by side share the cores."""
        if tf.config.list_physical_devices("GPU"):
            return [self]
        units, columns = self.recurrent_kernel.shape
        batch, cores = self.x.shape[0], os.cpu_count() or 1
        if units * columns <= _WEIGHTS_OF_SMALL_PASS:
            cores = max(1, cores // at_once)
        if batch is None:
            count, batch = min(cores, _SHARDS_OF_UNKNOWN_BATCH), tf.shape(self.x)[0]
        else:
            work = batch * units * columns
            count = min(cores, batch // _ROWS_PER_SHARD, work // _WORK_PER_SHARD)
        if count <= 1:
            return [self]
        sizes = [batch * (i + 1) // count - batch * i // count for i in range(count)]

        def cut(tensor):
            # tf.split, since the gradient of slices would fill a whole batch for each slice.
            return [None] * count if tensor is None else tf.split(tensor, sizes)

        states = zip(*map(cut, self.states), strict=True)
        parts = zip(cut(self.x), states, cut(self.dropout), cut(self.mask), strict=True)
        return [self.replace(x=x, states=s, dropout=d, mask=m) for x, s, d, m in parts]


def _join(shards: list[tuple]) -> tuple:
    outputs, states = zip(*shards, strict=True)
    return (
        None if outputs[0] is None else tf.concat(outputs, axis=0),
        tuple(tf.concat(parts, axis=0) for parts in zip(*states, strict=True)),
    )


# --- The gradient --------------------------------------------------------------------------------


def _differentiable(way: Pass, tensors: _Tensors) -> tuple:
    """The forward pass, with back-propagation through time as its gradient."""
    names = [name for name in tensors.DIFFERENTIABLE if getattr(tensors, name) is not None]

    @tf.custom_gradient
    def differentiable(*arguments):
        # Detached, so that no tape records the loop as well.
        detached = [tf.stop_gradient(argument) for argument in arguments]
        inputs = tensors.replace(
            states=tuple(detached[len(names) :]), **dict(zip(names, detached, strict=False))
        )
        if way.keep == "nothing":
            outputs, states, kept = _infer(way, inputs)
        else:
            outputs, states, kept = _forward(way, inputs, _function("loop", way))

        results = ((outputs,) if way.sequences else ()) + tuple(states)

        def gradient(*d_results):
            # The gradient of a gather, for one, does not know its shape.
            d_results = tuple(
                tf.ensure_shape(d, result.shape)
                for d, result in zip(d_results, results, strict=True)
            )
            residuals = kept
            if way.keep != "slopes":
                again = dataclasses.replace(way, keep="slopes")
                residuals = _forward(again, inputs, _function("loop", again))[2]
            d_outputs, d_states = (
                (d_results[0], d_results[1:]) if way.sequences else (None, d_results)
            )
            derivatives = _backward(way, inputs, residuals, d_outputs, d_states)
            return _refuse_second_derivative(
                [derivatives[name] for name in names] + derivatives["states"], arguments
            )

        return results, gradient

    results = differentiable(*(getattr(tensors, name) for name in names), *tensors.states)
    return (results[0], tuple(results[1:])) if way.sequences else (None, tuple(results))


def _refuse_second_derivative(gradients: list[tf.Tensor], arguments: Sequence[tf.Tensor]) -> list:
    """The gradients unchanged; differentiating them once more is an error, not a wrong number."""

    @tf.custom_gradient
    def once(*tensors):
        def refuse(*_):
            raise NotImplementedError(
                "Second derivatives of a recurrent layer are not available with back-propagation "
                "through time by hand. Build the layer with gradient='automatic' for them."
            )

        return [tf.identity(tensor) for tensor in tensors[: len(gradients)]], refuse

    return list(once(*gradients, *arguments))


def _forward(way: Pass, tensors: _Tensors, loop: Callable) -> tuple:
    """Projects the inputs of all steps, then runs the loop.

    Returns:
        Outputs `[batch, time, units]` or None, the last states, and what the way back needs.
    """
    x, mask = tf.transpose(tensors.x, [1, 0, 2]), None
    if tensors.mask is not None:
        mask = tf.transpose(tensors.mask)[:, :, None]
        x = tf.where(mask, x, tf.zeros([], x.dtype))  # whatever the padding holds, it is no input
    rows = tf.reshape(x, [-1, x.shape[2]])
    z_x = rows @ tensors.kernel
    if tensors.bias is not None:
        z_x = tf.nn.bias_add(z_x, tensors.bias)
    z_x = tf.reshape(z_x, tf.concat([tf.shape(x)[:2], [z_x.shape[1]]], axis=0))
    z_x = tf.ensure_shape(z_x, [x.shape[0], x.shape[1], z_x.shape[2]])

    weights = way.cell.arrange(tensors.recurrent_kernel, tensors.recurrent_bias)
    outputs, states, kept = loop(z_x, tensors.states, weights, tensors.dropout, mask, tensors.steps)
    if way.sequences:
        outputs = tf.transpose(outputs, [1, 0, 2])
    return outputs, states, (rows, mask, weights, kept)


def _infer(way: Pass, tensors: _Tensors) -> tuple:
    """`_forward` where no way back is expected: leaves small batches to one kernel if there is one.

    A sequence of padding makes the loop necessary; that is known when the graph runs.
    """
    loop = functools.partial(_forward, way, tensors, _function("loop", way))
    kernel = way.cell.one_kernel(tensors.x.dtype)
    if way.compiled or kernel is None or tensors.dropout is not None:
        return loop()

    def one_kernel():
        x = tf.transpose(tensors.x, [1, 0, 2])
        x = tf.reverse(x, [0]) if way.reverse else x
        outputs, states = kernel(
            x, tensors.states, tensors.kernel, tensors.recurrent_kernel, tensors.bias
        )
        outputs = tf.reverse(outputs, [0]) if way.reverse else outputs
        return [tf.transpose(outputs, [1, 0, 2])][: way.sequences], list(states)

    def steps():
        outputs, states, _ = loop()
        return [outputs][: way.sequences], list(states)

    batch, time = tf.unstack(tf.shape(tensors.x)[:2])
    fits = (batch <= _ROWS_OF_ONE_KERNEL) & (time > 0)
    if tensors.mask is not None:
        fits &= tf.reduce_all(tensors.mask)
    outputs, states = tf.cond(fits, one_kernel, steps)
    return outputs[0] if way.sequences else None, states, None


def _backward(way, tensors, residuals, d_outputs, d_states) -> dict:
    """Runs the loop back, then multiplies all steps' dz into the derivatives by the weights."""
    cell = way.cell
    rows, mask, weights, kept = residuals
    slopes, *factors = kept
    if d_outputs is not None:
        d_outputs = tf.transpose(d_outputs, [1, 0, 2])
    blocks, d_states, kernel_transposed = _function("loop_back", way)(
        d_outputs,
        tuple(d_states),
        slopes,
        weights,
        tensors.kernel,
        tensors.dropout,
        mask,
        tensors.steps,
    )

    d_z = [tf.reshape(block, [-1, block.shape[2]]) for block in blocks]
    factors = [tf.reshape(factor, [-1, factor.shape[2]]) for factor in factors]
    ones = tf.ones_like(rows[:, :1])
    widths = [blocks[i].shape[2] for i in cell.input_blocks]
    kernels = tf.split(kernel_transposed, widths, axis=0)
    d_x = tf.add_n([d_z[i] @ w for i, w in zip(cell.input_blocks, kernels, strict=True)])
    shape = tf.shape(tensors.x)
    d_x = tf.transpose(tf.reshape(d_x, [shape[1], shape[0], tensors.x.shape[2]]), [1, 0, 2])

    def over_all_steps(products):
        return tf.concat([tf.matmul(a, d_z[i], transpose_a=True) for a, i in products], axis=1)

    derivatives = {
        "x": d_x,
        "kernel": over_all_steps([(rows, i) for i in cell.input_blocks]),
        "recurrent_kernel": over_all_steps([(factors[f], i) for f, i in cell.recurrent_products]),
        "states": list(d_states),
    }
    # A sum over rows as a product with ones: a third of the time of tf.reduce_sum here.
    if tensors.bias is not None:
        derivatives["bias"] = over_all_steps([(ones, i) for i in cell.input_blocks])[0]
    if tensors.recurrent_bias is not None:
        derivatives["recurrent_bias"] = over_all_steps([(ones, cell.recurrent_bias_block)])[0]
    return derivatives


# --- The two loops -------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _function(loop: str, way: Pass) -> Callable:
    """A loop as `tf.function`, shared by all layers of one kind: XLA compiles it once for all."""
    body = {"loop": _loop, "loop_back": _loop_back}[loop]
    return tf.function(
        functools.partial(body, way),
        jit_compile=way.compiled or None,
        autograph=False,
        reduce_retracing=True,
    )


def _loop(way: Pass, z_x, states, weights, dropout, mask, steps) -> tuple:
    """Steps through time.

    Args:
        z_x: `[time, batch, gates * units]`.
        states: each `[batch, units]`.
        weights: as `Cell.arrange` gives them.
        dropout: `[batch, units]` or None.
        mask: bool `[time, batch, 1]` or None.
        steps: how many of the steps are real, or None for all.

    Returns:
        Outputs `[time, batch, units]` or None, the last states, and what `way.keep` names: all
        slopes in one array `[time * slopes, batch, units]`, then each factor
        `[time, batch, units]`; or all quantities in one array.
    """
    cell = way.cell
    count = tf.shape(z_x)[0]
    first, end = _real_steps(count, mask, steps)
    groups = {
        "slopes": (len(cell.slopes), *[1 for _ in cell.factors]),
        "quantities": (len(cell.quantities),),
        "nothing": (),
    }[way.keep]

    def values(step, output):
        kept = {
            "slopes": (step.slopes, *[(factor,) for factor in step.factors]),
            "quantities": (step.quantities,),
            "nothing": (),
        }[way.keep]
        return ((output,), *kept) if way.sequences else kept

    def body(i, states, arrays):
        t = end - 1 - i if way.reverse else first + i
        previous = states[0] if dropout is None else states[0] * dropout
        step = cell.step(_at(z_x, t), states, previous, weights)
        new_states, output = step.states, step.states[0]
        if mask is not None:
            real = _at(mask, t)
            new_states = tuple(
                tf.where(real, new, old) for new, old in zip(new_states, states, strict=True)
            )
            output = tf.where(real, output, tf.zeros_like(output))
        arrays = [
            _write(array, t, group)
            for array, group in zip(arrays, values(step, output), strict=True)
        ]
        return i + 1, new_states, arrays

    variables = (
        tf.constant(0),
        tuple(states),
        [_array(states[0], count * size) for size in way.sequences * (1,) + groups],
    )
    if not way.compiled:

        def several(*variables):
            for _ in range(_STEPS_PER_TURN):
                variables = body(*variables)
            return variables

        variables = tf.while_loop(
            lambda i, *_: i + _STEPS_PER_TURN <= end - first,
            several,
            variables,
            parallel_iterations=1,
        )
    _, states, arrays = tf.while_loop(
        lambda i, *_: i < end - first, body, variables, parallel_iterations=1
    )
    sizes = way.sequences * (1,) + groups
    kept = [array.stack()[: count * size] for array, size in zip(arrays, sizes, strict=True)]
    outputs = kept.pop(0) if way.sequences else None
    return outputs, states, kept


def _loop_back(
    way: Pass, d_outputs, d_states, slopes, weights, kernel, dropout, mask, steps
) -> tuple:
    """Steps back through time: the loop above in the opposite order.

    Args:
        d_outputs: derivatives by the outputs, `[time, batch, units]`, or None.
        d_states: derivatives by the last states, each `[batch, units]`.
        slopes: `[time * slopes, batch, units]`, as `_loop` keeps them.
        kernel: W_x of all gates.
        weights, dropout, mask, steps: as in `_loop`.

    Returns:
        dz in blocks, `[time, batch, width * units]`, the derivatives by the first states, and the
        kernel transposed: done in here because outside of XLA the graph optimizer would fold the
        transpose into the product dZ W_xᵀ, which is a third slower than transposing first.
    """
    cell = way.cell
    transposed = {name: tf.transpose(w) for name, w in weights.items() if w.shape.rank == 2}
    count = tf.shape(slopes)[0] // len(cell.slopes)
    first, end = _real_steps(count, mask, steps)

    def body(i, d_states, blocks):
        t = first + i if way.reverse else end - 1 - i
        d_new, d_kept = d_states, [0] * len(d_states)
        if d_outputs is not None:
            d_new = (d_new[0] + _at(d_outputs, t), *d_new[1:])
        if mask is not None:
            # A padded step handed its states on: so go the derivatives, around the cell.
            real, none = _at(mask, t), tf.zeros_like(d_states[0])
            d_new = tuple(tf.where(real, d, none) for d in d_new)
            d_kept = [tf.where(real, none, d) for d in d_states]
        here = t * len(cell.slopes)
        slopes_now = tuple(_at(slopes, here + k) for k in range(len(cell.slopes)))
        d_z, d_previous, d_direct = cell.step_back(d_new, slopes_now, transposed)
        if dropout is not None:
            d_previous *= dropout
        d_old = [direct + kept for direct, kept in zip(d_direct, d_kept, strict=True)]
        d_old[0] += d_previous
        blocks = [_write(array, t, (block,)) for array, block in zip(blocks, d_z, strict=True)]
        return i + 1, tuple(d_old), blocks

    _, d_states, blocks = tf.while_loop(
        lambda i, *_: i < end - first,
        body,
        (
            tf.constant(0),
            tuple(d_states),
            [_array(d_states[0], count, width) for width in cell.block_widths],
        ),
        parallel_iterations=1,
    )
    return [array.stack()[:count] for array in blocks], d_states, tf.transpose(kernel)


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
    """Writes the values of step t side by side. One array for many values, since XLA fills every
    array with zeros first."""
    for k, value in enumerate(values):
        array = array.write(t * len(values) + k, value)
    return array


def _real_steps(count, mask, steps) -> tuple[tf.Tensor, tf.Tensor]:
    """The first step that is real in any sequence, and the end after the last one."""
    if mask is None:
        return tf.constant(0), count if steps is None else steps
    real = tf.reduce_any(mask, axis=[1, 2])
    numbers = tf.range(count)
    end = tf.maximum(tf.reduce_max(tf.where(real, numbers + 1, 0)), 0)  # 0 without any step
    return tf.minimum(tf.reduce_min(tf.where(real, numbers, count)), end), end
