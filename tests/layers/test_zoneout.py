"""Units that now and then keep their old state."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import every_cell, gru_and_lstm

from layers import GRU, LSTM, RNN, Stack, from_keras, to_keras, to_torch
from layers.normalization import normalize

ALL = {"return_sequences": True, "return_state": True}


def zoned_out(step, states, rate):
    """The step of NumPy out of training: each new state is the mean of new and old."""

    def mean(W, x, *old):
        named = step(W, x, *old)
        for name, before in zip(states, old, strict=True):
            named[name] = (1 - rate) * named[name] + rate * before
        return named

    return mean


@every_cell
def test_out_of_training_new_states_are_the_mean(case):
    layer = case.make(zoneout=0.3, **ALL)
    x, states = cases.inputs(case)
    expected, last, named = cases.equations.run(
        zoned_out(case.step, case.states, 0.3), layer.lecture_weights(), x,
        dict(zip(case.states, states, strict=True)), cases.MASK,
    ), None, None  # fmt: skip
    named, last = expected
    for mode in ("eager", "graph"):
        outputs, found = cases.run(layer, x, states, cases.MASK, mode)
        cases.assert_close(outputs, named[case.states[0]])
        cases.assert_close(found, list(last.values()))
    gates = layer.gate_activations(x, initial_state=states, mask=cases.MASK)
    cases.assert_close([gates[name] for name in named], list(named.values()))


def test_in_training_each_unit_takes_the_new_state_or_keeps_the_old_one():
    layer = RNN(50, "linear", return_sequences=True, zoneout=0.25, seed=3)
    layer.build((None, None, 50))
    layer.kernel.assign(np.eye(50))
    layer.recurrent_kernel.assign(np.zeros([50, 50]))
    x = np.float32(cases.normal(8, 40, 50))
    a = layer(x, training=True).numpy()
    before = np.concatenate([np.zeros([8, 1, 50]), a[:, :-1]], axis=1)
    kept = np.isclose(a, before)
    np.testing.assert_allclose(a, np.where(kept, before, x), rtol=1e-6)
    assert kept.mean() == pytest.approx(0.25, abs=0.02)
    # Steps and units draw on their own.
    assert kept.mean(axis=(0, 1)).std() < 0.05 and kept.mean(axis=(0, 2)).std() < 0.05
    np.testing.assert_allclose(layer(x), layer(x))  # out of training nothing is drawn


@pytest.mark.parametrize(
    ("more", "reverse", "jit"),
    [({}, False, False), ({"layer_normalization": True}, True, False), ({}, True, True)],
    ids=["forwards", "normalized_backwards", "compiled_backwards"],
)
@gru_and_lstm
def test_in_training_by_hand_equals_automatic(case, more, reverse, jit):
    x, states = cases.inputs(case)
    found = [
        cases.gradients(
            case.make(
                zoneout=0.3, seed=5, gradient=gradient, go_backwards=reverse, **more, **ALL,
                jit=jit and gradient == "by_hand",
            ), x, states, cases.MASK,
        )
        for gradient in ("by_hand", "automatic")
    ]  # fmt: skip
    assert all(np.abs(gradient).max() > 1e-3 for gradient in found[0])
    cases.assert_close(*found)


def test_training_and_prediction_have_loops_of_their_own():
    layer, x = LSTM(3, zoneout=0.2, **ALL), tf.ones([2, 5, 4])

    def gradients(training):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=training)[0])
        return tape.gradient(loss, layer.trainable_variables)

    layer(x)
    for training in (True, False, True, False):
        assert all(np.isfinite(gradient).all() for gradient in gradients(training))
    for one, other in zip(gradients(False), gradients(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_state_may_have_its_own_rate():
    layer = LSTM(4, zoneout=[0.0, 0.9], **ALL, seed=1)
    _, a, c = layer(tf.ones([2, 1, 3]), training=True)
    assert np.all(a) and np.mean(c.numpy() == 0) > 0.5
    assert LSTM.from_config(layer.get_config()).zoneout == [0.0, 0.9]


def test_what_is_no_rate_is_an_error():
    with pytest.raises(ValueError, match=r"zoneout: expected a share in \[0, 1\). Received: 1.0"):
        GRU(4, zoneout=1.0)
    with pytest.raises(ValueError, match=r"one for each of the states \['c'\]. Received: \[0.1, 0"):
        GRU(4, zoneout=[0.1, 0.2])(tf.ones([1, 2, 3]))
    with pytest.raises(ValueError, match=r"Received: \[0.0, 0.0, 0.0\]"):
        LSTM(4, zoneout=[0.0, 0.0, 0.0])(tf.ones([1, 2, 3]))
    for wrong in ("0.1", None, float("nan")):
        with pytest.raises(ValueError, match="zoneout: expected a share"):
            LSTM(4, zoneout=wrong)
    with pytest.raises(ValueError, match="layer_normalization: expected units of 2 or more"):
        GRU(1, layer_normalization=True)


@pytest.mark.parametrize("arguments", [{"zoneout": 0.1}, {"layer_normalization": True}])
def test_stock_layers_do_not_have_it(arguments):
    layer = LSTM(4, **arguments)
    layer.build((None, None, 3))
    for convert in (to_keras, to_torch):
        with pytest.raises(ValueError, match="neither layer normalization nor zoneout"):
            convert(layer)
    assert not from_keras(keras.layers.LSTM(4)).zones_out


def test_normalized_stacks_train_and_are_saved(tmp_path):
    stack = Stack("gru", 4, layer={"layer_normalization": True, "zoneout": 0.2})
    model = keras.Sequential([keras.layers.Input([None, 3]), stack, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x, y = np.float32(cases.normal(8, 5, 3)), np.zeros([8, 5, 1])
    losses = model.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len({weight.name for weight in stack.trainable_variables}) == 5
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(x), model(x), atol=1e-6)


def test_normalized_layers_of_16_bits_give_16_bits():
    layer = LSTM(4, layer_normalization=True, dtype="mixed_bfloat16", **ALL)
    outputs, *states = layer(tf.ones([2, 5, 3]), training=True)
    assert {outputs.dtype.name, *(state.dtype.name for state in states)} == {"bfloat16"}


def test_what_padding_holds_is_no_input_of_a_normalized_layer():
    layer = GRU(4, layer_normalization=True)
    x, mask = np.float32(cases.normal(2, 5, 3)), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    wild = np.where(mask[:, :, None], x, np.nan)
    with tf.GradientTape() as tape:
        outputs = layer(wild, mask=mask)
        loss = tf.reduce_sum(outputs**2)
    np.testing.assert_allclose(outputs, layer(x, mask=mask), rtol=1e-6)
    assert all(np.all(np.isfinite(d)) for d in tape.gradient(loss, layer.trainable_variables))


def test_numbers_of_16_bits_are_normalized_without_overflow():
    found = normalize(tf.constant([[300.0, -300.0]], tf.float16))
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found, [[1, -1]], atol=1e-3)
