"""Long short-term memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.activations import Activation, activate_columns
from layers.arguments import Identifier, truth
from layers.engine import Cell, CudnnForm, Step
from layers.recurrent import Recurrent


@dataclasses.dataclass(frozen=True)
class LSTMCell(Cell):
    """Γu, Γf, Γo = σ(W_u|f|o [a_prev, x] + b_u|f|o);  c̃ = tanh(W_c [a_prev, x] + b_c);
    c = Γu * c̃ + Γf * c_prev;  a = Γo * tanh(c)

    Gates, states and slopes are `[batch, units]`, z is `[batch, 4 * units]`; weights: U
    `[units, 4 * units]`.

    Example:
        >>> LSTM(4).cell.gates
        ('u', 'f', 'c', 'o')
    """

    activation: Activation
    recurrent_activation: Activation
    output_activation: Activation

    states = ("a", "c")
    gates = ("u", "f", "c", "o")
    quantities = ("gate_u", "gate_f", "gate_o", "c_tilde", "c", "a")
    slopes = ("k_u", "k_f", "k_o", "k_c", "k_a", "gate_f")

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        a_prev: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        _, c_prev = states
        z = z_x + a_prev @ weights["U"]
        gate_u, gate_f, c_tilde, gate_o = activate_columns(
            z,
            (
                self.recurrent_activation,
                self.recurrent_activation,
                self.activation,
                self.recurrent_activation,
            ),
        )
        c = gate_u * c_tilde + gate_f * c_prev
        squashed_c = self.output_activation(c)
        a = gate_o * squashed_c

        z_u, z_f, z_c, z_o = tf.split(z, 4, axis=-1)
        k_u = c_tilde * self.recurrent_activation.slope(z_u, gate_u)
        k_f = c_prev * self.recurrent_activation.slope(z_f, gate_f)
        k_o = squashed_c * self.recurrent_activation.slope(z_o, gate_o)
        k_c = gate_u * self.activation.slope(z_c, c_tilde)
        k_a = gate_o * self.output_activation.slope(c, squashed_c)
        return Step(
            (a, c),
            slopes=(k_u, k_f, k_o, k_c, k_a, gate_f),
            factors=(a_prev,),
            quantities=(gate_u, gate_f, gate_o, c_tilde, c, a),
        )

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        (d_a, d_c), (k_u, k_f, k_o, k_c, k_a, gate_f) = d_states, slopes

        d_c = d_c + d_a * k_a
        d_z = tf.concat([d_c * k_u, d_c * k_f, d_c * k_c, d_a * k_o], axis=-1)
        d_a_prev = d_z @ transposed["U"]
        return (d_z,), d_a_prev, (0, d_c * gate_f)

    @property
    def is_standard(self) -> bool:
        """Whether its activations are those that kernels have."""
        return self.recurrent_activation.is_("sigmoid") and (
            self.activation.is_("tanh") and self.output_activation.is_("tanh")
        )

    def one_kernel(self, dtype: tf.DType) -> Callable | None:
        return _block_lstm if self.is_standard and dtype == tf.float32 else None

    def cudnn(self) -> CudnnForm | None:
        return CudnnForm("lstm", self.gates) if self.is_standard else None


def _block_lstm(
    x: tf.Tensor,
    states: tuple[tf.Tensor, ...],
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """TensorFlow's BlockLSTMV2: the same equations, and the same order of the gates.

    Shapes as `Cell.one_kernel` says.
    """
    a, c = states
    if bias is None:
        bias = tf.zeros([kernel.shape[1]], kernel.dtype)
    no_peephole = tf.zeros([a.shape[1]], a.dtype)
    block = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.shape(x, out_type=tf.int64)[0],
        x=x,
        cs_prev=c,
        h_prev=a,
        w=tf.concat([kernel, recurrent_kernel], axis=0),
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        b=bias,
        cell_clip=0.0,
        use_peephole=False,
    )
    return block.h, (block.h[-1], block.cs[-1])


@keras.saving.register_keras_serializable("layers")
class LSTM(Recurrent):
    """Long short-term memory as in the lecture.

        c̃<t>  = tanh(W_c [a<t-1>, x<t>] + b_c)
        Γu     = σ(W_u [a<t-1>, x<t>] + b_u)        update
        Γf     = σ(W_f [a<t-1>, x<t>] + b_f)        forget
        Γo     = σ(W_o [a<t-1>, x<t>] + b_o)        output
        c<t>   = Γu * c̃<t> + Γf * c<t-1>
        a<t>   = Γo * tanh(c<t>)

    Source: Andrew Ng, Sequence Models, week 1, "Long Short Term Memory"; Hochreiter and
    Schmidhuber 1997. The same function as `keras.layers.LSTM`.

    Args:
        recurrent_activation: activation of the gates.
        output_activation: `"same"` as `activation` (the default, as in Keras), or another one;
            `None` gives a<t> = Γo * c<t>, as one slide of the lecture writes.
        unit_forget_bias: start with b_f = 1 (Jozefowicz et al. 2015), as in Keras.
        use_cudnn: `"auto"`: cuDNN where `layers.recurrent.Recurrent` says that it runs; False:
            never; True: an error where the arguments or the machine do not allow it, as in Keras.

    See `layers.recurrent.Recurrent` for the arguments, shapes and masks that all recurrent layers
    share. States: `[a, c]` (Keras calls a<t> h), each `[batch, units]`.

    Weights:
        kernel: for x<t>, the columns of Γu, Γf, c̃ and Γo in this order, `[features, 4 * units]`.
        recurrent_kernel: for a<t-1>, in the same order, `[units, 4 * units]`.
        bias: b_u, b_f, b_c and b_o in the same order, `[4 * units]`.

    Example:
        >>> x = tf.random.normal([2, 5, 3])
        >>> y, a, c = LSTM(4, return_sequences=True, return_state=True)(x)
        >>> y.shape, c.shape
        (TensorShape([2, 5, 4]), TensorShape([2, 4]))
    """

    def __init__(
        self,
        units: int,
        activation: Identifier = "tanh",
        recurrent_activation: Identifier = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        recurrent_initializer: Identifier = "orthogonal",
        bias_initializer: Identifier = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Identifier = None,
        recurrent_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        kernel_constraint: Identifier = None,
        recurrent_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        *,
        output_activation: Identifier = "same",
        **kwargs: Any,
    ):
        super().__init__(
            units,
            activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.recurrent_activation = Activation.of(recurrent_activation)
        self.output_is_same = output_activation == "same"
        self.output_activation = (
            self.activation if self.output_is_same else Activation.of(output_activation)
        )
        self.unit_forget_bias = truth("unit_forget_bias", unit_forget_bias)
        self._keep_use_cudnn(use_cudnn)

    def make_cell(self) -> LSTMCell:
        """The equations with this layer's activations."""
        return LSTMCell(self.activation, self.recurrent_activation, self.output_activation)

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """b_u, b_f, b_c and b_o before training, `[4 * units]`, drawn one by one.

        Example:
            >>> LSTM(2).initial_bias([8]).numpy().tolist()  # the forget gate starts open
            [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        """
        del shape
        blocks = [self.bias_initializer((self.units,), dtype=dtype) for _ in self.cell.gates]
        if self.unit_forget_bias:
            blocks[self.cell.gates.index("f")] = keras.ops.ones((self.units,), dtype=dtype)
        return keras.ops.concatenate(blocks)

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
        return {
            **super().get_config(),
            "recurrent_activation": self.recurrent_activation.config,
            "output_activation": "same" if self.output_is_same else self.output_activation.config,
            "unit_forget_bias": self.unit_forget_bias,
            "use_cudnn": self.use_cudnn,
        }
