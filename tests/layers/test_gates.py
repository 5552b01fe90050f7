"""What gates do: in stacks, in both directions, and inside trained models."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import gru_and_lstm, without_graphs

import layers
import zoo
from layers import GRU, LSTM, RNN, Stack, gate_activations
from zoo import text

X, _ = cases.inputs(cases.PLAIN[0])


def expected_of(case, stack, x, start):
    """The gates of a stack by the equations, layer by layer, and what its last layer gives."""
    named, count = {}, len(case.states)
    for i, layer in enumerate(stack.recurrent_layers):
        ways = {"": (layer, False)}
        if stack.bidirectional:
            ways = {
                "forward/": (layer.forward_layer, False),
                "backward/": (layer.backward_layer, True),
            }
        outputs = []
        for way, (one, reverse) in ways.items():
            states, start = start[:count], start[count:]
            output, _, here = case.equations(one, x, states, cases.MASK, reverse)
            named |= {f"layer_{i + 1}/{way}{name}": values for name, values in here.items()}
            outputs.append(output)
        x = np.concatenate(outputs, axis=-1)
    return named, x


def stack_of(case, bidirectional=False, **arguments):
    stack = Stack(case.name, [4, 3], bidirectional=bidirectional, dtype="float64", **arguments)
    stack.build((cases.BATCH, None, cases.FEATURES))
    cases.randomize(stack)
    start = [
        cases.normal(cases.BATCH, units, seed=10 * units + i)
        for units in (4, 3)
        for i in range(len(case.states) * (1 + bidirectional))
    ]
    return stack, start


# Gates of every cell alone: test_equations.
@pytest.mark.parametrize(
    ("case", "bidirectional"),
    [(cases.PLAIN[2], False), (cases.PLAIN[-1], True)],
    ids=["gru", "bidirectional_lstm"],
)
@without_graphs
def test_gates_of_a_stack_are_those_of_the_equations(case, bidirectional):
    stack, start = stack_of(case, bidirectional)
    expected, outputs = expected_of(case, stack, X, start)
    gates = stack.gate_activations(X, initial_state=start, mask=cases.MASK)
    assert list(gates) == list(expected)
    cases.assert_close(list(gates.values()), list(expected.values()))
    cases.assert_close(stack(X, initial_state=start, mask=cases.MASK), outputs)
    again = gate_activations(stack, X, cases.MASK, start)
    cases.assert_close(list(again.values()), list(gates.values()), 0)


@pytest.mark.parametrize("return_sequences", [False, True])
@gru_and_lstm
@without_graphs
def test_gates_of_both_directions_are_those_of_the_equations(case, return_sequences):
    both = keras.layers.Bidirectional(
        case.make(return_sequences=return_sequences), dtype="float64", merge_mode=None
    )
    start = [cases.normal(cases.BATCH, 4, seed=i) for i in range(2 * len(case.states))]
    gates = gate_activations(both, X, cases.MASK, start)
    half = len(case.states)
    _, _, right = case.equations(both.forward_layer, X, start[:half], cases.MASK)
    _, _, left = case.equations(both.backward_layer, X, start[half:], cases.MASK, reverse=True)
    expected = {f"forward/{name}": v for name, v in right.items()}
    expected |= {f"backward/{name}": v for name, v in left.items()}
    assert list(gates) == list(expected)
    cases.assert_close(list(gates.values()), list(expected.values()))


@without_graphs
def test_no_dropout_acts_on_gates_and_states_stay():
    case = cases.PLAIN[-1]
    layer = {"stateful": True, "dropout": 0.5, "weight_dropout": 0.5}
    stack, _ = stack_of(case, layer=layer, dropout=0.5, recurrent_dropout=0.5)
    start = [np.zeros([cases.BATCH, units]) for units in (4, 4, 3, 3)]
    expected, _ = expected_of(case, stack, X, start)
    for _ in range(2):
        gates = stack.gate_activations(X, mask=cases.MASK)
        cases.assert_close(list(gates.values()), list(expected.values()))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@without_graphs
def test_gates_have_the_precision_of_the_layer(policy):
    gates = Stack("gru", [4, 3], bidirectional=True, dtype=policy).gate_activations(X)
    (name,) = {value.dtype for value in gates.values()}
    assert name == policy.removeprefix("mixed_")


def test_gates_in_graphs_and_under_xla():
    stack = Stack("gru", 4)
    x = tf.constant(X, tf.float32)
    expected = stack.gate_activations(x, mask=cases.MASK)
    for compiled in (False, True):
        call = tf.function(lambda x: stack.gate_activations(x, mask=cases.MASK))
        call = tf.function(call, jit_compile=compiled)
        cases.assert_close(list(call(x).values()), list(expected.values()), 1e-5)


# --- Inside a model ------------------------------------------------------------------------------

IDS = np.array([[4, 2, 7, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("functional", [False, True])
@without_graphs
def test_a_layer_of_a_model_shows_what_it_does_with_the_models_inputs(functional):
    embedding = keras.layers.Embedding(9, 3, mask_zero=True)
    lower, upper = LSTM(4, return_sequences=True), keras.layers.Bidirectional(GRU(2))
    parts = [embedding, lower, upper, keras.layers.Dense(1)]
    model = keras.Sequential(parts)
    if functional:
        x = inputs = keras.Input((None,))
        for part in parts:
            x = part(x)
        model = keras.Model(inputs, x)
    real, x = IDS != 0, embedding(IDS)
    for layer, reads in ((lower, x), (upper, lower(x, mask=real))):
        gates = gate_activations(layer, IDS, model=model)
        expected = gate_activations(layer, reads, real)
        assert list(gates) == list(expected)
        cases.assert_close(list(gates.values()), list(expected.values()), 1e-6)
    assert all(not np.any(values[~real]) for values in gates.values())
    assert "call" not in vars(lower)


def test_gates_of_a_trained_model_of_the_zoo():
    model = zoo.keras_model("ner_demo")
    words = np.array([[4, 9, 7, 0], [12, 0, 0, 0]], "int32")
    letters = np.minimum(words, 1)[:, :, None] * np.full([text.WORD_BYTES], 70, "int32")
    inputs = {"words": words, "shapes": np.minimum(words, 1), "bytes": letters}
    gates = layers.gate_activations(model.stack, inputs, model=model)
    ways = ("forward", "backward") if model.config.bidirectional else ("",)
    names = ("gate_u", "gate_f", "gate_o", "c_tilde", "c", "a")
    assert list(gates) == [
        f"layer_{k + 1}/{way}/{name}".replace("//", "/")
        for k in range(model.config.depth)
        for way in ways
        for name in names
    ]
    last = [gates[f"layer_{model.config.depth}/{way}/a".replace("//", "/")] for way in ways]
    cases.assert_close(
        model.scores(tf.concat(last, axis=-1))[words != 0], model(inputs)[words != 0], 1e-5
    )
    assert all(not np.any(values[words == 0]) for values in gates.values())


def test_what_has_no_gates_is_refused_with_advice():
    stock = keras.layers.LSTM(4)
    for layer, message in (
        (stock, "layers.from_keras makes one"),
        (keras.layers.Bidirectional(stock), "layers.from_keras converts"),
        (keras.Sequential([LSTM(4)]), "give one of its layers and model="),
    ):
        with pytest.raises(ValueError, match=message):
            gate_activations(layer, X)
    layer = RNN(4)
    for model, times in ((keras.Sequential([RNN(4)]), 0), (keras.Sequential([layer] * 1), 1)):
        if times == 0:
            with pytest.raises(ValueError, match="calls it 0 times"):
                gate_activations(layer, X, model=model)
        with pytest.raises(ValueError, match="the inputs of the model alone"):
            gate_activations(layer, X, cases.MASK, model=model)
