"""Weights from and to Keras and PyTorch: the same function on both sides, or a refusal."""

import pathlib

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import GRU, LSTM, RNN, Stack, from_keras, from_torch, to_keras, to_torch

pytestmark = cases.without_graphs

STOCK = {
    "rnn": (keras.layers.SimpleRNN, {}),
    "rnn_relu": (keras.layers.SimpleRNN, {"activation": "relu"}),
    "gru": (keras.layers.GRU, {"reset_after": False}),
    "gru_hard": (
        keras.layers.GRU,
        {"reset_after": False, "recurrent_activation": "hard_sigmoid", "activation": "softsign"},
    ),
    "gru_reset_after": (keras.layers.GRU, {}),
    "gru_reset_after_hard": (keras.layers.GRU, {"recurrent_activation": "hard_sigmoid"}),
    "lstm": (keras.layers.LSTM, {}),
    "lstm_hard": (
        keras.layers.LSTM,
        {"recurrent_activation": "hard_sigmoid", "activation": "elu"},
    ),
}


def make_stock(name, **arguments):
    layer, own = STOCK[name]
    shared = {"dtype": "float64", "return_sequences": True, "return_state": True}
    layer = layer(cases.UNITS, **{**shared, **own, **arguments})
    layer.build((None, None, cases.FEATURES))
    cases.randomize(layer)
    return layer


def real_outputs(layer, x, mask=cases.MASK, **arguments):
    """Outputs at real steps, which is where all libraries agree, and last states."""
    outputs, *last = layer(x, mask=mask, **arguments)
    backwards = getattr(layer, "go_backwards", False)
    return [outputs.numpy()[mask[:, ::-1] if backwards else mask], *last]


# --- Keras ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "use_bias", "reverse"),
    [
        *[(name, True, False) for name in STOCK],
        *[(name, False, True) for name in ("rnn", "gru", "gru_reset_after", "lstm")],
    ],
)
def test_from_keras_is_the_same_function_and_to_keras_goes_back(name, use_bias, reverse):
    theirs = make_stock(name, use_bias=use_bias, go_backwards=reverse)
    ours = from_keras(theirs)
    again = to_keras(ours)
    assert type(again) is type(theirs)
    x = cases.normal(cases.BATCH, cases.TIME, cases.FEATURES)
    start = [cases.normal(cases.BATCH, cases.UNITS, seed=i) for i in range(len(ours.state_size))]
    expected = real_outputs(theirs, x, initial_state=start)
    cases.assert_close(real_outputs(ours, x, initial_state=start), expected)
    cases.assert_close(real_outputs(again, x, initial_state=start), expected)


@pytest.mark.parametrize(
    "case", [c for c in cases.PLAIN if c.name != "gru_simplified"], ids=lambda case: case.name
)
def test_to_keras_and_back_keeps_the_weights(case):
    ours = case.make()
    cases.assert_close(from_keras(to_keras(ours)).get_weights(), ours.get_weights(), 0)


@pytest.mark.parametrize(
    ("name", "merge_mode"),
    [("rnn", "concat"), ("gru", "sum"), ("gru_reset_after", "concat"), ("lstm", "sum")],
)
def test_bidirectional_converts_both_ways(name, merge_mode):
    theirs = keras.layers.Bidirectional(
        make_stock(name, return_state=False), merge_mode=merge_mode, dtype="float64"
    )
    theirs.build((None, None, cases.FEATURES))
    cases.randomize(theirs)
    ours = from_keras(theirs)
    again = to_keras(ours)
    assert isinstance(again.forward_layer, STOCK[name][0])
    x = tf.constant(cases.normal(cases.BATCH, cases.TIME, cases.FEATURES))
    mask = tf.constant(cases.MASK)
    expected = theirs(x, mask=mask).numpy()[cases.MASK]
    cases.assert_close(ours(x, mask=mask).numpy()[cases.MASK], expected)
    cases.assert_close(again(x, mask=mask).numpy()[cases.MASK], expected)


def test_conversion_keeps_the_arguments():
    arguments = {
        "name": "reader",
        "units": 3,
        "activation": "relu",
        "use_bias": False,
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "seed": 7,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "kernel_regularizer": keras.regularizers.L2(0.5),
        "recurrent_constraint": keras.constraints.MaxNorm(2.0),
        "bias_initializer": "random_normal",
        "dtype": "float64",
    }
    for theirs in (keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM):
        config = theirs(**arguments).get_config()
        ours = from_keras(theirs(**arguments)).get_config()
        again = to_keras(from_keras(theirs(**arguments))).get_config()
        for name in set(arguments) - {"bias_initializer"}:
            assert ours[name] == config.get(name, arguments[name]), name
            assert again.get(name, arguments[name]) == ours[name], name
        assert not from_keras(theirs(**arguments)).built


def test_a_stateful_layer_stays_stateful():
    ours = cases.PLAIN[-1].make(stateful=True)
    theirs = to_keras(ours)
    again = from_keras(theirs)
    x, _ = cases.inputs(cases.PLAIN[-1])
    for _ in range(2):
        expected = ours(x)
        cases.assert_close(theirs(x), expected)
        cases.assert_close(again(x), expected)


@pytest.mark.parametrize(
    ("convert", "layer", "message"),
    [
        (to_keras, GRU(2, reset_gate=None), "always has a reset gate"),
        (to_keras, LSTM(2, output_activation=None), "one activation for the candidate and"),
        (to_keras, RNN(2, learn_initial_state=True), "start from zeros"),
        (to_keras, GRU(2, state_initializer="random_normal"), "start from zeros"),
        (to_keras, GRU(2, recurrent_activation="tanh"), "Received: recurrent_activation='tanh'"),
        (to_keras, keras.layers.Dense(2), "Received: keras.*Dense"),
        (from_keras, keras.layers.GRU(2, recurrent_activation="relu"), "1 - g.z. = g.-z."),
        (from_keras, keras.layers.Dense(2), "Received: keras.*Dense"),
        (from_keras, LSTM(2), "Received: layers.lstm.LSTM"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_keras_cannot_express_is_refused(convert, layer, message):
    with pytest.raises(ValueError, match=message):
        convert(layer)


# --- PyTorch -------------------------------------------------------------------------------------

GOLDEN = dict(np.load(pathlib.Path(__file__).parent / "golden" / "torch.npz"))
every_torch_module = pytest.mark.parametrize("module", sorted({k.split("/")[0] for k in GOLDEN}))


def golden(module):
    values = {k.split("/", 1)[1]: v for k, v in GOLDEN.items() if k.startswith(f"{module}/")}
    state_dict = {k.split("/")[1]: v for k, v in values.items() if k.startswith("state_dict/")}
    kind = module.split("-")[0]
    cell = {"gru": "gru_reset_after", "rnn_relu": "rnn"}.get(kind, kind)
    return values, state_dict, cell, "relu" if kind == "rnn_relu" else "tanh"


@every_torch_module
def test_from_torch_gives_the_outputs_and_states_of_torch(module):
    values, state_dict, cell, activation = golden(module)
    stack = from_torch(state_dict, cell, activation, return_state=True, dtype="float64")
    # PyTorch: [h or c, layer and direction, batch, units]; here a and c side by side.
    start = [state for states in np.moveaxis(values["start"], 1, 0) for state in states]
    expected = [state for states in np.moveaxis(values["last"], 1, 0) for state in states]
    outputs, *last = stack(values["x"], initial_state=start)
    cases.assert_close(outputs, values["outputs"])
    cases.assert_close(last, expected)


@every_torch_module
def test_to_torch_gives_a_state_dict_of_the_same_function(module):
    _, state_dict, cell, activation = golden(module)
    stack = from_torch(state_dict, cell, activation, dtype="float64")
    ours = to_torch(stack)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in state_dict.items()}
    again = from_torch(ours, cell, activation, dtype="float64")
    cases.assert_close(again.get_weights(), stack.get_weights(), 0)
    for name, value in state_dict.items():
        if name.startswith("weight"):
            cases.assert_close(ours[name], value, 0)


@pytest.mark.parametrize("name", ["rnn", "gru_reset_after", "lstm"])
def test_to_torch_takes_single_layers_and_both_directions(name):
    case = next(case for case in cases.PLAIN if case.name == name)
    layer = case.make(return_sequences=True)
    x, _ = cases.inputs(case)
    cases.assert_close(from_torch(to_torch(layer), name, dtype="float64")(x), layer(x))

    both = keras.layers.Bidirectional(layer, dtype="float64")
    both.build((None, None, cases.FEATURES))
    cases.randomize(both)
    cases.assert_close(from_torch(to_torch(both), name, dtype="float64")(x), both(x))


@pytest.mark.parametrize("cell", ["gru", "gru_simplified"])
def test_the_lectures_gru_is_another_function_than_torchs(cell):
    with pytest.raises(ValueError, match="No weights make the two equal"):
        from_torch({}, cell)
    with pytest.raises(ValueError, match="No weights make the two equal"):
        to_torch(Stack(cell, 2))


def built(layer):
    layer.build((None, None, 3))
    return layer


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Stack("lstm", [2, 3]), "layers of one width.*units=.2, 3."),
        (LSTM(2, output_activation=None), "one activation for the candidate"),
        (LSTM(2, activation="relu"), "activation='relu'"),
        (LSTM(2, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid'"),
        (RNN(2, activation="softsign"), "tanh or relu"),
        (RNN(2, learn_initial_state=True), "start from zeros"),
        (keras.layers.Dense(2), "Received: keras.*Dense"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_torch_cannot_express_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        to_torch(built(layer))


def test_layers_without_weights_are_refused():
    with pytest.raises(ValueError, match="has none yet"):
        to_torch(LSTM(2))


def test_state_dicts_of_other_modules_are_refused():
    state_dict = golden("lstm-1-0-1")[1]
    with pytest.raises(ValueError, match="expected cell 'rnn', 'gru_reset_after' or 'lstm'"):
        from_torch(state_dict, "transformer")
    with pytest.raises(ValueError, match=r"shape \(6, 2\).*Received shape: \(8, 2\)"):
        from_torch(state_dict, "gru_reset_after")
    with pytest.raises(ValueError, match=r"without projections.*weight_hr_l0"):
        from_torch({**state_dict, "weight_hr_l0": np.zeros((1, 2))}, "lstm")
    with pytest.raises(ValueError, match=r"Received: .'decoder.weight'."):
        from_torch({"decoder.weight": np.zeros((2, 2))}, "lstm")
