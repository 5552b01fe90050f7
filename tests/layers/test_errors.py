"""An error names what was expected and what was received."""

import keras
import numpy as np
import pytest

from layers import GRU, LSTM, RNN, Stack


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RNN(0), "units: expected a positive integer. Received: 0"),
        (lambda: GRU(-3), "units: expected a positive integer. Received: -3"),
        (lambda: LSTM(1.5), "units: expected a positive integer. Received: 1.5"),
        (lambda: LSTM("8"), "units: expected a positive integer. Received: '8'"),
        (lambda: LSTM(True), "units: expected a positive integer. Received: True"),
        (lambda: GRU(2, reset_gate="during"), 'expected "before".*"after".*Received: \'during\''),
        (lambda: GRU(2, reset_gate=False), "expected .before.*Received: False"),
        (lambda: RNN(2, activation="softmax"), "element-wise activation.*Received: 'softmax'"),
        (lambda: LSTM(2, recurrent_activation="log_softmax"), "element-wise.*'log_softmax'"),
        (lambda: LSTM(2, output_activation="sparsemax"), "element-wise.*'sparsemax'"),
        (lambda: RNN(2, dropout=1.0), r"dropout: expected a share in \[0, 1\). Received: 1.0"),
        (lambda: RNN(2, recurrent_dropout=-0.1), "recurrent_dropout: expected.*Received: -0.1"),
        (lambda: RNN(2, gradient="numeric"), "'by_hand', 'automatic'.*Received: 'numeric'"),
        (lambda: RNN(2, jit="always"), "jit: expected .*'auto', True, False.. Received: 'always'"),
        (lambda: Stack("gru2", 2), "expected one of .*'gru_reset_after'.*Received: 'gru2'"),
        (lambda: Stack("lstm", [2, 3], depth=3), r"depth=3, units=\[2, 3\]"),
        (lambda: Stack("lstm", 2, depth=0), "expected one layer or more.*depth=0"),
        (lambda: Stack("lstm", []), r"expected one layer or more.*units=\[\]"),
        (lambda: Stack("lstm", 0), "units: expected a positive integer. Received: 0"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("units", [4, np.int64(4)])
def test_integers_of_numpy_are_integers(units):
    assert RNN(units).get_config()["units"] == 4


@pytest.fixture(scope="module")
def layer():
    layer = LSTM(4)
    layer.build((None, None, 2))
    return layer


X = np.zeros([3, 5, 2], "float32")


@pytest.mark.parametrize(
    ("mask", "received"),
    [
        (np.ones([3, 4], bool), r"\(3, 4\)"),
        (np.ones([2, 5], bool), r"\(2, 5\)"),
        (np.ones([3], bool), r"\(3,\)"),
        (np.ones([3, 5, 1], bool), r"\(3, 5, 1\)"),
    ],
)
def test_a_mask_of_the_wrong_shape_is_named(layer, mask, received):
    expected = rf"expected a mask of shape \[batch, time\] = \(3, 5\). Received shape: {received}"
    with pytest.raises(ValueError, match=expected):
        layer(X, mask=mask)
    with pytest.raises(ValueError, match=expected):
        layer.gate_activations(X, mask=mask)


@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 5), (3, 5, 2, 1)])
def test_an_input_of_the_wrong_shape_is_named(layer, shape):
    received = ", ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"\[batch, time, 2\]. Received shape: \({received}\)"):
        layer(np.zeros(shape, "float32"))


@pytest.mark.parametrize("shape", [(None, None), (None, None, None), (3, 5, 0)])
def test_an_input_without_features_is_named(shape):
    with pytest.raises(ValueError, match=r"positive number of features\. Received shape"):
        RNN(4).build(shape)
    with pytest.raises(ValueError, match=r"positive number of features\. Received shape"):
        RNN(4)(keras.Input(batch_shape=shape))


@pytest.mark.parametrize(
    ("states", "received"),
    [
        ([np.zeros([3, 4])], r"\[\(3, 4\)\]"),
        (np.zeros([3, 4]), r"\[\(3, 4\)\]"),
        ([np.zeros([3, 4])] * 3, r"\[\(3, 4\), \(3, 4\), \(3, 4\)\]"),
        ([np.zeros([3, 4]), np.zeros([3, 5])], r"\[\(3, 4\), \(3, 5\)\]"),
        ([np.zeros([2, 4]), np.zeros([2, 4])], r"\[\(2, 4\), \(2, 4\)\]"),
    ],
)
def test_states_of_the_wrong_shape_are_named(layer, states, received):
    expected = rf"2 initial state\(s\) \['a', 'c'\].*\(3, 4\). Received shapes: {received}"
    with pytest.raises(ValueError, match=expected):
        layer(X, initial_state=states)


def test_lecture_weights_before_the_first_call_are_refused_with_advice():
    with pytest.raises(ValueError, match=r"lecture_weights needs weights.*layer.build"):
        RNN(4).lecture_weights()


@pytest.mark.parametrize("change", [{"W_x": np.zeros([4, 6])}, {"W_u": np.zeros([4, 5])}])
def test_lecture_weights_of_other_names_or_shapes_are_named(layer, change):
    with pytest.raises(ValueError, match=r"expected weights .*'W_u': \(4, 6\).*Received: "):
        layer.set_lecture_weights({**layer.lecture_weights(), **change})


def test_a_stateful_layer_of_unknown_batch_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"known batch size.*Input\(batch_shape"):
        RNN(4, stateful=True).build((None, None, 2))
