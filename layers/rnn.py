"""The basic recurrent network of the lecture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import keras
import tensorflow as tf

from layers.activations import Activation
from layers.engine import Cell, CudnnForm, Step
from layers.recurrent import Recurrent


@dataclasses.dataclass(frozen=True)
class RNNCell(Cell):
    """a<t> = g(W_aa a<t-1> + W_ax x<t> + b_a)

    `a`, `z` and `k_a` are `[batch, units]`; weights: U `[units, units]`.

    Example:
        >>> RNN(4).cell.gates
        ('a',)
    """

    activation: Activation

    states = ("a",)
    gates = ("a",)
    quantities = ("a",)
    slopes = ("k_a",)

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        a_prev: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        z = z_x + a_prev @ weights["U"]
        a = self.activation(z)

        k_a = self.activation.slope(z, a)
        return Step((a,), slopes=(k_a,), factors=(a_prev,), quantities=(a,))

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        (d_a,), (k_a,) = d_states, slopes

        d_z = d_a * k_a
        d_a_prev = d_z @ transposed["U"]
        return (d_z,), d_a_prev, (0,)

    def cudnn(self) -> CudnnForm | None:
        for name in ("tanh", "relu"):
            if self.activation.is_(name):
                return CudnnForm(f"rnn_{name}", self.gates)
        return None


@keras.saving.register_keras_serializable("layers")
class RNN(Recurrent):
    """The basic recurrent layer: `a<t> = g(W_aa a<t-1> + W_ax x<t> + b_a)`, g = tanh or relu.

    Source: Andrew Ng, Sequence Models, week 1, "Recurrent Neural Network Model". The same
    function as `keras.layers.SimpleRNN`.

    See `layers.recurrent.Recurrent` for the arguments, shapes and masks that all recurrent layers
    share. States: `[a]`, `[batch, units]`.

    Weights:
        kernel: W_axᵀ, `[features, units]`.
        recurrent_kernel: W_aaᵀ, `[units, units]`.
        bias: b_a, `[units]`.

    Example:
        >>> x = tf.random.normal([2, 5, 3])
        >>> RNN(4, return_sequences=True)(x).shape
        TensorShape([2, 5, 4])
    """

    def make_cell(self) -> RNNCell:
        """The equation with this layer's activation."""
        return RNNCell(self.activation)
