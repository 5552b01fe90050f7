"""The layers compute the lecture's equations."""

import cases
import equations
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import (
    every_case,
    every_cell,
    every_variant,
    gru_and_lstm,
    without_graphs,
)

from layers import Stack


def check_against_equations(case, mode, mask, reverse):
    layer = case.make(return_sequences=True, return_state=True, go_backwards=reverse)
    x, states = cases.inputs(case)
    outputs, last = cases.run(layer, x, states, mask, mode)
    expected, expected_last, _ = case.equations(layer, x, states, mask, reverse)
    cases.assert_close(outputs[:, ::-1] if reverse else outputs, expected)
    cases.assert_close(last, expected_last)


# Every cell in every mode, with and without a mask, in both directions; all of these with the cell
# that has two states and a kernel of its own.
@pytest.mark.parametrize(
    ("case", "mode", "mask", "reverse"),
    [
        *[(case, "eager", None, False) for case in cases.PLAIN],
        *[(case, "graph", cases.MASK, True) for case in cases.PLAIN],
        *[(case, "compiled", cases.MASK, False) for case in cases.PLAIN],
        (cases.PLAIN[-1], "compiled", cases.MASK, True),
        (cases.PLAIN[-1], "graph", None, False),
        (cases.PLAIN[-1], "compiled", None, False),
        (cases.PLAIN[-1], "eager", cases.MASK, True),
    ],
    ids=lambda value: "masked" if value is cases.MASK else getattr(value, "name", value),
)
def test_outputs_and_last_states_equal_the_equations(case, mask, reverse, mode):
    check_against_equations(case, mode, mask, reverse)


@every_variant
@without_graphs
def test_variants_equal_the_equations(case):
    check_against_equations(case, "eager", cases.MASK, reverse=True)


@every_cell
@without_graphs
def test_gate_activations_equal_the_equations(case):
    layer = case.make(go_backwards=True)
    x, states = cases.inputs(case)
    gates = layer.gate_activations(x, initial_state=states, mask=cases.MASK)
    _, _, named = case.equations(layer, x, states, cases.MASK, reverse=True)
    assert list(gates) == list(named)
    cases.assert_close(list(gates.values()), list(named.values()))


@gru_and_lstm
@without_graphs
def test_without_sequences_the_output_is_the_last_state(case):
    layer = case.make()
    x, states = cases.inputs(case)
    _, last, _ = case.equations(layer, x, states, cases.MASK)
    cases.assert_close(layer(x, initial_state=states, mask=cases.MASK), last[0])


@every_cell
@without_graphs
def test_the_default_start_is_zero(case):
    layer = case.make(return_sequences=True)
    x, states = cases.inputs(case)
    zeros = [np.zeros_like(state) for state in states]
    cases.assert_close(layer(x), case.equations(layer, x, zeros)[0])


@every_cell
@pytest.mark.parametrize("learned", [False, True])
@without_graphs
def test_a_random_start_is_one_vector_for_all_sequences(case, learned):
    layer = case.make(
        return_sequences=True, state_initializer="random_normal", learn_initial_state=learned
    )
    x, _ = cases.inputs(case)
    starts = [np.tile(vector, [cases.BATCH, 1]) for vector in layer.start]
    assert np.abs(starts).min() > 0
    assert [vector.trainable for vector in layer.start] == [learned] * len(starts)
    cases.assert_close(layer(x), case.equations(layer, x, starts)[0])


@pytest.mark.parametrize(
    ("batch", "reverse", "mask"),
    [(1, False, None), (4, True, np.ones([4, 7], bool)), (5, True, None)],
    ids=["alone", "masked_backwards", "too_many"],
)
def test_the_lstm_that_serves_small_batches_equals_the_equations(batch, reverse, mask):
    case = cases.PLAIN[-1]
    layer = case.make(
        dtype="float32", return_sequences=True, return_state=True, go_backwards=reverse
    )
    x, states = cases.inputs(case, batch=batch)
    x, states = x.astype("float32"), [state.astype("float32") for state in states]
    expected, expected_last, _ = case.equations(layer, x, states, reverse=reverse)
    outputs, last = cases.run(layer, x, states, mask, mode="graph")
    cases.assert_close(outputs[:, ::-1] if reverse else outputs, expected, 1e-5)
    cases.assert_close(last, expected_last, 1e-5)


def test_the_forget_gate_starts_open():
    layer = cases.LSTM(2, bias_initializer="random_normal")
    layer.build((None, None, 3))
    weights = layer.lecture_weights()
    assert weights["b_f"].tolist() == [1, 1]
    assert np.abs(weights["b_u"]).min() > 0
    closed = cases.LSTM(2, unit_forget_bias=False)
    closed.build((None, None, 3))
    assert closed.lecture_weights()["b_f"].tolist() == [0, 0]


# --- The lecture's names -------------------------------------------------------------------------


@every_case
def test_lecture_weights_have_the_shapes_of_the_lecture(case):
    weights = case.make().lecture_weights()
    for name, value in weights.items():
        matrix = (cases.UNITS, cases.UNITS + cases.FEATURES)
        assert value.shape == (matrix if name.startswith("W_") else (cases.UNITS,))
    gates = {"rnn": "a", "gru": "urc", "lstm": "ufco"}[case.name.split("_")[0]]
    expected = "uc" if case.name.startswith("gru_simplified") else gates
    assert {name[2:] for name in weights if name.startswith("W_")} == set(expected)


@every_cell
@without_graphs
def test_lecture_weights_go_in_as_they_come_out(case):
    layer, other = case.make(), case.make()
    weights = {
        name: cases.normal(*value.shape, seed=i)
        for i, (name, value) in enumerate(layer.lecture_weights().items())
    }
    layer.set_lecture_weights(weights)
    cases.assert_close(list(layer.lecture_weights().values()), list(weights.values()), 0)
    other.set_lecture_weights(layer.lecture_weights())
    x, states = cases.inputs(case)
    cases.assert_close(other(x, initial_state=states), layer(x, initial_state=states), 0)


@without_graphs
def test_a_gate_of_the_lecture_weights_is_the_gate_that_opens():
    layer = cases.GRU(2, dtype="float64")
    layer.build((None, None, 3))
    weights = layer.lecture_weights()
    layer.set_lecture_weights({**weights, "b_u": np.full(2, -40.0)})
    start = tf.constant([[0.3, -0.6]], "float64")
    kept = layer(cases.normal(1, 5, 3), initial_state=start)
    cases.assert_close(kept, start)  # Γu = 0 remembers


# --- Stacks --------------------------------------------------------------------------------------


def _stack(case, **arguments):
    stack = Stack(case.name, dtype="float64", **arguments)
    stack.build((None, None, cases.FEATURES))
    for i, variable in enumerate(stack.trainable_variables):
        variable.assign(cases.normal(*variable.shape, seed=i))
    return stack


@gru_and_lstm
@without_graphs
def test_a_deep_stack_is_one_layer_on_another(case):
    stack = _stack(case, units=[4, 3], return_state=True)
    x, _ = cases.inputs(case)
    start = [cases.normal(cases.BATCH, u, seed=u) for u in stack.units for _ in case.states]
    outputs, *last = stack(x, initial_state=start, mask=cases.MASK)

    count, expected_last = len(case.states), []
    for i, layer in enumerate(stack.recurrent_layers):
        states = start[i * count : (i + 1) * count]
        x, states, _ = case.equations(layer, x, states, cases.MASK)
        expected_last += states
    cases.assert_close(outputs, x)
    cases.assert_close(last, expected_last)


@gru_and_lstm
@without_graphs
def test_a_bidirectional_stack_predicts_from_both_directions(case):
    """ŷ<t> = g(W_y [a→<t>, a←<t>] + b_y)"""
    stack = _stack(case, units=3, depth=2, bidirectional=True, return_state=True)
    dense = keras.layers.Dense(2, "sigmoid", dtype="float64")
    x, _ = cases.inputs(case)
    count = len(case.states)
    start = [cases.normal(cases.BATCH, 3, seed=i) for i in range(4 * count)]
    outputs, *last = stack(x, initial_state=start, mask=cases.MASK)
    predictions = dense(outputs)

    expected_last = []
    for i, both in enumerate(stack.recurrent_layers):
        forwards, backwards = np.split(np.arange(2 * count) + 2 * i * count, 2)
        right, right_last, _ = case.equations(
            both.forward_layer, x, [start[k] for k in forwards], cases.MASK
        )
        left, left_last, _ = case.equations(
            both.backward_layer, x, [start[k] for k in backwards], cases.MASK, reverse=True
        )
        x = np.concatenate([right, left], axis=-1)
        expected_last += right_last + left_last
    W_y, b_y = dense.get_weights()
    cases.assert_close(outputs, x)
    cases.assert_close(last, expected_last)
    cases.assert_close(predictions, equations.sigmoid(x @ W_y + b_y))


@pytest.mark.parametrize(
    ("case", "bidirectional"),
    [(cases.PLAIN[2], False), (cases.PLAIN[-1], True)],
    ids=["gru", "bidirectional_lstm"],
)
@without_graphs
def test_a_stack_without_sequences_ends_where_its_directions_end(case, bidirectional):
    arguments = {"units": 3, "depth": 2, "bidirectional": bidirectional}
    whole = _stack(case, return_sequences=True, return_state=True, **arguments)
    last = _stack(case, return_sequences=False, **arguments)
    last.set_weights(whole.get_weights())
    x, _ = cases.inputs(case)
    _, *states = whole(x, mask=cases.MASK)
    count = len(case.states)
    ends = [states[-2 * count], states[-count]] if bidirectional else [states[-count]]
    cases.assert_close(last(x, mask=cases.MASK), tf.concat(ends, axis=-1))


@without_graphs
def test_dropout_acts_between_the_layers_of_a_stack_and_not_after_the_last():
    stack = Stack("rnn", 64, depth=2, dropout=0.5, layer={"activation": "linear"})
    stack.build((None, None, 3))
    x = tf.ones([4, 5, 3])
    assert np.array_equal(stack(x), stack(x))
    dropped = stack(x, training=True)
    assert not np.allclose(dropped, stack(x))
    assert np.all(dropped != 0)


def test_a_stack_takes_arguments_for_all_its_layers():
    stack = Stack("lstm", [2, 3], recurrent_dropout=0.25, layer={"output_activation": None})
    for layer in stack.recurrent_layers:
        assert layer.recurrent_dropout == 0.25
        assert layer.get_config()["output_activation"] == "linear"
