"""Weights from and to Keras and PyTorch.

What is called what, for the same function:

    lecture            Keras                          PyTorch
    a<t>, Γo ...       h, gates i f c o               h, gates i f g o
    Γu                 1 - z: weights negated         1 - z: weights negated
    W_x, W_a           kernel, recurrent_kernel       weight_ih, weight_hh (transposed)
    b                  bias (two rows if reset_after) bias_ih + bias_hh
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from layers.gru import GRU
from layers.lstm import LSTM
from layers.recurrent import Recurrent
from layers.rnn import RNN
from layers.stack import Stack

_SHARED_ARGUMENTS = (
    "name",
    "units",
    "activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "seed",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "dtype",
)


def from_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer of this package with the function and weights of a Keras layer.

    Args:
        layer: `keras.layers.SimpleRNN`, `GRU`, `LSTM`, or `Bidirectional` of one. If it is built,
            its weights are copied: kernel `[features, gates * units]`, recurrent kernel
            `[units, gates * units]`, bias `[gates * units]` or `[2, gates * units]`.

    Returns:
        `RNN`, `GRU` or `LSTM`, or `keras.layers.Bidirectional` of one. Keras'
        `GRU(reset_after=True)`, Keras' default, becomes `GRU(reset_gate="after")`. What padded
        steps give stays too: `zero_output_for_mask` is False in Keras by default.

    Raises:
        ValueError: for another layer, or gates whose activation has no mirror: Keras' update gate
            is 1 - Γu, and only for σ and hard_sigmoid 1 - g(z) = g(-z).

    Example:
        >>> from_keras(keras.layers.GRU(4)).reset_gate
        'after'
    """
    if isinstance(layer, keras.layers.Bidirectional):
        return _convert_both_directions(layer, from_keras)
    config = layer.get_config()
    arguments = {name: config[name] for name in _SHARED_ARGUMENTS if name in config}
    for name in ("zero_output_for_mask", "use_cudnn"):  # the latter is in no config of Keras
        if hasattr(layer, name):
            arguments[name] = getattr(layer, name)
    if isinstance(layer, keras.layers.SimpleRNN):
        # Keras leaves the seed out of this layer's config.
        ours = RNN(**arguments, seed=layer.cell.seed)
    elif isinstance(layer, keras.layers.LSTM):
        ours = LSTM(
            **arguments,
            recurrent_activation=config["recurrent_activation"],
            unit_forget_bias=config["unit_forget_bias"],
        )
    elif isinstance(layer, keras.layers.GRU):
        ours = GRU(
            **arguments,
            recurrent_activation=config["recurrent_activation"],
            reset_gate="after" if config["reset_after"] else "before",
        )
        _require_mirrored_gates(ours)
    else:
        raise ValueError(
            "from_keras: expected keras.layers.SimpleRNN, GRU, LSTM, or Bidirectional of one. "
            f"Received: {type(layer).__module__}.{type(layer).__name__}"
        )
    if layer.built:
        kernel, recurrent_kernel, *bias = layer.cell.get_weights()
        ours.build((*_batch(layer), None, kernel.shape[0]))
        weights = [kernel, recurrent_kernel, *bias]
        if isinstance(ours, GRU):
            weights = _mirror_update_gate(weights)
            if bias and ours.reset_gate == "after":
                weights[2:] = _one_bias(weights[2])
        _set(ours, weights)
    return ours


def to_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The Keras layer with the function and weights of a layer of this package.

    Args:
        layer: `RNN`, `GRU` or `LSTM`, or `keras.layers.Bidirectional` of one.

    Returns:
        `keras.layers.SimpleRNN`, `GRU` or `LSTM`, or `Bidirectional` of one.

    Raises:
        ValueError: where Keras has no such function: the simplified GRU, an LSTM whose output
            activation differs from its activation, an initial state other than zeros, layer
            normalization, zoneout.

    Example:
        >>> to_keras(GRU(4)).reset_after
        False
    """
    if isinstance(layer, keras.layers.Bidirectional):
        return _convert_both_directions(layer, to_keras)
    if not isinstance(layer, Recurrent):
        raise ValueError(
            "to_keras: expected layers.RNN, GRU, LSTM, or keras.layers.Bidirectional of one. "
            f"Received: {type(layer).__module__}.{type(layer).__name__}"
        )
    _require_zero_start(layer, "Keras")
    _require_plain_steps(layer, "Keras")
    config = layer.get_config()
    arguments = {name: config[name] for name in _SHARED_ARGUMENTS}
    # Without sequences, zeros would take the place of the last state where the end is padding.
    arguments["zero_output_for_mask"] = layer.zero_output_for_mask and layer.return_sequences
    if not isinstance(layer, RNN):
        arguments["use_cudnn"] = config["use_cudnn"]
    if isinstance(layer, RNN):
        theirs = keras.layers.SimpleRNN(**arguments)
    elif isinstance(layer, LSTM):
        _require_one_activation(layer, "Keras")
        theirs = keras.layers.LSTM(
            **arguments,
            recurrent_activation=config["recurrent_activation"],
            unit_forget_bias=config["unit_forget_bias"],
        )
    else:
        _require_reset_gate(layer, ("before", "after"), "Keras")
        _require_mirrored_gates(layer)
        theirs = keras.layers.GRU(
            **arguments,
            recurrent_activation=config["recurrent_activation"],
            reset_after=layer.reset_gate == "after",
        )
    if layer.built:
        theirs.build((*_batch(layer), None, layer.kernel.shape[0]))
        weights = _get(layer)
        if isinstance(layer, GRU):
            weights = _mirror_update_gate(weights)
            if layer.use_bias and layer.reset_gate == "after":
                weights[2:] = [_two_biases(*weights[2:])]
        theirs.cell.set_weights(weights)
    return theirs


def from_torch(
    state_dict: Mapping[str, np.ndarray], cell: str, activation: str = "tanh", **arguments: Any
) -> Stack:
    """The stack with the function and weights of PyTorch's `nn.RNN`, `nn.GRU` or `nn.LSTM`.

    Args:
        state_dict: the module's state dict as NumPy arrays:
            `{name: tensor.numpy() for name, tensor in module.state_dict().items()}`. For each
            layer and direction `weight_ih` `[gates * units, features]`, `weight_hh`
            `[gates * units, units]`, and, with biases, `bias_ih` and `bias_hh` `[gates * units]`.
        cell: which module it comes from: `"rnn"`, `"gru_reset_after"` (`nn.GRU`) or `"lstm"`.
        activation: `"tanh"`, or `"relu"` for `nn.RNN(nonlinearity="relu")`.
        **arguments: further arguments of `Stack`, such as `dropout`. Outputs are batch first.

    Raises:
        ValueError: for `cell="gru"`: PyTorch's GRU applies the reset gate after the recurrent
            product and the lecture's before it, so that no weights make them the same function;
            for a state dict that is not of such a module.

    Example:
        >>> w = {"weight_ih_l0": np.zeros((8, 3)), "weight_hh_l0": np.zeros((8, 2)),
        ...      "bias_ih_l0": np.zeros(8), "bias_hh_l0": np.zeros(8)}
        >>> from_torch(w, "lstm").units
        [2]
    """
    _require_torch_cell(cell, "from_torch")
    gates = {"rnn": 1, "gru_reset_after": 3, "lstm": 4}[cell]
    depth = sum(name.startswith("weight_hh_l") and "reverse" not in name for name in state_dict)
    bidirectional = "weight_hh_l0_reverse" in state_dict
    use_bias = "bias_ih_l0" in state_dict
    directions = ("", "_reverse") if bidirectional else ("",)
    kinds = ("weight_ih", "weight_hh") + (("bias_ih", "bias_hh") if use_bias else ())
    names = {f"{kind}_l{i}{d}" for kind in kinds for i in range(depth) for d in directions}
    if not depth or set(state_dict) != names:
        raise ValueError(
            "from_torch: expected the state dict of one nn.RNN, nn.GRU or nn.LSTM without "
            f"projections, with entries {sorted(names) or ['weight_ih_l0', 'weight_hh_l0']}. "
            f"Received: {sorted(state_dict)}"
        )
    units = state_dict["weight_hh_l0"].shape[1]
    rows = state_dict["weight_hh_l0"].shape[0]
    if rows != gates * units:
        raise ValueError(
            f"from_torch: expected weight_hh_l0 of shape ({gates * units}, {units}) for "
            f"cell={cell!r}. Received shape: {state_dict['weight_hh_l0'].shape}"
        )
    stack = Stack(
        cell,
        units,
        depth,
        bidirectional,
        layer={"activation": activation, "use_bias": use_bias},
        **arguments,
    )
    stack.build((None, None, state_dict["weight_ih_l0"].shape[1]))
    for i, layer in enumerate(stack.recurrent_layers):
        for direction, one in zip(directions, _directions(layer), strict=True):
            arrays = [np.asarray(state_dict[f"{kind}_l{i}{direction}"]) for kind in kinds]
            weights = [arrays[0].T, arrays[1].T]
            if use_bias:
                weights.append(np.stack(arrays[2:]))
            if cell == "gru_reset_after":
                weights = _mirror_update_gate([_swap_r_and_z(w) for w in weights])
                if use_bias:
                    weights[2:] = _one_bias(weights[2])
            elif use_bias:
                weights[2] = weights[2].sum(axis=0)
            _set(one, weights)
    return stack


def to_torch(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """The state dict for PyTorch's `nn.RNN`, `nn.GRU` or `nn.LSTM`, as NumPy arrays.

    Args:
        layer: a built `Stack`, `RNN`, `GRU` or `LSTM`, or `keras.layers.Bidirectional` of one. All
            layers of a stack have the same width; a GRU has `reset_gate="after"`.

    Returns:
        The arrays that `from_torch` takes, by the same names and of the same shapes.

    Raises:
        ValueError: where PyTorch has no such function; the message says why.

    Example:
        >>> layer = LSTM(2)
        >>> layer.build((None, None, 3))
        >>> sorted(to_torch(layer))
        ['bias_hh_l0', 'bias_ih_l0', 'weight_hh_l0', 'weight_ih_l0']
    """
    layers = layer.recurrent_layers if isinstance(layer, Stack) else [layer]
    if isinstance(layer, Stack) and len(set(layer.units)) > 1:
        raise ValueError(
            "to_torch: a PyTorch module has layers of one width. "
            f"Received a stack with units={layer.units}"
        )
    state_dict: dict[str, np.ndarray] = {}
    for i, both in enumerate(layers):
        for direction, one in zip(("", "_reverse"), _directions(both), strict=False):
            _require_torch_layer(one)
            weights = _get(one)
            if isinstance(one, GRU):
                weights = _mirror_update_gate(weights)
                if one.use_bias:
                    weights[2:] = [_two_biases(*weights[2:])]
                weights = [_swap_r_and_z(w) for w in weights]
            elif one.use_bias:
                weights[2] = np.stack([weights[2], np.zeros_like(weights[2])])
            end = f"_l{i}{direction}"
            state_dict |= {"weight_ih" + end: weights[0].T, "weight_hh" + end: weights[1].T}
            if one.use_bias:
                state_dict |= {"bias_ih" + end: weights[2][0], "bias_hh" + end: weights[2][1]}
    return state_dict


# --- Lists of weights: [kernel, recurrent_kernel, bias ...] --------------------------------------


def _get(layer: Recurrent) -> list[np.ndarray]:
    layer.require_built("conversion")
    variables = [layer.kernel, layer.recurrent_kernel, layer.bias, layer.recurrent_bias]
    return [keras.ops.convert_to_numpy(v) for v in variables if v is not None]


def _set(layer: Recurrent, weights: list[np.ndarray]) -> None:
    variables = [layer.kernel, layer.recurrent_kernel, layer.bias, layer.recurrent_bias]
    for variable, value in zip([v for v in variables if v is not None], weights, strict=True):
        variable.assign(value)


def _mirror_update_gate(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Γu = 1 - z: σ(-x) = 1 - σ(x), so the weights of the first of three gates change sign."""

    def mirror(w: np.ndarray) -> np.ndarray:
        w = w.copy()
        w[..., : w.shape[-1] // 3] *= -1
        return w

    # The bias inside the product belongs to the candidate alone.
    return [mirror(w) for w in weights[:3]] + [w.copy() for w in weights[3:]]


def _swap_r_and_z(w: np.ndarray) -> np.ndarray:
    """Columns r, z, n, as PyTorch orders them, to z, r, n; and back."""
    first, second, third = np.split(w, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def _one_bias(biases: np.ndarray) -> list[np.ndarray]:
    """Two biases for each gate to their sums, but for the candidate: b_c and b_cc."""
    units = biases.shape[1] // 3
    bias = biases[0] + np.concatenate([biases[1, : 2 * units], np.zeros(units, biases.dtype)])
    return [bias, biases[1, 2 * units :]]


def _two_biases(bias: np.ndarray, recurrent_bias: np.ndarray) -> np.ndarray:
    recurrent = np.zeros_like(bias)
    recurrent[-recurrent_bias.shape[0] :] = recurrent_bias
    return np.stack([bias, recurrent])


def _directions(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def _convert_both_directions(
    layer: keras.layers.Bidirectional, convert: Callable
) -> keras.layers.Bidirectional:
    both = keras.layers.Bidirectional(
        convert(layer.forward_layer),
        merge_mode=layer.merge_mode,
        backward_layer=convert(layer.backward_layer),
        name=layer.name,
        dtype=layer.dtype_policy,
    )
    # Bidirectional makes its own copy of the first layer, without weights.
    if layer.built:
        source = convert(layer.forward_layer)
        kernel = source.weights[0]
        both.build((*_batch(layer.forward_layer), None, kernel.shape[0]))
        both.forward_layer.set_weights(source.get_weights())
        both.backward_layer.set_weights(convert(layer.backward_layer).get_weights())
    return both


def _batch(layer: keras.layers.Layer) -> tuple[int | None]:
    states = layer.states
    return (states[0].shape[0],) if layer.stateful and states else (None,)


# --- Where no conversion exists ------------------------------------------------------------------


def _require_mirrored_gates(layer: GRU) -> None:
    gate = layer.recurrent_activation
    if not (gate.is_("sigmoid") or gate.is_("hard_sigmoid")):
        raise ValueError(
            "GRU conversion: Keras' update gate z is 1 - Γu, which weights can express only where "
            "1 - g(z) = g(-z), as for 'sigmoid' and 'hard_sigmoid'. "
            f"Received: recurrent_activation={gate.config!r}"
        )


def _require_zero_start(layer: Recurrent, other: str) -> None:
    if layer.starts_elsewhere:
        raise ValueError(
            f"{layer.name}: {other}'s layers start from zeros; this one has an initial state of "
            "its own, layer.start. Convert one without, and give it these as initial_state in "
            f"every call. Received: learn_initial_state={layer.learn_initial_state}"
        )


def _require_plain_steps(layer: Recurrent, other: str) -> None:
    if layer.layer_normalization or layer.zones_out:
        raise ValueError(
            f"{layer.name}: {other}'s layers have neither layer normalization nor zoneout, and no "
            f"weights make up for them. Received: layer_normalization={layer.layer_normalization}, "
            f"zoneout={layer.zoneout}"
        )


def _require_one_activation(layer: LSTM, other: str) -> None:
    if layer.output_activation != layer.activation:
        raise ValueError(
            f"{layer.name}: {other}'s LSTM has one activation for the candidate and the output. "
            f"Received: activation={layer.activation.config!r}, "
            f"output_activation={layer.output_activation.config!r}"
        )


def _require_reset_gate(layer: GRU, allowed: tuple, other: str) -> None:
    if layer.reset_gate not in allowed:
        raise ValueError(
            f"{layer.name}: {other}'s GRU always has a reset gate, and no weights make it the "
            f"function of reset_gate={layer.reset_gate!r}. Convertible: reset_gate in "
            f"{list(allowed)}."
        )


def _require_torch_cell(cell: str, call: str) -> None:
    if cell in ("gru", "gru_simplified"):
        raise ValueError(
            f"{call}: PyTorch's GRU is another function than the lecture's (cell={cell!r}): it "
            "multiplies the reset gate with the recurrent product, Γr * (W_cc c<t-1> + b_cc), and "
            "the lecture with the state, W_cc (Γr * c<t-1>). No weights make the two equal. "
            "Use cell='gru_reset_after', which is PyTorch's form."
        )
    if cell not in ("rnn", "gru_reset_after", "lstm"):
        raise ValueError(
            f"{call}: expected cell 'rnn', 'gru_reset_after' or 'lstm'. Received: {cell!r}"
        )


def _require_torch_layer(layer: keras.layers.Layer) -> None:
    if not isinstance(layer, Recurrent):
        raise ValueError(
            "to_torch: expected layers.Stack, RNN, GRU, LSTM or Bidirectional of one. "
            f"Received: {type(layer).__module__}.{type(layer).__name__}"
        )
    _require_zero_start(layer, "PyTorch")
    _require_plain_steps(layer, "PyTorch")
    if isinstance(layer, GRU):
        cells = {"before": "gru", None: "gru_simplified", "after": "gru_reset_after"}
        _require_torch_cell(cells[layer.reset_gate], "to_torch")
    allowed = ("tanh", "relu") if isinstance(layer, RNN) else ("tanh",)
    gates = getattr(layer, "recurrent_activation", None)
    if isinstance(layer, LSTM):
        _require_one_activation(layer, "PyTorch")
    if not any(layer.activation.is_(name) for name in allowed) or (
        gates is not None and not gates.is_("sigmoid")
    ):
        raise ValueError(
            f"{layer.name}: PyTorch's layer has the activation {' or '.join(allowed)} and logistic "
            f"gates. Received: activation={layer.activation.config!r}, "
            f"recurrent_activation={gates.config if gates else None!r}"
        )
