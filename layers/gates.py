"""What the gates do with an input, in every layer and direction, alone and inside a model."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.recurrent import Recurrent


def gate_activations(
    layer: keras.layers.Layer,
    sequences: tf.Tensor,
    mask: tf.Tensor | None = None,
    initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
    model: keras.Model | None = None,
) -> dict[str, tf.Tensor]:
    """What every gate does with an input, by the lecture's names.

    Args:
        layer: `RNN`, `GRU` or `LSTM`, `keras.layers.Bidirectional` of one, or `Stack`.
        sequences: `[batch, time, features]`; or, with a `model`, its inputs.
        mask: bool `[batch, time]`, True where a step is real.
        initial_state: as the layer takes it.
        model: that has the layer. It is called on its inputs, and the layer shows what its gates do
            with the sequences, mask and initial state that reach it.

    Returns:
        `[batch, time, units]` each, in the order of time, by the names of
        `layers.recurrent.Recurrent.gate_activations`. Before the name stands the direction,
        `"forward/gate_u"`, and in a stack the layer, `"layer_1/gate_u"` for the lowest one or
        `"layer_1/forward/gate_u"`. Padded steps are zeros. No dropout acts, and a stateful layer
        stays in its states.

    Raises:
        ValueError: the layer is none of these; or the model does not call it, or more than once; or
            a mask or states are given beside a model.

    Example:
        >>> both = keras.layers.Bidirectional(RNN(4))
        >>> list(gate_activations(both, tf.zeros([2, 5, 3])))
        ['forward/a', 'backward/a']
        >>> model = keras.Sequential([keras.layers.Embedding(9, 3, mask_zero=True), both])
        >>> gates = gate_activations(both, np.array([[4, 2, 0]]), model=model)
        >>> gates["backward/a"].shape
        TensorShape([1, 3, 4])
    """
    if model is not None:
        if mask is not None or initial_state is not None:
            raise ValueError(
                "gate_activations: expected the inputs of the model alone, which gives its layer "
                "mask and states. Received: mask or initial_state"
            )
        return gate_activations(layer, **_what_reaches(layer, model, sequences))

    if not isinstance(layer, keras.layers.Bidirectional):
        # A stack goes through its layers with this function, and so cannot be known here.
        if not hasattr(layer, "gate_activations"):
            raise ValueError(
                "gate_activations: expected layers.RNN, GRU, LSTM or Stack, or "
                "keras.layers.Bidirectional of one. Received: "
                f"{type(layer).__module__}.{type(layer).__name__}. layers.from_keras makes one of "
                "these of a stock layer; of a model, give one of its layers and model=."
            )
        return layer.gate_activations(sequences, initial_state=initial_state, mask=mask)

    directions = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    if not all(isinstance(one, Recurrent) for one in directions.values()):
        raise ValueError(
            "gate_activations: expected keras.layers.Bidirectional of layers.RNN, GRU or LSTM. "
            f"Received one of: {type(layer.forward_layer).__module__}."
            f"{type(layer.forward_layer).__name__}. layers.from_keras converts stock layers."
        )
    sequences = keras.ops.convert_to_tensor(sequences)
    if not layer.built:
        layer.build(tuple(sequences.shape))
    states: list = [None, None]
    if initial_state is not None:
        half = len(initial_state) // 2
        states = [initial_state[:half], initial_state[half:]]
    return {
        f"{direction}/{name}": values
        for (direction, one), start in zip(directions.items(), states, strict=True)
        for name, values in one.gate_activations(sequences, start, mask).items()
    }


def gates_of_layers(
    layers: Sequence[keras.layers.Layer],
    sequences: tf.Tensor,
    mask: tf.Tensor | None = None,
    initial_states: Sequence[Sequence[tf.Tensor] | None] | None = None,
) -> dict[str, tf.Tensor]:
    """What every gate of layers does, each of which reads the outputs of the one before.

    Args:
        layers: `RNN`, `GRU` or `LSTM`, or `keras.layers.Bidirectional` of one, the lowest first.
        sequences: what the lowest one reads, `[batch, time, features]`.
        mask: bool `[batch, time]`, True where a step is real.
        initial_states: of each layer, as it takes them, or None.

    Returns:
        As `gate_activations` of a stack: `[batch, time, units]` each.

    Example:
        >>> gates = gates_of_layers([RNN(4), GRU(2, reset_gate=None)], tf.zeros([2, 5, 3]))
        >>> list(gates)
        ['layer_1/a', 'layer_2/gate_u', 'layer_2/c_tilde', 'layer_2/c']
    """
    x = sequences
    named: dict[str, tf.Tensor] = {}
    starts = initial_states or [None] * len(layers)
    for number, (layer, start) in enumerate(zip(layers, starts, strict=True), start=1):
        here = gate_activations(layer, x, mask, start)
        named |= {f"layer_{number}/{name}": values for name, values in here.items()}
        # The output is the first state, that of both directions side by side.
        output = getattr(layer, "forward_layer", layer).cell.states[0]
        x = tf.concat([v for name, v in here.items() if name.split("/")[-1] == output], axis=-1)
    return named


def _what_reaches(layer: keras.layers.Layer, model: keras.Model, inputs: object) -> dict:
    """The arguments `sequences`, `mask` and `initial_state` of a layer in a call of its model."""
    call, calls = layer.call, []

    def listen(*args: Any, **kwargs: Any) -> Any:
        # In the states before the call, which a stateful layer leaves behind.
        given = inspect.signature(call).bind(*args, **kwargs).arguments
        calls.append({name: given.get(name) for name in ("sequences", "mask", "initial_state")})
        return call(*args, **kwargs)

    layer.call = listen
    try:
        model(inputs, training=False)
    finally:
        del layer.call
    if len(calls) != 1:
        raise ValueError(
            f"gate_activations: expected a model that calls {layer.name} once. Received: "
            f"{model.name}, which calls it {len(calls)} times"
        )
    return calls[0]
