"""cuDNN in place of the loops: what it is given, what comes back, and where it has no place.

There need be no GPU: a stand-in computes by the equations of cuDNN's manual. What a GPU gives, is
in test_gpu.py.
"""

import dataclasses

import cases
import cudnn_stand_in
import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
from layers import GRU, LSTM, RNN, engine
from layers.engine import checking, running

RNN_CASE, _, _, GRU_AFTER, LSTM_CASE = cases.PLAIN
RELU, NO_BIAS = (
    next(case for case in cases.CASES if case.name == name)
    for name in ("rnn_relu", "gru_reset_after_no_bias")
)
# As cases.MASK, and a row of padding alone and a whole one.
MASK = np.array([*cases.MASK, [False] * cases.TIME, [True] * cases.TIME])
RIGHT = np.arange(cases.TIME) < np.array([3, 1, 0, cases.TIME, 5])[:, None]


@pytest.fixture
def cudnn(monkeypatch):
    stand_in = cudnn_stand_in.StandIn()
    stand_in.install(monkeypatch)
    checking.agrees.cache_clear()
    yield stand_in
    checking.agrees.cache_clear()


@pytest.fixture
def believed(monkeypatch):
    """A GPU is seen, and its kernel believed: graphs are made, and none is run."""
    cudnn_stand_in.a_gpu_is_seen(monkeypatch)
    monkeypatch.setattr(running, "agrees", lambda *_: True)


# --- What it is given ----------------------------------------------------------------------------


def right_padding(*lengths):
    return np.arange(max(lengths)) < np.array(lengths)[:, None]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", [GRU_AFTER, LSTM_CASE], ids=lambda case: case.name)
def test_it_is_given_what_stock_keras_gives_it(case, reverse, cudnn):
    ours = case.make(dtype="float32", go_backwards=reverse)
    units, arguments = cases.UNITS, {"go_backwards": reverse}
    stock = {LSTM: keras.layers.LSTM, GRU: keras.layers.GRU}[case.layer](units, **arguments)
    x, mask = tf.constant(cases.normal(3, 5, 2), tf.float32), right_padding(5, 3, 1)
    stock.build(x.shape)
    for source, target in zip(converted(ours), stock.weights, strict=True):
        target.assign(source)

    expected_output = stock(x, mask=mask, training=True)
    (expected,) = cudnn.calls
    checking.agrees(running.run_by_cudnn, ours.cell, tf.float32)
    cudnn.calls.clear()
    output = ours(x, mask=mask, training=True)
    (given,) = cudnn.calls

    assert given.keys() == expected.keys()
    real = right_padding(5, 3, 1)[:, :, None]
    assert np.array_equal(
        np.where(real, given.pop("input"), 0), np.where(real, expected.pop("input"), 0)
    )
    # The two biases of a gate are added, but for the candidate of a GRU.
    weights, biases = cut(given.pop("params"), case)
    stock_weights, stock_biases = cut(expected.pop("params"), case)
    assert np.array_equal(weights, stock_weights)
    assert np.array_equal(biases.sum(axis=0), stock_biases.sum(axis=0))
    if case is GRU_AFTER:
        assert np.array_equal(biases[:, 2], stock_biases[:, 2])
    for name, value in expected.items():
        assert np.array_equal(given[name], value), name
    cases.assert_close(output, expected_output, 1e-6)


def converted(layer):
    """Our weights as a stock layer has them."""
    kernel, recurrent, bias = (
        w.numpy() for w in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    if isinstance(layer, LSTM):
        return kernel, recurrent, bias
    sign = np.repeat([-1, 1, 1], layer.units)
    inside = np.concatenate([np.zeros(2 * layer.units), layer.recurrent_bias.numpy()])
    return kernel * sign, recurrent * sign, np.stack([bias * sign, inside])


def cut(params, case):
    gates = len(case.make().cell.gates)
    weights, biases = np.split(params, [gates * cases.UNITS * (cases.FEATURES + cases.UNITS)])
    return weights, biases.reshape(2, gates, cases.UNITS)


# --- What comes back -----------------------------------------------------------------------------


def results_and_gradients(case, plan, mask, by_cudnn):
    """Of `engine.run`: outputs, last states, gradients by everything."""
    layer = case.make()
    x, states = cases.inputs(case, batch=len(MASK))
    if mask is not None:
        x = np.where(mask[:, :, None], x, np.nan)  # whatever padding holds
    weights = {name: w for name, w in layer.weight_tensors().items() if w is not None}
    watched = tf.nest.map_structure(tf.constant, [x, states, weights])
    plan = dataclasses.replace(plan, cell=layer.cell, cudnn=by_cudnn)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        x, states, weights = watched
        outputs, last = engine.run(plan, x, states, **weights, mask=mask)
        results = [*([outputs] if plan.sequences else []), *last]
        loss = cases.weighted_sum(results)
    return [*results, *tape.gradient(loss, tf.nest.flatten(watched))]


PLAN = engine.Plan(None, cases.UNITS)


@pytest.mark.parametrize(
    ("case", "plan", "mask"),
    [
        (RNN_CASE, PLAN, None),
        (RELU, PLAN, MASK),
        (GRU_AFTER, dataclasses.replace(PLAN, reverse=True, repeats=True), MASK),
        (LSTM_CASE, dataclasses.replace(PLAN, reverse=True), MASK),
        (LSTM_CASE, dataclasses.replace(PLAN, reverse=True, keep="nothing"), None),
        (LSTM_CASE, dataclasses.replace(PLAN, repeats=True), MASK),
        (RNN_CASE, dataclasses.replace(PLAN, sequences=False), MASK),
        (LSTM_CASE, dataclasses.replace(PLAN, reverse=True), RIGHT),
        (RNN_CASE, dataclasses.replace(PLAN, reverse=True, repeats=True), RIGHT),
        (NO_BIAS, PLAN, None),
    ],
)
def test_results_and_gradients_are_those_of_the_loop(case, plan, mask, cudnn):
    found = results_and_gradients(case, plan, mask, by_cudnn=True)
    assert cudnn.calls
    cases.assert_close(found, results_and_gradients(case, plan, mask, by_cudnn=False))


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_a_graph_of_unknown_sizes_may_meet_nothing(mask, cudnn):
    layer = GRU_AFTER.make(return_sequences=True, return_state=True)
    alone = GRU_AFTER.make(return_sequences=True, return_state=True, use_cudnn=False)
    x, (start,) = cases.inputs(GRU_AFTER, batch=len(MASK))
    given = [x, start] if mask is None else [x, start, mask]
    signature = [cases.without_sizes(tf.constant(one)) for one in given]

    @tf.function(input_signature=signature)
    def train(x, start, mask=None):
        return layer(x, initial_state=start, mask=mask, training=True)

    for rows, steps in ((5, 7), (5, 0), (0, 7)):
        some = [x[:rows, :steps], start[:rows], *([] if mask is None else [mask[:rows, :steps]])]
        expected = alone(some[0], initial_state=some[1], mask=some[2] if some[2:] else None)
        cases.assert_close(train(*some), expected)
    assert cudnn.calls


def test_second_derivatives_are_an_error(cudnn):
    layer, x = LSTM_CASE.make(), tf.constant(cases.normal(2, 3, 2))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        slope = tape.gradient(loss, x)
    with pytest.raises(NotImplementedError, match="gradient='automatic'"):
        outer.gradient(slope, x)


def test_both_directions_of_a_stack_train_and_predict_with_16_bits(cudnn):
    stack = layers.Stack("lstm", 4, bidirectional=True, dtype="mixed_float16")
    inputs = keras.Input([None, 2])
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(stack(inputs)))
    model.compile("sgd", "mse", jit_compile=False)
    x = cases.normal(4, 5, 2).astype("float32")
    cudnn.calls.clear()
    model.fit(x, x[:, :, :1], verbose=0)
    trained = len(cudnn.calls)
    found = model.predict(x, verbose=0)
    assert trained >= 2 and len(cudnn.calls) >= trained + 2
    assert {call["input"].dtype.name for call in cudnn.calls[-2:]} == {"float16"}
    for both in stack.recurrent_layers:
        both.forward_layer.use_cudnn = both.backward_layer.use_cudnn = False
    cases.assert_close([found], [model(x)], 0.05)


# --- Where it has no place -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: LSTM(4, activation="relu", use_cudnn=True), "equations of LSTMCell"),
        (lambda: LSTM(4, output_activation=None, use_cudnn=True), "equations of LSTMCell"),
        (lambda: GRU(4, use_cudnn=True), "equations of GRUCell"),
        (lambda: LSTM(4, gradient="automatic", use_cudnn=True), "automatic"),
        (lambda: LSTM(4, recurrent_dropout=0.5, use_cudnn=True), "recurrent_dropout"),
        (lambda: LSTM(4, dtype="mixed_bfloat16", use_cudnn=True), "bfloat16 are wrong"),
    ],
)
def test_who_insists_hears_why_it_cannot_be(make, reason, cudnn):
    with pytest.raises(ValueError, match=f"use_cudnn: True is not possible here: .*{reason}.*auto"):
        make()(tf.ones([2, 3, 2]), training=True)
    assert not cudnn.calls


def test_who_insists_needs_a_gpu():
    layer = LSTM(4, use_cudnn=True)
    if engine.compiling.has_gpu():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match="TensorFlow sees no GPU"):
        layer(tf.ones([2, 3, 2]))


def test_some_runs_take_the_loop(cudnn):
    x = tf.ones([2, 3, 2])
    RNN(4, activation="softsign")(x)
    GRU(4)(x, training=True)
    LSTM(4, use_cudnn=False)(x)
    LSTM(4, jit=True)(x)
    LSTM(4, recurrent_dropout=0.5)(x, training=True)
    LSTM(4, gradient="automatic")(x)
    LSTM(4)(x[:0])
    tf.function(LSTM(4), jit_compile=True)(x, training=True)
    tf.function(LSTM(4))(x)
    assert not cudnn.calls


def test_no_exported_graph_holds_it(believed, tmp_path):
    inputs = keras.Input([None, 2])
    outputs = layers.Stack("lstm", 4, bidirectional=True)(inputs)
    model = keras.Model(inputs, GRU(4, reset_gate="after", use_cudnn=True)(outputs))
    model.compile("sgd", "mse")
    spec = tf.TensorSpec([None, None, 2])
    # What Keras runs holds it, and is kept by the model.
    model.make_predict_function()
    predicts = model.predict_function.get_concrete_function([(spec,)])
    trains = tf.function(lambda x: model(x, training=True)).get_concrete_function(spec)
    for graph in (predicts.graph, trains.graph):
        assert any(node.op == "CudnnRNNV3" for node in nodes(graph))

    model.export(tmp_path / "keras", verbose=False)
    tf.saved_model.save(model, tmp_path / "tensorflow")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda x: model(x), input_signature=[spec])
    archive.write_out(tmp_path / "archive", verbose=False)
    for folder in ("keras", "tensorflow", "archive"):
        saved = (tmp_path / folder / "saved_model.pb").read_bytes()
        assert b"While" in saved and b"Cudnn" not in saved


def nodes(graph):
    definition = graph.as_graph_def()
    return [*definition.node, *(n for f in definition.library.function for n in f.node_def)]


# --- The comparison at first use -----------------------------------------------------------------


def other_gates(weights, mode):
    """The first two gates of an LSTM or GRU change places."""
    gates = cudnn_stand_in.GATES[mode]
    order = {4: [1, 0, 2, 3], 3: [1, 0, 2]}[gates]
    size, (features, units) = gates * checking._UNITS, (checking._FEATURES, checking._UNITS)
    parts = tf.split(weights, [size * features, size * units, 2 * size])
    blocks = [tf.gather(tf.reshape(part, [gates, -1]), order) for part in parts[:2]]
    return tf.concat([*(tf.reshape(block, [-1]) for block in blocks), parts[2]], axis=0)


def as_tf32(weights, mode):
    """10 bits of the fraction are left."""
    return tf.cast(tf.cast(weights, tf.float16), weights.dtype)


@pytest.mark.parametrize("case", [GRU_AFTER, LSTM_CASE], ids=lambda case: case.name)
def test_other_numbers_are_seen_and_the_loop_takes_over(case, cudnn):
    layer, x = case.make(dtype="float32"), tf.constant(cases.normal(2, 3, 2), tf.float32)
    cudnn.change = other_gates
    with pytest.warns(
        UserWarning, match=f"cuDNN differs .* {type(layer.cell).__name__} in float32"
    ):
        found = layer(x)
    calls = len(cudnn.calls)
    cases.assert_close([layer(x), found], [case.make(dtype="float32", use_cudnn=False)(x)] * 2)
    assert len(cudnn.calls) == calls


@pytest.mark.parametrize("case", [RELU, GRU_AFTER, LSTM_CASE], ids=lambda case: case.name)
def test_rounding_is_no_difference(case, cudnn):
    cudnn.change = as_tf32
    assert checking.agrees(running.run_by_cudnn, case.make().cell, tf.float32)
    assert cudnn.calls


def test_a_kernel_that_fails_is_left_alone(cudnn):
    cudnn.error = tf.errors.InternalError(None, None, "no such library\nat some address")
    with pytest.warns(UserWarning, match="cuDNN fails: no such library, computing LSTMCell"):
        LSTM(4)(tf.ones([2, 3, 2]))
