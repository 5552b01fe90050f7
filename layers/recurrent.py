"""What every recurrent layer shares with Keras: arguments, states, masks, directions, config."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from layers import engine
from layers.activations import Activation
from layers.arguments import (
    GRADIENTS,
    JIT,
    USE_CUDNN,
    Identifier,
    drop_what_keras_had,
    one_of,
    positive_integer,
    share,
    truth,
)
from layers.engine.compiling import compiles
from layers.normalization import NormalizedCell, normalize
from layers.zoneout import ZoneoutCell, checked_zoneout, rates, taken


class Recurrent(keras.layers.Layer):
    """Base of `RNN`, `GRU` and `LSTM`; takes the arguments of Keras' recurrent layers.

    Input `[batch, time, features]`; integers and bools are numbers too. Output `[batch, units]`, or
    `[batch, time, units]` with `return_sequences`; with `return_state` a tuple of the output and
    the last states, each `[batch, units]`.

    Masks: bool `[batch, time]`, True where a step is real. A padded step leaves the states as they
    are, gives zeros as output and adds nothing to any gradient. Padding may lie anywhere, so that a
    sequence gives the same answer alone, padded on the left or right, or in a larger batch. Steps
    that are padding in the whole batch are not computed. A sequence of padding alone ends in the
    initial state. A mask of numbers is False where they are 0.

    Precision: with `dtype="mixed_bfloat16"` or `"mixed_float16"`, outputs and states have 16 bits.
    Between them, loops compute in float32 on a CPU, which is faster there and rounds less, and in
    16 bits on a GPU; so do products, but for those over all steps in training, which are in
    bfloat16 on a CPU that is made for it: see `layers.engine.compiling`.

    On a GPU, `LSTM`, `GRU(reset_gate="after")` and `RNN` run by cuDNN, with masks of any kind and
    in both directions, where the activations are cuDNN's (tanh and sigmoid; in `RNN` tanh or relu),
    there is no `layer_normalization` or `zoneout`, no `recurrent_dropout` acts, `gradient` is by
    hand and `jit` not True: eagerly, in training, and in the functions that Keras makes for
    `evaluate` and `predict`. Any other graph out of training may be exported and holds nothing that
    only a GPU runs. At first use a small batch is run by cuDNN and by the loop; where they differ
    there is a warning, and the loop is used.

    Args:
        units: number of units, a positive integer.
        activation: element-wise activation of the candidate (of a<t> in `RNN`).
        use_bias: whether there are biases b.
        kernel_initializer, recurrent_initializer, bias_initializer: for W_x, U and b.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint: as in Keras.
        dropout: share of the inputs that is dropped in training, the same ones at every step.
        recurrent_dropout: share of the state that the recurrent products do not see in training,
            the same units at every step (Gal and Ghahramani 2016).
        return_sequences: outputs of all steps, or only of the last one.
        return_state: return the last states too.
        go_backwards: from the last step to the first; outputs come in that order, as in Keras.
        stateful: start each batch with the last states of the batch before.
        unroll: kept for the sake of code written for Keras; it changes no result, and here no speed
            either.
        seed: of all dropouts.
        weight_dropout: share of the recurrent weights U that is dropped in training, the same ones
            for the whole batch and at every step (Merity, Keskar and Socher 2018).
        layer_normalization: normalize both products over their columns, and scale them by γ, before
            the bias is added (Ba, Kiros and Hinton 2016; `layers.normalization`):

                z<t> = γ_x * norm(W_x x<t>) + γ_a * norm(U a<t-1>) + b

        zoneout: probability with which a unit of a state keeps its old value in training, drawn for
            each step; out of training the new state is the mean of both (Krueger et al. 2017;
            `layers.zoneout`). One number, or one for each state.
        state_initializer: what a<0> is without an `initial_state`: zeros, or one vector for all
            sequences, drawn when the layer is built.
        learn_initial_state: train that vector.
        gradient: `"by_hand"`, back-propagation through time as the cell writes it, or
            `"automatic"`, differentiation of the equations: slower, the reference in tests, and
            the one that has second derivatives.
        jit: whether XLA compiles the loop: True, False, or `"auto"`: in a graph, in training or
            when batch and time are known. `"auto"` compiles no graph of unknown sizes out of
            training, such as one that is exported, since TensorFlow Serving runs no XLA.
        zero_output_for_mask: whether padded steps give zeros. With False they give, as in Keras,
            the output of the last real step before them in the direction of reading, zeros before
            the first one, and their gradient goes to that step. Without `return_sequences`, False
            makes the output of a sequence of padding alone zeros in place of the initial state.
            The default of Keras' layers is False; `keras.layers.Bidirectional` sets it to
            `return_sequences`.
        **kwargs: `name`, `dtype` and what else all layers of Keras take. The arguments up to `seed`
            may be given by position, in the order of Keras. `implementation` and
            `time_major=False` of older versions of Keras change nothing.

    Call arguments:
        sequences: `[batch, time, features]`.
        initial_state: a tensor `[batch, units]`, or a list of one for each state.
        mask: bool `[batch, time]`, or numbers that are 0 where a step is padding.
        training: whether dropout acts.

    Weights:
        kernel: W_x, `[features, gates * units]`: for each gate a block of `units` columns, in the
            order of `layer.cell.gates`.
        recurrent_kernel: U, `[units, gates * units]`, in the same order.
        bias: b, `[gates * units]`, in the same order; None without biases.
        recurrent_bias: b_cc, `[units]`, of a GRU with `reset_gate="after"`; else None.
        kernel_gain, recurrent_gain: γ_x and γ_a, `[gates * units]` each, in the same order, with
            `layer_normalization`; else None.
        start: the initial states, each `[units]`, where they are not zeros; else None.
        states: the last states of a stateful layer, each `[batch, units]`; else None.

    Raises:
        ValueError: for arguments, inputs, masks or states of the wrong kind or shape.

    Example:
        >>> layer = LSTM(4, return_sequences=True)  # one of the layers that stand on this class
        >>> isinstance(layer, Recurrent), layer.state_size
        (True, [4, 4])
    """

    built: bool
    bias: keras.Variable | None

    def __init__(
        self,
        units: int,
        activation: Identifier = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        *,
        weight_dropout: float = 0.0,
        layer_normalization: bool = False,
        zoneout: float | Sequence[float] = 0.0,
        state_initializer: Identifier = "zeros",
        learn_initial_state: bool = False,
        gradient: str = "by_hand",
        jit: bool | str = "auto",
        zero_output_for_mask: bool = True,
        **kwargs: Any,
    ):
        drop_what_keras_had(kwargs)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_integer("units", units)
        self.activation = Activation.of(activation)
        self.use_bias = truth("use_bias", use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = share("dropout", dropout)
        self.recurrent_dropout = share("recurrent_dropout", recurrent_dropout)
        self.weight_dropout = share("weight_dropout", weight_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.return_sequences = truth("return_sequences", return_sequences)
        self.return_state = truth("return_state", return_state)
        self.go_backwards = truth("go_backwards", go_backwards)
        self.stateful = truth("stateful", stateful)
        self.unroll = truth("unroll", unroll)
        self.layer_normalization = truth("layer_normalization", layer_normalization)
        if self.layer_normalization and self.units == 1:
            raise ValueError(
                "layer_normalization: expected units of 2 or more, since a single number is 0 when "
                "it is normalized. Received: units=1"
            )
        self.zoneout = checked_zoneout(zoneout)
        self.state_initializer = keras.initializers.get(state_initializer)
        self.learn_initial_state = truth("learn_initial_state", learn_initial_state)
        self.zero_output_for_mask = truth("zero_output_for_mask", zero_output_for_mask)
        self.gradient = one_of("gradient", gradient, GRADIENTS)
        self.jit = one_of("jit", jit, JIT)
        self.supports_masking = True
        # The loop is compiled here where that pays; compiling all of `fit` around it is slower.
        self.supports_jit = False
        # How many such layers run side by side; a stack says so of its two directions.
        self.at_once = 1
        self.recurrent_bias: keras.Variable | None = None
        self.kernel_gain: keras.Variable | None = None
        self.recurrent_gain: keras.Variable | None = None
        self.start: list[keras.Variable] | None = None
        self.states: list[keras.Variable] | None = None

    def _keep_use_cudnn(self, use_cudnn: bool | str) -> None:
        """Only layers that have the argument in Keras have the attribute: wrappers look for it."""
        self.use_cudnn = one_of("use_cudnn", use_cudnn, USE_CUDNN)

    # --- The equations ---------------------------------------------------------------------------

    def make_cell(self) -> engine.Cell:
        """The equations with this layer's activations. Subclasses say which.

        Example:
            >>> LSTM(4).make_cell().states
            ('a', 'c')
        """
        raise NotImplementedError

    @property
    def cell(self) -> engine.Cell:
        """The equations of this layer, and the order of the gates."""
        cell = self.make_cell()
        if self.layer_normalization:
            cell = NormalizedCell(cell)
        return ZoneoutCell(cell, rates(self.zoneout, cell.states)) if self.zones_out else cell

    @property
    def zones_out(self) -> bool:
        """Whether some state now and then keeps its old value."""
        return bool(np.any(self.zoneout))

    @property
    def state_size(self) -> list[int]:
        """Units of each state, as Keras' layers have it."""
        return [self.units] * len(self.cell.states)

    # --- Weights ---------------------------------------------------------------------------------

    def build(
        self, sequences_shape: Sequence[int | None], initial_state_shape: object = None
    ) -> None:
        """Makes the weights, for inputs of shape `[batch, time, features]`."""
        del initial_state_shape
        if len(sequences_shape) != 3 or not sequences_shape[-1]:
            raise ValueError(
                f"{self.name}: expected an input of shape [batch, time, features] with a known, "
                f"positive number of features. Received shape: {tuple(sequences_shape)}"
            )
        rates(self.zoneout, self.make_cell().states)  # one for each, zeros too
        gates = len(self.cell.gates)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(sequences_shape[-1], gates * self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,  # `weight_tensors` casts
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, gates * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            autocast=False,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._add_bias("bias", gates * self.units, self.initial_bias)
            if self.make_cell().recurrent_bias_blocks:
                self.recurrent_bias = self._add_bias(
                    "recurrent_bias", self.units, self.bias_initializer
                )
        if self.layer_normalization:
            self.kernel_gain, self.recurrent_gain = (
                self.add_weight(
                    name=name, shape=(gates * self.units,), initializer="ones", autocast=False
                )
                for name in ("kernel_gain", "recurrent_gain")
            )
        if self.starts_elsewhere:
            self.start = [
                self.add_weight(
                    name=f"initial_{name}",
                    shape=(self.units,),
                    initializer=self.state_initializer,
                    trainable=self.learn_initial_state,
                )
                for name in self.cell.states
            ]
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    f"{self.name}: stateful=True needs a known batch size. Received shape: "
                    f"{tuple(sequences_shape)}. Give it with keras.Input(batch_shape=...)."
                )
            self.states = [
                self.add_weight(
                    name=f"last_{name}",
                    shape=(sequences_shape[0], self.units),
                    initializer="zeros",
                    trainable=False,
                )
                for name in self.cell.states
            ]
            self.reset_state()

    def _add_bias(self, name: str, size: int, initializer: Callable) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            autocast=False,
        )

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """The bias of all gates before training, of shape `[gates * units]`.

        Example:
            >>> RNN(2).initial_bias([2]).numpy().tolist()
            [0.0, 0.0]
        """
        return self.bias_initializer(shape, dtype=dtype)

    @property
    def starts_elsewhere(self) -> bool:
        """Whether the default initial state may be something other than zeros."""
        zeros = isinstance(self.state_initializer, keras.initializers.Zeros)
        return self.learn_initial_state or not zeros

    def lecture_weights(self) -> dict[str, np.ndarray]:
        """The weights by the lecture's names.

        Returns:
            For each gate g of the cell `"W_g"`, `[units, units + features]`, the weights of the
            state on the left and of the input on the right, and `"b_g"`, `[units]`. In the basic
            RNN, the only g is `a`. A GRU with `reset_gate="after"` also has `"b_cc"`, `[units]`,
            the bias inside the product. With `layer_normalization` there are `"gain_x_g"` and
            `"gain_a_g"`, `[units]`, γ of the products with x<t> and with the state. Where initial
            states are no zeros, also `"a<0>"` and the like, `[units]`.

        Raises:
            ValueError: the layer has no weights yet.

        Example:
            >>> layer = GRU(4)
            >>> layer.build((None, None, 3))
            >>> {name: w.shape for name, w in layer.lecture_weights().items() if "u" in name}
            {'W_u': (4, 7), 'b_u': (4,)}
        """
        self.require_built("lecture_weights")
        gates = self.cell.gates
        kernels = np.split(keras.ops.convert_to_numpy(self.kernel), len(gates), axis=1)
        recurrent = np.split(keras.ops.convert_to_numpy(self.recurrent_kernel), len(gates), axis=1)
        weights = {
            f"W_{gate}": np.concatenate([u, w], axis=0).T
            for gate, w, u in zip(gates, kernels, recurrent, strict=True)
        }
        if self.use_bias:
            biases = np.split(keras.ops.convert_to_numpy(self.bias), len(gates))
            weights |= {f"b_{gate}": b for gate, b in zip(gates, biases, strict=True)}
            if self.recurrent_bias is not None:
                weights["b_cc"] = keras.ops.convert_to_numpy(self.recurrent_bias)
        for name, gain in self._gains.items():
            cut = np.split(keras.ops.convert_to_numpy(gain), len(gates))
            weights |= {f"{name}_{gate}": one for gate, one in zip(gates, cut, strict=True)}
        for state, start in zip(self.cell.states, self.start or (), strict=False):
            weights[f"{state}<0>"] = keras.ops.convert_to_numpy(start)
        return weights

    @property
    def _gains(self) -> dict[str, keras.Variable]:
        if not self.layer_normalization:
            return {}
        return {"gain_x": self.kernel_gain, "gain_a": self.recurrent_gain}

    def set_lecture_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Sets the weights.

        Args:
            weights: with the names and shapes that `lecture_weights` returns.

        Raises:
            ValueError: the layer has no weights yet, or names or shapes are other ones.

        Example:
            >>> layer = RNN(2)
            >>> layer.build((None, None, 1))
            >>> layer.set_lecture_weights({"W_a": np.ones([2, 3]), "b_a": np.zeros(2)})
            >>> layer(tf.zeros([1, 5, 1])).numpy().tolist()
            [[0.0, 0.0]]
        """
        current = self.lecture_weights()
        shapes = {name: np.shape(value) for name, value in weights.items()}
        expected = {name: value.shape for name, value in current.items()}
        if shapes != expected:
            raise ValueError(f"{self.name}: expected weights {expected}. Received: {shapes}")
        gates = self.cell.gates
        columns = np.concatenate([np.asarray(weights[f"W_{gate}"]).T for gate in gates], axis=1)
        self.recurrent_kernel.assign(columns[: self.units])
        self.kernel.assign(columns[self.units :])
        if self.bias is not None:
            self.bias.assign(np.concatenate([weights[f"b_{gate}"] for gate in gates]))
            if self.recurrent_bias is not None:
                self.recurrent_bias.assign(weights["b_cc"])
        for name, gain in self._gains.items():
            gain.assign(np.concatenate([weights[f"{name}_{gate}"] for gate in gates]))
        for state, start in zip(self.cell.states, self.start or (), strict=False):
            start.assign(weights[f"{state}<0>"])

    def require_built(self, method: str) -> None:
        """Nothing, for a layer that has weights.

        Raises:
            ValueError: it has none yet; the message says that `method` needs them.

        Example:
            >>> RNN(2).require_built("saving")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            ValueError: rnn...: saving needs weights, and the layer has none yet. ...
        """
        if not self.built:
            raise ValueError(
                f"{self.name}: {method} needs weights, and the layer has none yet. Call the layer "
                "on an input first, or layer.build((None, None, features))."
            )

    # --- The call --------------------------------------------------------------------------------

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = False,
    ) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """Outputs `[batch, units]` or `[batch, time, units]`, and last states where asked for.

        Args:
            sequences: `[batch, time, features]`.
            initial_state: a tensor `[batch, units]`, or a list of one for each state.
            mask: bool `[batch, time]`, True where a step is real.
            training: whether dropout acts.
        """
        x = self._as_numbers(sequences)
        self._check_input(x)
        states = self._initial_states(x, initial_state)
        mask = self._check_mask(mask, x)
        tensors, dropout = self.weight_tensors(), None
        if training and self.weight_dropout:
            tensors["recurrent_kernel"] = keras.random.dropout(
                tensors["recurrent_kernel"], self.weight_dropout, seed=self.seed_generator
            )
        if training and self.dropout:
            x = x * self._dropout_factor(self.dropout, tf.shape(x)[0], x.shape[2])[:, None, :]
        if training and self.recurrent_dropout:
            dropout = self._dropout_factor(self.recurrent_dropout, tf.shape(x)[0], self.units)
        x, tensors = self._for_loops(x, tensors, mask, bool(training))

        cudnn = getattr(self, "use_cudnn", "auto")
        cell = self.cell
        if isinstance(cell, ZoneoutCell):
            cell = dataclasses.replace(cell, draws=bool(training))
        plan = engine.Plan(
            cell,
            self.units,
            reverse=self.go_backwards,
            cudnn=False if self.jit is True and cudnn == "auto" else cudnn,
            sequences=self.return_sequences,
            repeats=self.return_sequences and mask is not None and not self.zero_output_for_mask,
            compiled=compiles(self.jit, pays=bool(training) or None not in x.shape[:2]),
            by_hand=self.gradient == "by_hand",
            products=self._products(training),
            keep="slopes" if training else "nothing",
        )
        outputs, states = engine.run(
            plan, x, states, **tensors, dropout=dropout, mask=mask, at_once=self.at_once
        )
        states = tuple(tf.cast(state, self.compute_dtype) for state in states)

        if self.states is not None:
            for variable, state in zip(self.states, states, strict=True):
                variable.assign(tf.cast(state, variable.dtype))
        outputs = None if outputs is None else tf.cast(outputs, self.compute_dtype)
        if not self.return_sequences:
            outputs = states[0]
            if mask is not None and not self.zero_output_for_mask:
                some_real = tf.reduce_any(mask, axis=1, keepdims=True)
                outputs = tf.where(some_real, outputs, tf.zeros_like(outputs))
        elif self.go_backwards:
            outputs = tf.reverse(outputs, axis=[1])
        return (outputs, *states) if self.return_state else outputs

    def step(
        self, x: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """One step alone, for inputs that depend on the output before, as in sampling.

        Args:
            x: x<t>, `[batch, features]`.
            states: the states before the step, each `[batch, units]`.

        Returns:
            The output `[batch, units]` and the new states, each `[batch, units]`. No dropout acts.

        Example:
            >>> layer = LSTM(4)
            >>> layer.build((None, None, 3))
            >>> output, (a, c) = layer.step(tf.ones([2, 3]), layer.get_initial_state(2))
            >>> output.shape, c.shape
            (TensorShape([2, 4]), TensorShape([2, 4]))
        """
        tensors, precision = self.weight_tensors(), engine.precision_of_loops(self.compute_dtype)
        z_x = self._project(self._as_numbers(x), tensors)
        weights = self.cell.arrange(tensors["recurrent_kernel"], tensors["recurrent_bias"])
        before = tuple(tf.cast(state, precision) for state in states)
        after = self.cell.step(z_x, before, before[0], weights).states
        new_states = tuple(tf.cast(state, self.compute_dtype) for state in after)
        return new_states[0], new_states

    def gate_activations(
        self,
        sequences: tf.Tensor,
        initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """What every gate does with an input, by the lecture's names.

        Args:
            sequences: `[batch, time, features]`.
            initial_state, mask: as in `call`.

        Returns:
            `[batch, time, units]` each, in the order of time: `"a"` for `RNN`; `"gate_u"`,
            `"gate_r"`, `"c_tilde"`, `"c"` for `GRU`; `"gate_u"`, `"gate_f"`, `"gate_o"`,
            `"c_tilde"`, `"c"`, `"a"` for `LSTM`. Padded steps are zeros.

        Example:
            >>> layer = LSTM(4)
            >>> layer.gate_activations(tf.zeros([2, 5, 3]))["gate_f"].shape
            TensorShape([2, 5, 4])
        """
        x = self._as_numbers(sequences)
        if not self.built:
            self.build(tuple(x.shape))
            self.built = True
        self._check_input(x)
        states, mask = self._initial_states(x, initial_state), self._check_mask(mask, x)
        x, tensors = self._for_loops(x, self.weight_tensors(), mask)
        plan = engine.Plan(self.cell, self.units, reverse=self.go_backwards)
        return engine.quantities(plan, x, states, **tensors, mask=mask)

    def state_gradients(
        self,
        sequences: tf.Tensor,
        d_outputs: tf.Tensor,
        initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """How a loss changes with the states of every step: what the way back carries through time.

            ∂L/∂a<t-1> = ∂L<t-1>/∂a<t-1> + (∂a<t>/∂a<t-1>)ᵀ ∂L/∂a<t>

        of the basic RNN; the other cells have more than one path, see their `step_back`. With one
        loss, L<T>, it is a product of T - t matrices: it vanishes or explodes with the distance.

        Source: Andrew Ng, Sequence Models, week 1, "Backpropagation through time" and "Vanishing
        gradients with RNNs".

        Args:
            sequences: `[batch, time, features]`.
            d_outputs: ∂L<t>/∂a<t>, derivatives of a loss by the outputs, `[batch, time, units]`,
                in the order of time.
            initial_state, mask: as in `call`.

        Returns:
            ∂L/∂s<t> for each state s by its name, in the order of time, `[batch, time, units]`
            each: `"a"` for `RNN`, `"c"` for `GRU`, whose a<t> = c<t>, and `"a"` and `"c"` for
            `LSTM`, each with the other one fixed. Padded steps are zeros. No dropout acts.

        Example:
            >>> layer = RNN(2, use_bias=False, kernel_initializer="zeros")
            >>> layer.build((None, None, 1))
            >>> _ = layer.recurrent_kernel.assign(0.5 * np.eye(2))  # ∂L/∂a<t> = 0.5^(T-t), T = 4
            >>> d = tf.pad(tf.ones([1, 1, 2]), [[0, 0], [3, 0], [0, 0]])
            >>> layer.state_gradients(tf.zeros([1, 4, 1]), d)["a"].numpy()[0, :, 0].tolist()
            [0.125, 0.25, 0.5, 1.0]
        """
        x = self._as_numbers(sequences)
        if not self.built:
            self.build(tuple(x.shape))
            self.built = True
        self._check_input(x)
        d_outputs = self._as_numbers(d_outputs)
        if not d_outputs.shape.is_compatible_with([*x.shape[:2], self.units]):
            raise ValueError(
                f"{self.name}: expected derivatives by the outputs of shape [batch, time, units] = "
                f"{(*x.shape[:2], self.units)}. Received shape: {tuple(d_outputs.shape)}"
            )
        states, mask = self._initial_states(x, initial_state), self._check_mask(mask, x)
        x, tensors = self._for_loops(x, self.weight_tensors(), mask)
        plan = engine.Plan(self.cell, self.units, reverse=self.go_backwards)
        return engine.derivatives(plan, d_outputs, x, states, **tensors, mask=mask)

    def weight_tensors(self) -> dict[str, tf.Tensor | None]:
        """The weights as tensors of the precision in which the loops compute.

        That is the layer's, `compute_dtype`, but for numbers of 16 bits on a CPU: float32.

        Returns:
            `"kernel"` `[features, gates * units]`, `"recurrent_kernel"` `[units, gates * units]`,
            `"bias"` `[gates * units]` or None, and `"recurrent_bias"`, what is inside the recurrent
            products, or None: b_cc, `[units]`, and before it γ_a where there is one. Names and
            shapes are those of `layers.engine.run`.

        Example:
            >>> layer = LSTM(4)
            >>> layer.build((None, None, 3))
            >>> layer.weight_tensors()["recurrent_kernel"].shape
            TensorShape([4, 16])
        """
        weights = {
            "kernel": self.kernel,
            "recurrent_kernel": self.recurrent_kernel,
            "bias": self.bias,
            "recurrent_bias": self.recurrent_bias,
        }
        precision = engine.precision_of_loops(self.compute_dtype).name
        tensors = {
            name: None if w is None else keras.ops.cast(w, precision) for name, w in weights.items()
        }
        if self.layer_normalization:
            inside = [keras.ops.cast(self.recurrent_gain, precision)]
            if self.make_cell().recurrent_bias_blocks:
                b_cc = tensors["recurrent_bias"]
                inside.append(tf.zeros([self.units], precision) if b_cc is None else b_cc)
            tensors["recurrent_bias"] = tf.concat(inside, axis=0)
        return tensors

    def _products(self, training: bool | None) -> str | None:
        """The type of large products; out of training that of the loops, since a graph may go to
        another processor."""
        return engine.precision_of_products(self.compute_dtype).name if training else None

    def _project(
        self, x: tf.Tensor, tensors: Mapping[str, tf.Tensor | None], products: str | None = None
    ) -> tf.Tensor:
        """What steps get of their inputs: W_x x<t> + b of all gates, or its normalized form."""
        kernel = cast(tf.Tensor, tensors["kernel"])
        z_x = engine.multiply(tf.cast(x, kernel.dtype), kernel, products)
        if self.layer_normalization:
            z_x = keras.ops.cast(self.kernel_gain, z_x.dtype.name) * normalize(z_x)
        return z_x if tensors["bias"] is None else z_x + tensors["bias"]

    def _for_loops(
        self,
        x: tf.Tensor,
        tensors: dict[str, tf.Tensor | None],
        mask: tf.Tensor | None,
        training: bool = False,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor | None]]:
        """Inputs and weights of `engine.run`, which projects the inputs where nothing else acts."""
        draws = training and self.zones_out
        if not (self.layer_normalization or draws):
            return x, tensors
        if mask is not None:  # whatever the padding holds, it is no input
            x = tf.where(mask[:, :, None], x, tf.zeros([], x.dtype))
        z_x = [self._project(x, tensors, self._products(training))]
        for rate in rates(self.zoneout, self.cell.states) if draws else ():
            shape = (*tf.unstack(tf.shape(x)[:2]), self.units)
            z_x.append(tf.cast(taken(rate, shape, self.seed_generator), z_x[0].dtype))
        return tf.concat(z_x, axis=-1), {**tensors, "kernel": None, "bias": None}

    def _dropout_factor(self, rate: float, batch: tf.Tensor, width: int) -> tf.Tensor:
        return keras.random.dropout(
            tf.ones([batch, width], self.compute_dtype), rate, seed=self.seed_generator
        )

    def _as_numbers(self, x: tf.Tensor) -> tf.Tensor:
        """A tensor of the layer's type, made of integers and bools too, as in Keras."""
        x = keras.ops.convert_to_tensor(x)
        if not (x.dtype.is_floating or x.dtype.is_integer or x.dtype.is_bool):
            raise ValueError(
                f"{self.name}: expected inputs of numbers or bools. Received dtype: {x.dtype.name}"
            )
        return tf.cast(x, self.compute_dtype)

    def _check_input(self, x: tf.Tensor) -> None:
        if x.shape.rank != 3 or x.shape[2] != self.kernel.shape[0]:
            raise ValueError(
                f"{self.name}: expected an input of shape [batch, time, {self.kernel.shape[0]}]. "
                f"Received shape: {tuple(x.shape)}"
            )

    def _check_mask(self, mask: tf.Tensor | None, x: tf.Tensor) -> tf.Tensor | None:
        if mask is None:
            return None
        mask = tf.cast(keras.ops.convert_to_tensor(mask), "bool")
        if mask.shape.rank != 2 or not mask.shape.is_compatible_with(x.shape[:2]):
            raise ValueError(
                f"{self.name}: expected a mask of shape [batch, time] = {tuple(x.shape[:2])}. "
                f"Received shape: {tuple(mask.shape)}"
            )
        return mask

    # --- States ----------------------------------------------------------------------------------

    def get_initial_state(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """The states before the first step when none are given, each `[batch, units]`.

        Example:
            >>> [state.shape for state in LSTM(4).get_initial_state(2)]
            [TensorShape([2, 4]), TensorShape([2, 4])]
        """
        if self.start is None:
            return [
                tf.zeros([batch_size, self.units], self.compute_dtype) for _ in self.cell.states
            ]
        return [
            tf.tile(keras.ops.cast(vector, self.compute_dtype)[None], [batch_size, 1])
            for vector in self.start
        ]

    def reset_state(self) -> None:
        """Puts a stateful layer back to its initial state; does nothing to others.

        Example:
            >>> layer = RNN(4, stateful=True)
            >>> a = layer(tf.ones([2, 5, 3]))
            >>> layer.reset_state()
            >>> float(tf.reduce_sum(tf.abs(layer.states[0])))
            0.0
        """
        if self.states is None:
            return
        start = self.get_initial_state(self.states[0].shape[0])
        for variable, state in zip(self.states, start, strict=True):
            variable.assign(tf.cast(state, variable.dtype))

    reset_states = reset_state

    def _initial_states(
        self, x: tf.Tensor, initial_state: tf.Tensor | Sequence[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        batch = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
        if initial_state is None:
            initial_state = self.states or self.get_initial_state(batch)
        if not isinstance(initial_state, Sequence):
            initial_state = [initial_state]
        names = self.cell.states
        states = tuple(keras.ops.cast(state, self.compute_dtype) for state in initial_state)
        shapes = [tuple(state.shape) for state in states]
        if len(states) != len(names) or not all(
            state.shape.is_compatible_with([x.shape[0], self.units]) for state in states
        ):
            raise ValueError(
                f"{self.name}: expected {len(names)} initial state(s) {list(names)}, each of shape "
                f"[batch, units] = ({x.shape[0]}, {self.units}). Received shapes: {shapes}"
            )
        return states

    # --- Keras -----------------------------------------------------------------------------------

    def compute_output_shape(
        self, sequences_shape: Sequence[int | None], initial_state_shape: object = None
    ) -> tuple:
        """The shape of the output, or a tuple of those of the output and the last states."""
        del initial_state_shape
        batch, time = sequences_shape[:2]
        output = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        if self.return_state:
            return (output, *[(batch, self.units) for _ in self.cell.states])
        return output

    def compute_mask(
        self, inputs: object, mask: tf.Tensor | Sequence[tf.Tensor] | None = None
    ) -> tf.Tensor | list[tf.Tensor | None] | None:
        """The mask of the outputs, `[batch, time]` in their order; None without a time axis."""
        if isinstance(mask, Sequence):
            mask = mask[0]
        if not self.return_sequences:
            mask = None
        elif mask is not None and self.go_backwards:
            mask = keras.ops.flip(mask, axis=1)
        return [mask, *[None for _ in self.cell.states]] if self.return_state else mask

    def get_config(self) -> dict:
        """The arguments that make the same layer, as Keras saves them."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation.config,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": keras.constraints.serialize(self.recurrent_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "weight_dropout": self.weight_dropout,
            "layer_normalization": self.layer_normalization,
            "zoneout": self.zoneout,
            "seed": self.seed,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "state_initializer": keras.initializers.serialize(self.state_initializer),
            "learn_initial_state": self.learn_initial_state,
            "gradient": self.gradient,
            "jit": self.jit,
        }
