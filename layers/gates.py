"""What the gates do with an input, in every layer and direction."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from layers.recurrent import Recurrent


def gate_activations(
    layer: keras.layers.Layer,
    sequences: tf.Tensor,
    mask: tf.Tensor | None = None,
    initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
) -> dict[str, tf.Tensor]:
    """What every gate does with an input, by the lecture's names.

    Args:
        layer: `RNN`, `GRU` or `LSTM`, `keras.layers.Bidirectional` of one, or `Stack`.
        sequences: `[batch, time, features]`.
        mask: bool `[batch, time]`, True where a step is real.
        initial_state: as the layer takes it.

    Returns:
        `[batch, time, units]` each, in the order of time, by the names of
        `layers.recurrent.Recurrent.gate_activations`. Before the name stands the direction,
        `"forward/gate_u"`, and in a stack the layer, `"layer_1/gate_u"` for the lowest one or
        `"layer_1/forward/gate_u"`. Padded steps are zeros. No dropout acts.

    Raises:
        ValueError: the layer is none of these.

    Example:
        >>> both = keras.layers.Bidirectional(RNN(4))
        >>> list(gate_activations(both, tf.zeros([2, 5, 3])))
        ['forward/a', 'backward/a']
    """
    if not isinstance(layer, keras.layers.Bidirectional):
        # A stack goes through its layers with this function, and so cannot be known here.
        if not hasattr(layer, "gate_activations"):
            raise ValueError(
                "gate_activations: expected layers.RNN, GRU, LSTM or Stack, or "
                "keras.layers.Bidirectional of one. Received: "
                f"{type(layer).__module__}.{type(layer).__name__}. layers.from_keras makes one of "
                "these of a stock layer; of a model, give the layers one by one."
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
