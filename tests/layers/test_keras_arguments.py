"""Arguments, configs and inputs that code written for Keras' layers brings along."""

import inspect

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from layers import GRU, LSTM, RNN, Stack, from_keras, to_keras

PAIRS = [(RNN, keras.layers.SimpleRNN), (GRU, keras.layers.GRU), (LSTM, keras.layers.LSTM)]
every_pair = pytest.mark.parametrize(("ours", "stock"), PAIRS, ids=lambda c: c.__name__)
WITH_STOCK = [case for case in cases.PLAIN if case.name != "gru_simplified"]
X = cases.normal(3, 7, 2).astype("float32")
EMPTY_ROW = cases.MASK * np.array([[1], [0], [1]], bool)


# --- Padded steps --------------------------------------------------------------------------------


# What is repeated, in every cell; the cell knows nothing of the rest: directions, compiled or not,
# one state or two, with sequences or without.
@pytest.mark.parametrize(
    ("case", "reverse", "sequences", "zeros", "jit"),
    [
        *[(case, True, True, False, False) for case in WITH_STOCK],
        (cases.PLAIN[2], False, True, False, True),
        (cases.PLAIN[-1], True, True, False, True),
        (cases.PLAIN[0], False, True, True, False),
        (cases.PLAIN[-1], True, True, True, False),
        (cases.PLAIN[2], False, False, False, False),
        (cases.PLAIN[-1], True, False, False, True),
        (cases.PLAIN[-1], False, False, True, False),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_padded_steps_give_what_keras_gives(case, reverse, sequences, zeros, jit):
    layer = case.make(return_sequences=sequences, return_state=True, go_backwards=reverse, jit=jit)
    layer.zero_output_for_mask = zeros
    stock = to_keras(layer)
    stock.zero_output_for_mask = zeros
    results = layer(X, mask=EMPTY_ROW, training=jit)
    expected = stock(X, mask=EMPTY_ROW)
    if zeros and not sequences:  # Keras' last output is that of the last step, ours the last state
        results, expected = results[1:], expected[1:]
    cases.assert_close(results, expected)


@pytest.mark.parametrize(
    ("case", "reverse", "compiled"),
    [
        (cases.PLAIN[0], True, False),
        (cases.PLAIN[2], False, False),
        (cases.PLAIN[-1], True, False),
        (cases.PLAIN[-1], False, True),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_repeated_outputs_have_the_gradient_of_the_step_they_repeat(case, reverse, compiled):
    arguments = {
        "return_sequences": True,
        "return_state": True,
        "go_backwards": reverse,
        "zero_output_for_mask": False,
    }
    x, states = cases.inputs(case)
    by_hand = case.make(jit=compiled, **arguments)
    automatic = case.make(jit=False, gradient="automatic", **arguments)
    for mask in (cases.MASK, EMPTY_ROW):
        cases.assert_close(
            cases.gradients(by_hand, x, states, mask), cases.gradients(automatic, x, states, mask)
        )


def test_served_graphs_repeat_outputs_too():
    layer = LSTM(4, return_sequences=True, zero_output_for_mask=False)
    expected = layer(X, mask=cases.MASK)
    specs = [tf.TensorSpec([None, None, 2]), tf.TensorSpec([None, None], tf.bool)]
    served = tf.function(lambda x, mask: layer(x, mask=mask), input_signature=specs)
    for rows in (slice(0, 1), slice(0, 3)):
        cases.assert_close(served(X[rows], cases.MASK[rows]), expected[rows], 1e-6)


# --- Both directions -----------------------------------------------------------------------------


# Every cell with what reaches the loop, one of them with all ways to merge what comes out of it.
@pytest.mark.parametrize(
    ("ours", "stock", "sequences", "return_state", "merge_mode", "mask"),
    [
        *[(*pair, True, True, "concat", EMPTY_ROW) for pair in PAIRS],
        *[(*pair, False, True, "sum", None) for pair in PAIRS],
        *[(*PAIRS[0], True, False, mode, EMPTY_ROW) for mode in ("mul", "ave", None)],
        (*PAIRS[0], False, True, None, None),
    ],
)
@without_graphs
def test_both_directions_give_what_keras_gives(
    ours, stock, sequences, return_state, merge_mode, mask
):
    theirs = keras.layers.Bidirectional(
        stock(4, return_sequences=sequences, return_state=return_state), merge_mode=merge_mode
    )
    expected = theirs(X, mask=mask)
    both = from_keras(theirs)
    assert isinstance(both.forward_layer, ours)
    cases.assert_close(tf.nest.flatten(both(X, mask=mask)), tf.nest.flatten(expected), 1e-5)
    start = [cases.normal(3, 4, seed=i).astype("float32") for i in range(2 if ours != LSTM else 4)]
    cases.assert_close(
        tf.nest.flatten(both(X, mask=mask, initial_state=start)),
        tf.nest.flatten(theirs(X, mask=mask, initial_state=start)),
        1e-5,
    )
    symbolic = tf.nest.flatten(both(keras.Input((7, 2))))
    assert [tuple(s.shape)[1:] for s in symbolic] == [
        tuple(e.shape)[1:] for e in tf.nest.flatten(expected)
    ]


@every_pair
@without_graphs
def test_both_directions_start_as_keras_backwards_first(ours, stock):
    both = keras.layers.Bidirectional(
        ours(4, go_backwards=True), backward_layer=ours(3, go_backwards=False)
    )
    assert both(X).shape == (3, 7)


# --- Arguments -----------------------------------------------------------------------------------


@every_pair
def test_arguments_stand_in_the_order_of_keras(ours, stock):
    def by_position(layer):
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
        parameters = inspect.signature(layer.__init__).parameters.values()
        return {p.name: p.default for p in parameters if p.kind in kinds}

    expected, found = by_position(stock), by_position(ours)
    assert list(found) == list(expected)
    expected.pop("reset_after", None), found.pop("reset_after", None)
    assert found == expected


@every_pair
@without_graphs
def test_what_older_versions_of_keras_had_changes_nothing(ours, stock):
    for implementation in (0, 1, 2):
        layer = ours(4, implementation=implementation, time_major=False, unroll=True)
        assert layer(X).shape == (3, 4)
    with pytest.raises(ValueError, match=r"time_major: expected inputs with the batch first"):
        ours(4, time_major=True)


def test_reset_after_is_refused_with_the_argument_to_use():
    for value, name in ((True, "after"), (False, "before")):
        with pytest.raises(ValueError, match=f"reset_gate='{name}'"):
            GRU(4, reset_after=value)


@pytest.mark.parametrize("value", ["auto", True, False])
@pytest.mark.parametrize("layer", [GRU, LSTM])
def test_use_cudnn_is_kept(layer, value):
    assert layer(4, use_cudnn=value).use_cudnn == value
    assert layer.from_config(layer(4, use_cudnn=value).get_config()).use_cudnn == value
    both = keras.layers.Bidirectional(layer(4, use_cudnn=value))
    assert both.forward_layer.use_cudnn == both.backward_layer.use_cudnn == value
    with pytest.raises(ValueError, match="use_cudnn: expected one of"):
        layer(4, use_cudnn="never")


@every_pair
def test_a_stock_config_loads(ours, stock):
    arguments = {
        "activation": "relu",
        "use_bias": False,
        "kernel_regularizer": "l2",
        "recurrent_constraint": "unit_norm",
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "unroll": True,
        "name": "reader",
        "dtype": "float64",
    }
    theirs = stock(4, **arguments)
    config = theirs.get_config()
    for legacy in ({}, {"implementation": 1, "time_major": False}):
        layer = ours.from_config({**config, **legacy})
        mine = layer.get_config()
        assert {name: mine[name] for name in config if name in mine} == {
            name: value for name, value in config.items() if name in mine
        }
        assert layer.compute_output_shape(X.shape)[0] == (3, 7, 4)
        # As `layers.from_keras` has it, which reads the layer.
        assert mine["zero_output_for_mask"] == from_keras(theirs).zero_output_for_mask


def test_a_stock_gru_config_says_the_reset_gate():
    for reset_after, expected in ((True, "after"), (False, "before")):
        config = keras.layers.GRU(4, reset_after=reset_after).get_config()
        assert GRU.from_config(config).reset_gate == expected


# --- Inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "dtype", "policy"),
    [
        (cases.PLAIN[0], "float64", "float32"),
        (cases.PLAIN[2], "int32", "float32"),
        (cases.PLAIN[3], "bool", "mixed_bfloat16"),
        (cases.PLAIN[-1], "float64", "mixed_bfloat16"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
@without_graphs
def test_numbers_of_any_type_are_cast_as_keras_casts(case, dtype, policy):
    layer = case.make(dtype=policy, return_sequences=True)
    x = np.abs(np.round(2 * X)).astype(dtype)
    expected = layer(x.astype("float32"))
    assert expected.dtype == layer.compute_dtype
    for given in (x, tf.constant(x)):
        cases.assert_close([layer(given)], [expected], 1e-6)
    step, _ = layer.step(x[:, 0], layer.get_initial_state(3))
    rounding = 1e-6 if policy == "float32" else 2e-2
    cases.assert_close([step], [expected[:, 0]], rounding)
    gates = layer.gate_activations(x)[layer.cell.states[0]]
    cases.assert_close([gates], [expected], rounding)


def test_strings_are_refused():
    with pytest.raises((ValueError, TypeError)):
        RNN(4)(np.full([3, 7, 2], "a"))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@without_graphs
def test_masks_of_numbers_are_masks(dtype):
    layer = cases.PLAIN[0].make(return_sequences=True)
    expected = layer(X, mask=cases.MASK)
    cases.assert_close(layer(X, mask=cases.MASK.astype(dtype)), expected, 0)


@pytest.mark.parametrize(("training", "jit"), [(False, False), (True, True)])
def test_outputs_say_the_sizes_that_are_known(training, jit):
    stack = Stack("rnn", [4, 3], layer={"jit": jit})
    for shape in ([3, 7, 2], [3, None, 2], [None, 7, 2], [None, None, 2]):
        graph = tf.function(lambda x: stack(x, training=training), autograph=False)
        outputs = graph.get_concrete_function(tf.TensorSpec(shape)).structured_outputs
        assert outputs.shape.as_list() == [*shape[:2], 3]
