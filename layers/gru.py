"""The gated recurrent unit: the lecture's simplified and full form, and the form of cuDNN."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from layers.activations import Activation, activate_columns
from layers.arguments import Identifier
from layers.engine import Cell, CudnnForm, Step
from layers.recurrent import Recurrent

RESET_GATES = ("before", "after", None)


@dataclasses.dataclass(frozen=True)
class SimplifiedGRUCell(Cell):
    """c̃ = tanh(W_c [c_prev, x] + b_c);  Γu = σ(W_u [c_prev, x] + b_u);
    c = Γu * c̃ + (1 - Γu) * c_prev

    Gates, states and slopes are `[batch, units]`, z is `[batch, 2 * units]`; weights: U
    `[units, 2 * units]`.

    Example:
        >>> GRU(4, reset_gate=None).cell.gates
        ('u', 'c')
    """

    activation: Activation
    recurrent_activation: Activation

    states = ("c",)
    gates = ("u", "c")
    quantities = ("gate_u", "c_tilde", "c")
    slopes = ("k_u", "k_c", "k_prev")

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        c_prev: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        (c_direct,) = states
        z = z_x + c_prev @ weights["U"]
        gate_u, c_tilde = activate_columns(z, (self.recurrent_activation, self.activation))
        c = gate_u * c_tilde + (1 - gate_u) * c_direct

        z_u, z_c = tf.split(z, 2, axis=-1)
        k_u = (c_tilde - c_direct) * self.recurrent_activation.slope(z_u, gate_u)
        k_c = gate_u * self.activation.slope(z_c, c_tilde)
        k_prev = 1 - gate_u
        return Step(
            (c,),
            slopes=(k_u, k_c, k_prev),
            factors=(c_prev,),
            quantities=(gate_u, c_tilde, c),
        )

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        (d_c,), (k_u, k_c, k_prev) = d_states, slopes

        d_z = tf.concat([d_c * k_u, d_c * k_c], axis=-1)
        d_c_prev = d_z @ transposed["U"]
        return (d_z,), d_c_prev, (d_c * k_prev,)


@dataclasses.dataclass(frozen=True)
class GRUCell(Cell):
    """Γu, Γr = σ(W_u|r [c_prev, x] + b_u|r);  c̃ = tanh(W_c [Γr * c_prev, x] + b_c);
    c = Γu * c̃ + (1 - Γu) * c_prev

    Gates, states and slopes are `[batch, units]`, z_ur is `[batch, 2 * units]`; weights: U_ur
    `[units, 2 * units]` and U_c `[units, units]`.

    Example:
        >>> GRU(4).cell.gates
        ('u', 'r', 'c')
    """

    activation: Activation
    recurrent_activation: Activation

    states = ("c",)
    gates = ("u", "r", "c")
    quantities = ("gate_u", "gate_r", "c_tilde", "c")
    slopes = ("k_u", "k_r", "k_c", "k_prev", "gate_r")
    factors = ("previous", "reset")
    blocks = (2, 1)
    recurrent_products = ((0, 0), (1, 1))  # [Γu Γr] multiply c_prev, c̃ multiplies Γr * c_prev

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        c_prev: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        (c_direct,) = states
        units = c_prev.shape[-1]
        z_ur = z_x[:, : 2 * units] + c_prev @ weights["U_ur"]
        gate_u, gate_r = activate_columns(z_ur, (self.recurrent_activation,) * 2)
        reset = gate_r * c_prev
        z_c = z_x[:, 2 * units :] + reset @ weights["U_c"]
        c_tilde = self.activation(z_c)
        c = gate_u * c_tilde + (1 - gate_u) * c_direct

        z_u, z_r = tf.split(z_ur, 2, axis=-1)
        k_u = (c_tilde - c_direct) * self.recurrent_activation.slope(z_u, gate_u)
        k_r = c_prev * self.recurrent_activation.slope(z_r, gate_r)
        k_c = gate_u * self.activation.slope(z_c, c_tilde)
        k_prev = 1 - gate_u
        return Step(
            (c,),
            slopes=(k_u, k_r, k_c, k_prev, gate_r),
            factors=(c_prev, reset),
            quantities=(gate_u, gate_r, c_tilde, c),
        )

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        (d_c,), (k_u, k_r, k_c, k_prev, gate_r) = d_states, slopes

        d_z_c = d_c * k_c
        d_reset = d_z_c @ transposed["U_c"]
        d_z_ur = tf.concat([d_c * k_u, d_reset * k_r], axis=-1)
        d_c_prev = d_reset * gate_r + d_z_ur @ transposed["U_ur"]
        return (d_z_ur, d_z_c), d_c_prev, (d_c * k_prev,)

    def arrange(
        self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        units = recurrent_kernel.shape[0]
        u_ur, u_c = recurrent_kernel[:, : 2 * units], recurrent_kernel[:, 2 * units :]
        return {"U_ur": u_ur, "U_c": u_c}


@dataclasses.dataclass(frozen=True)
class ResetAfterGRUCell(Cell):
    """Γu, Γr = σ(W_u|r [c_prev, x] + b_u|r);  c̃ = tanh(W_cx x + b_c + Γr * (W_cc c_prev + b_cc));
    c = Γu * c̃ + (1 - Γu) * c_prev

    Gates, states and slopes are `[batch, units]`, z_ur is `[batch, 2 * units]`; weights: U
    `[units, 3 * units]` and b = b_cc `[units]`.

    Example:
        >>> GRU(4, reset_gate="after").cell.gates
        ('u', 'r', 'c')
    """

    activation: Activation
    recurrent_activation: Activation

    states = ("c",)
    gates = ("u", "r", "c")
    quantities = ("gate_u", "gate_r", "c_tilde", "c")
    slopes = ("k_u", "k_r", "k_c", "k_prev", "gate_r")
    blocks = (2, 1, 1)
    input_products = (0, 1)
    recurrent_products = ((0, 0), (0, 2))
    recurrent_bias_blocks = (2,)

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        c_prev: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        (c_direct,) = states
        units = c_prev.shape[-1]
        product = c_prev @ weights["U"]
        z_ur = z_x[:, : 2 * units] + product[:, : 2 * units]
        gate_u, gate_r = activate_columns(z_ur, (self.recurrent_activation,) * 2)
        product_c = product[:, 2 * units :]
        if "b" in weights:
            product_c += weights["b"]
        z_c = z_x[:, 2 * units :] + gate_r * product_c
        c_tilde = self.activation(z_c)
        c = gate_u * c_tilde + (1 - gate_u) * c_direct

        z_u, z_r = tf.split(z_ur, 2, axis=-1)
        k_u = (c_tilde - c_direct) * self.recurrent_activation.slope(z_u, gate_u)
        k_r = product_c * self.recurrent_activation.slope(z_r, gate_r)
        k_c = gate_u * self.activation.slope(z_c, c_tilde)
        k_prev = 1 - gate_u
        return Step(
            (c,),
            slopes=(k_u, k_r, k_c, k_prev, gate_r),
            factors=(c_prev,),
            quantities=(gate_u, gate_r, c_tilde, c),
        )

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        (d_c,), (k_u, k_r, k_c, k_prev, gate_r) = d_states, slopes

        d_z_c = d_c * k_c
        d_z_ur = tf.concat([d_c * k_u, d_z_c * k_r], axis=-1)
        d_product_c = d_z_c * gate_r
        d_c_prev = tf.concat([d_z_ur, d_product_c], axis=-1) @ transposed["U"]
        return (d_z_ur, d_z_c, d_product_c), d_c_prev, (d_c * k_prev,)

    def cudnn(self) -> CudnnForm | None:
        if not (self.activation.is_("tanh") and self.recurrent_activation.is_("sigmoid")):
            return None
        # Its update gate keeps the old value: z = 1 - Γu.
        return CudnnForm("gru", ("r", "u", "c"), negated=("u",), recurrent_bias="c")


@keras.saving.register_keras_serializable("layers")
class GRU(Recurrent):
    """The gated recurrent unit of the lecture; the update gate lets the *new* value in.

        c̃<t> = tanh(W_c [Γr * c<t-1>, x<t>] + b_c)
        Γu    = σ(W_u [c<t-1>, x<t>] + b_u)
        Γr    = σ(W_r [c<t-1>, x<t>] + b_r)
        c<t>  = Γu * c̃<t> + (1 - Γu) * c<t-1>,   a<t> = c<t>

    Source: Andrew Ng, Sequence Models, week 1, "Gated Recurrent Unit"; Cho et al. 2014.

    Args:
        reset_gate: `"before"`, the lecture's form and the default; `None`, the lecture's simplified
            form without Γr; `"after"`, the form of cuDNN and PyTorch, where Γr multiplies the
            recurrent product: c̃<t> = tanh(W_cx x<t> + b_c + Γr * (W_cc c<t-1> + b_cc)).
        recurrent_activation: activation of the gates.
        reset_after: of `keras.layers.GRU`; an error that says the `reset_gate`.
        use_cudnn: `"auto"`: with `reset_gate="after"` cuDNN where `layers.recurrent.Recurrent` says
            that it runs; False: never; True: an error where the arguments or the machine do not
            allow it, as in Keras. cuDNN does not have the lecture's two forms.

    See `layers.recurrent.Recurrent` for the arguments, shapes and masks that all recurrent layers
    share. States: `[c]`, `[batch, units]`.

    Weights:
        kernel: for x<t>, the columns of Γu, Γr and c̃ in this order, `[features, 3 * units]`; of Γu
            and c̃, `[features, 2 * units]`, without a reset gate.
        recurrent_kernel: for c<t-1>, in the same order, `[units, 3 * units]` or
            `[units, 2 * units]`.
        bias: b_u, b_r and b_c in the same order, `[3 * units]` or `[2 * units]`.
        recurrent_bias: b_cc, `[units]`, with `reset_gate="after"`; else None.

    Notes:
        Keras' and PyTorch's update gate z keeps the *old* value: z = 1 - Γu. With the same numbers
        in its weights this layer is another function than Keras'; `layers.from_keras` converts.
        `reset_gate="after"` has one bias for each gate and one more, b_cc, inside the product;
        Keras and PyTorch have two for every gate, of which only the sums matter for Γu and Γr.

    Example:
        >>> x = tf.random.normal([2, 5, 3])
        >>> GRU(4)(x).shape
        TensorShape([2, 4])
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
        reset_after: None = None,
        use_cudnn: bool | str = "auto",
        *,
        reset_gate: str | None = "before",
        **kwargs: Any,
    ):
        if reset_after is not None:
            raise ValueError(
                f"reset_after: this layer has reset_gate={_reset_gate(reset_after)!r} for it, and "
                "its update gate is 1 less Keras': weights go over with layers.from_keras. "
                f"Received: reset_after={reset_after!r}"
            )
        if reset_gate not in RESET_GATES:
            raise ValueError(
                'reset_gate: expected "before" (the lecture\'s GRU), "after" (cuDNN\'s and '
                f"PyTorch's) or None (the simplified GRU). Received: {reset_gate!r}"
            )
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
        self.reset_gate = reset_gate
        self._keep_use_cudnn(use_cudnn)

    def make_cell(self) -> Cell:
        """The equations of this reset gate with this layer's activations."""
        cells = {"before": GRUCell, "after": ResetAfterGRUCell, None: SimplifiedGRUCell}
        return cells[self.reset_gate](self.activation, self.recurrent_activation)

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
        return {
            **super().get_config(),
            "recurrent_activation": self.recurrent_activation.config,
            "reset_gate": self.reset_gate,
            "use_cudnn": self.use_cudnn,
        }

    @classmethod
    def from_config(cls, config: dict) -> GRU:
        """The layer of a config, of this class or of `keras.layers.GRU`.

        Keras' `reset_after` becomes a reset gate. Weights are another matter, see the notes.

        Example:
            >>> GRU.from_config(keras.layers.GRU(4).get_config()).reset_gate
            'after'
        """
        config = dict(config)
        if "reset_after" in config:
            config["reset_gate"] = _reset_gate(config.pop("reset_after"))
        return super().from_config(config)


def _reset_gate(reset_after: bool) -> str:
    return "after" if reset_after else "before"
