"""Deep and bidirectional stacks of recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.arguments import one_of
from layers.gates import gates_of_layers
from layers.gru import GRU
from layers.lstm import LSTM
from layers.recurrent import Recurrent
from layers.rnn import RNN

# The names that stand for a layer, in one place for stacks, models and flags.
CELLS: dict[str, tuple[type[Recurrent], dict]] = {
    "rnn": (RNN, {}),
    "gru_simplified": (GRU, {"reset_gate": None}),
    "gru": (GRU, {"reset_gate": "before"}),
    "gru_reset_after": (GRU, {"reset_gate": "after"}),
    "lstm": (LSTM, {}),
}


@keras.saving.register_keras_serializable("layers")
class Stack(keras.layers.Layer):
    """A deep recurrent network: `depth` layers, each reads the outputs of the one below.

        a[l]<t> = g(W_a[l] [a[l]<t-1>, a[l-1]<t>] + b_a[l]),   a[0]<t> = x<t>

    With `bidirectional`, each layer reads in both directions and gives [a→<t>, a←<t>].

    Source: Andrew Ng, Sequence Models, week 1, "Deep RNNs" and "Bidirectional RNN".

    Args:
        cell: `"rnn"`, `"gru_simplified"`, `"gru"`, `"gru_reset_after"` or `"lstm"`.
        units: units of each direction; one number, or one for each layer.
        depth: number of layers; follows from `units` where that is a list.
        bidirectional: both directions, side by side: outputs have 2 * units columns.
        dropout: share of the outputs of one layer that the next one does not see in training.
        recurrent_dropout: of every layer, see `layers.recurrent.Recurrent`.
        return_sequences: outputs of the last layer at all steps (the default here), or only at the
            step where its direction ends.
        return_state: return the last states too.
        layer: further arguments of every layer, such as `{"activation": "relu"}` or
            `{"stateful": True}`.

    Input `[batch, time, features]`. Output `[batch, time, width]`, or `[batch, width]` without
    `return_sequences`, where the width is that of the last layer: units, or 2 * units. With
    `return_state`, a tuple of it and the last states of all layers, each `[batch, units]`, from the
    lowest layer up, those of the forward direction first. `initial_state` takes them in that order;
    a single one may be given as it is.

    A mask, bool `[batch, time]`, is handed to every layer, see `layers.recurrent.Recurrent`.

    Weights: those of `recurrent_layers`, one for each depth: `RNN`, `GRU` or `LSTM`, or
    `keras.layers.Bidirectional` of two of them. Each reads as many features as the one below has
    columns.

    Raises:
        ValueError: for an unknown cell, or a depth that does not fit the list of units.

    Notes:
        A seeded initializer gives all layers of one shape the same weights, as in Keras; unseeded
        ones (the default) do not.

    Example:
        >>> stack = Stack("lstm", units=8, depth=2, bidirectional=True, dropout=0.1)
        >>> stack(tf.random.normal([2, 5, 3])).shape
        TensorShape([2, 5, 16])
    """

    def __init__(
        self,
        cell: str = "lstm",
        units: int | Sequence[int] = 128,
        depth: int | None = None,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = True,
        return_state: bool = False,
        layer: dict | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        widths = list(units) if isinstance(units, Sequence) else [units] * (depth or 1)
        if not widths or depth not in (None, len(widths)):
            raise ValueError(
                f"depth: expected one layer or more, as many as there are units. Received: "
                f"depth={depth!r}, units={units!r}"
            )
        self.cell = one_of("cell", cell, CELLS)
        self.units = widths
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.layer_arguments = dict(layer or {})
        self.supports_masking = True
        self.supports_jit = False
        self.recurrent_layers = [
            self._make(width, last=i == len(widths) - 1) for i, width in enumerate(widths)
        ]
        self.dropouts = [
            keras.layers.Dropout(dropout, dtype=self.dtype_policy) for _ in widths[:-1]
        ]

    def _make(self, units: int, last: bool) -> keras.layers.Layer:
        kind, arguments = CELLS[self.cell]
        arguments = arguments | self.layer_arguments
        arguments |= {
            "units": units,
            "recurrent_dropout": self.recurrent_dropout,
            "return_sequences": self.return_sequences or not last,
            "return_state": self.return_state,
            "dtype": self.dtype_policy,
        }
        if not self.bidirectional:
            return kind(**arguments)
        # Both given, so that each draws its own weights.
        both = keras.layers.Bidirectional(
            kind(**arguments),
            backward_layer=kind(**arguments, go_backwards=True),
            dtype=self.dtype_policy,
        )
        for one in (both.forward_layer, both.backward_layer):
            one.at_once = 2
            # Bidirectional says otherwise where only last outputs are wanted, as stock layers need.
            one.zero_output_for_mask = True
        return both

    @property
    def states_per_layer(self) -> int:
        """How many states each layer has, those of both directions together."""
        layer = self.recurrent_layers[0]
        if self.bidirectional:
            return 2 * len(layer.forward_layer.cell.states)
        return len(layer.cell.states)

    def build(
        self, sequences_shape: Sequence[int | None], initial_state_shape: object = None
    ) -> None:
        """Makes the weights of all layers, for inputs of shape `[batch, time, features]`."""
        del initial_state_shape
        shape = tuple(sequences_shape)
        for layer, units in zip(self.recurrent_layers, self.units, strict=True):
            layer.build(shape)
            shape = (*shape[:2], units * (2 if self.bidirectional else 1))

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = False,
    ) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """Outputs `[batch, time, width]` or `[batch, width]`, and last states where asked for.

        Args:
            sequences: `[batch, time, features]`.
            initial_state: those of all layers in the order of the class, each `[batch, units]`.
            mask: bool `[batch, time]`, True where a step is real.
            training: whether dropout acts.
        """
        x, states = sequences, []
        starts = self._states_of_layers(initial_state)
        for i, (layer, start) in enumerate(zip(self.recurrent_layers, starts, strict=True)):
            if i:
                x = self.dropouts[i - 1](x, training=training)
            x = layer(x, initial_state=start, mask=mask, training=training)
            if self.return_state:
                x, *new_states = x
                states += new_states
        return (x, *states) if self.return_state else x

    def gate_activations(
        self,
        sequences: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """What every gate of every layer does with an input, by the lecture's names.

        Args:
            sequences: `[batch, time, features]`.
            initial_state, mask: as in `call`.

        Returns:
            `[batch, time, units]` each, as `layers.gate_activations` says. No dropout acts, and a
            stateful stack stays in its states.

        Example:
            >>> stack = Stack("gru", [8, 4], bidirectional=True)
            >>> gates = stack.gate_activations(tf.zeros([2, 5, 3]))
            >>> gates["layer_2/backward/gate_u"].shape
            TensorShape([2, 5, 4])
        """
        x = keras.ops.convert_to_tensor(sequences)
        if not self.built:
            self.build(tuple(x.shape))
        starts = self._states_of_layers(initial_state)
        return gates_of_layers(self.recurrent_layers, x, mask, starts)

    @property
    def stateful(self) -> bool:
        """Whether each batch starts with the last states of the batch before.

        It is, with `layer={"stateful": True}`.
        """
        return self._each_direction()[0][0].stateful

    def reset_state(self) -> None:
        """Puts a stateful stack back to its initial states; does nothing to others.

        Example:
            >>> stack = Stack("lstm", 4, depth=2, layer={"stateful": True})
            >>> first, second = stack(tf.ones([2, 5, 3])), stack(tf.ones([2, 5, 3]))
            >>> stack.reset_state()
            >>> np.array_equal(stack(tf.ones([2, 5, 3])), first)
            True
        """
        for directions in self._each_direction():
            for layer in directions:
                layer.reset_state()

    reset_states = reset_state

    def _each_direction(self) -> list[list[Recurrent]]:
        """For each depth the layer, or those of both directions."""
        return [
            [layer.forward_layer, layer.backward_layer] if self.bidirectional else [layer]
            for layer in self.recurrent_layers
        ]

    def _states_of_layers(self, initial_state: tf.Tensor | Sequence[tf.Tensor] | None) -> list:
        """The states of each layer, in the order of `initial_state`."""
        if initial_state is None:
            return [None] * len(self.recurrent_layers)
        states = list(initial_state) if isinstance(initial_state, Sequence) else [initial_state]
        count = self.states_per_layer
        if len(states) != count * len(self.recurrent_layers):
            raise ValueError(
                f"{self.name}: expected {count * len(self.recurrent_layers)} initial state(s), "
                f"{count} for each of {len(self.recurrent_layers)} layer(s). "
                f"Received: {len(states)}"
            )
        return [states[i : i + count] for i in range(0, len(states), count)]

    def get_initial_state(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """The states of all layers before the first step, each `[batch, units]`.

        They are in the order of `initial_state`.

        Example:
            >>> [state.shape for state in Stack("gru", [8, 4]).get_initial_state(2)]
            [TensorShape([2, 8]), TensorShape([2, 4])]
        """
        each = self._each_direction()
        return [s for pair in each for layer in pair for s in layer.get_initial_state(batch_size)]

    def step(self, x: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step of all layers, from the lowest up, as `layers.recurrent.Recurrent.step` does.

        Args:
            x: x<t>, `[batch, features]`.
            states: those of all layers before the step, each `[batch, units]`.

        Returns:
            The output of the last layer, `[batch, units]`, and the new states in the same order. No
            dropout acts.

        Raises:
            ValueError: the stack is bidirectional: it cannot read what is yet to come.

        Example:
            >>> stack = Stack("gru", [8, 4])
            >>> stack.build((None, None, 3))
            >>> output, states = stack.step(tf.ones([2, 3]), stack.get_initial_state(2))
            >>> output.shape
            TensorShape([2, 4])
        """
        if self.bidirectional:
            raise ValueError(
                "step: expected a stack of one direction, since a step cannot read what is yet to "
                "come. Received: a bidirectional stack"
            )
        new_states: list[tf.Tensor] = []
        befores = self._states_of_layers(states)
        for layer, before in zip(self.recurrent_layers, befores, strict=True):
            x, some = layer.step(x, before)
            new_states += some
        return x, new_states

    def compute_output_shape(
        self, sequences_shape: Sequence[int | None], initial_state_shape: object = None
    ) -> tuple:
        """The shape of the output, or a tuple of those of the output and the last states."""
        del initial_state_shape
        batch, time = sequences_shape[:2]
        width = self.units[-1] * (2 if self.bidirectional else 1)
        output = (batch, time, width) if self.return_sequences else (batch, width)
        if not self.return_state:
            return output
        states = [(batch, units) for units in self.units for _ in range(self.states_per_layer)]
        return (output, *states)

    def compute_mask(
        self, inputs: object, mask: tf.Tensor | Sequence[tf.Tensor] | None = None
    ) -> tf.Tensor | list[tf.Tensor | None] | None:
        """The mask `[batch, time]` as it came; None for an output without time."""
        if isinstance(mask, Sequence):
            mask = mask[0]
        mask = mask if self.return_sequences else None
        if not self.return_state:
            return mask
        return [mask] + [None] * (self.states_per_layer * len(self.units))

    def get_config(self) -> dict:
        """The arguments that make the same stack, as Keras saves them."""
        return {
            **super().get_config(),
            "cell": self.cell,
            "units": self.units,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "layer": self.layer_arguments,
        }
