"""What a cell has to say: its equations, their derivatives, and how both are laid out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]


@dataclasses.dataclass(frozen=True)
class CudnnForm:
    """How cuDNN knows the equations of a cell.

    Attributes:
        mode: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        gates: the cell's names of cuDNN's gates, in cuDNN's order.
        negated: those whose weights and biases change sign, since σ(-z) = 1 - σ(z).
        recurrent_bias: the gate that the bias inside the recurrent product belongs to, or None.

    Example:
        >>> GRU(4, reset_gate="after").cell.cudnn().gates
        ('r', 'u', 'c')
    """

    mode: str
    gates: tuple[str, ...]
    negated: tuple[str, ...] = ()
    recurrent_bias: str | None = None


class Step:
    """What one step of a cell gives. All tensors are `[batch, units]`.

    Args:
        states: see below.
        slopes: see below, or a function that computes them: only back-propagation asks for them.
        factors: see below.
        quantities: see below.

    Attributes:
        states: the new states, in the order of `Cell.states`; the first one is the output.
        slopes: the local derivatives that `Cell.step_back` needs, in the order of `Cell.slopes`.
        factors: the left factors of the recurrent products (a<t-1>, or Γr * c<t-1>), in the order
            of `Cell.factors`.
        quantities: everything that the equations name, in the order of `Cell.quantities`.

    Example:
        >>> a_prev, a = tf.zeros([1, 4]), tf.ones([1, 4])
        >>> step = Step((a,), slopes=lambda: (1 - a * a,), factors=(a_prev,), quantities=(a,))
        >>> step.states[0].shape, step.slopes[0].shape
        (TensorShape([1, 4]), TensorShape([1, 4]))
    """

    def __init__(
        self,
        states: Tensors,
        slopes: Tensors | Callable[[], Tensors],
        factors: Tensors,
        quantities: Tensors,
    ):
        self.states = states
        self.factors = factors
        self.quantities = quantities
        self._slopes = slopes

    @functools.cached_property
    def slopes(self) -> Tensors:
        """The local derivatives, computed when they are asked for."""
        return self._slopes() if callable(self._slopes) else self._slopes


class Cell:
    """The equations of one step and their derivatives. Cells hold no weights and are hashable.

    Attributes:
        states: names of the states; the first one is the output.
        gates: names of the column blocks of the kernels, in order, each of `units` columns.
        quantities: names of what the equations compute, for people who look at it.
        slopes: names of the local derivatives, at least one.
        factors: names of the left factors of the recurrent products.
        blocks: widths, in units, of the blocks in which `step_back` returns dz; by default one
            block for all gates. A block is what takes part in one matrix product.
        input_products: the blocks that, side by side, are the derivative of the input projection
            z_x; by default all of them.
        recurrent_products: (factor, block) pairs whose products factorᵀ dz, side by side, are dU.
        recurrent_bias_blocks: the blocks whose sums, side by side, are the derivative of the vector
            inside the recurrent products, for a cell that has one.

    Example:
        >>> cell, zeros = RNN(2).cell, tf.zeros([1, 2])
        >>> step = cell.step(zeros, (zeros,), zeros, {"U": tf.eye(2)})
        >>> (d_z,), d_previous, _ = cell.step_back((zeros + 3,), step.slopes, {"U": tf.eye(2)})
        >>> d_previous.numpy().tolist()
        [[3.0, 3.0]]
    """

    states: tuple[str, ...]
    gates: tuple[str, ...]
    quantities: tuple[str, ...]
    slopes: tuple[str, ...]
    factors: tuple[str, ...] = ("previous",)
    blocks: tuple[int, ...] = ()
    input_products: tuple[int, ...] = ()
    recurrent_products: tuple[tuple[int, int], ...] = ((0, 0),)
    recurrent_bias_blocks: tuple[int, ...] = ()

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
            states: the states before the step, each `[batch, units]`.
            previous: the first of them after recurrent dropout, `[batch, units]`: what the
                recurrent products see.
            weights: as `arrange` returns them.

        Returns:
            A `Step`: states, slopes, factors and quantities, each `[batch, units]`.
        """
        raise NotImplementedError

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        """One step back.

        Args:
            d_states: derivatives of the loss by the states after the step, each `[batch, units]`.
            slopes: what `step` returned as slopes, each `[batch, units]`.
            transposed: what `arrange` returns, its matrices transposed: `[n * units, units]` where
                `arrange` has `[units, n * units]`.

        Returns:
            dz in blocks, each `[batch, width * units]` with the widths of `block_widths`; the
            derivative by `previous`, `[batch, units]`; and, for each state, the derivative on the
            paths that do not lead through `previous`, `[batch, units]`, or 0 where there is none.
        """
        raise NotImplementedError

    def arrange(
        self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """The recurrent weights as the steps use them, cut once and not at every step.

        Args:
            recurrent_kernel: U of all gates, `[units, gates * units]`.
            recurrent_bias: the vector inside the recurrent products, or None: in a GRU with
                `reset_gate="after"` the bias b_cc, `[units]`.

        Returns:
            By default `"U"`, `[units, gates * units]`, and `"b"`, `[units]`, where there is one.
        """
        weights = {"U": recurrent_kernel}
        if recurrent_bias is not None:
            weights["b"] = recurrent_bias
        return weights

    def one_kernel(self, dtype: tf.DType) -> Callable | None:
        """A kernel of TensorFlow that computes a whole sequence without gradient, or None.

        It is called with x `[time, batch, features]`, states, each `[batch, units]`, kernel
        `[features, gates * units]`, recurrent kernel `[units, gates * units]` and bias
        `[gates * units]` or None, and returns outputs `[time, batch, units]` and the last states,
        each `[batch, units]`.
        """
        return None

    def cudnn(self) -> CudnnForm | None:
        """How cuDNN knows these equations, or None where it does not, as with other activations."""
        return None

    @property
    def block_widths(self) -> tuple[int, ...]:
        """Widths, in units, of the blocks of dz."""
        return self.blocks or (len(self.gates),)

    @property
    def input_blocks(self) -> tuple[int, ...]:
        """Numbers of the blocks of dz that are the derivative of the input projection."""
        return self.input_products or tuple(range(len(self.block_widths)))


@dataclasses.dataclass(frozen=True)
class WrappedCell(Cell):
    """A cell that does something to the steps of another one; it has what that one has.

    Attributes:
        cell: the other one.

    Example:
        >>> WrappedCell(GRU(4).cell).gates
        ('u', 'r', 'c')
    """

    cell: Cell

    def __post_init__(self) -> None:
        self._have(
            states=self.cell.states,
            gates=self.cell.gates,
            quantities=self.cell.quantities,
            slopes=self.cell.slopes,
            factors=self.cell.factors,
            blocks=self.cell.block_widths,
            input_products=self.cell.input_blocks,
            recurrent_products=self.cell.recurrent_products,
            recurrent_bias_blocks=self.cell.recurrent_bias_blocks,
        )

    def _have(self, **attributes: tuple) -> None:
        """Sets attributes of `Cell`, as far as subclasses have others than the cell."""
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def arrange(
        self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        return self.cell.arrange(recurrent_kernel, recurrent_bias)
