"""What users of Keras expect from a recurrent layer."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import every_case, gru_and_lstm, without_graphs
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from layers import GRU, LSTM, RNN, Stack, engine
from layers.engine import sharding

LAYERS = [RNN, GRU, LSTM]
every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
X = cases.normal(8, 6, 2).astype("float32")
Y = np.float32(X.sum(axis=(1, 2)) > 0)
portable_gru_and_compiled_lstm = pytest.mark.parametrize(
    ("case", "jit"),
    [(cases.PLAIN[2], False), (cases.PLAIN[-1], True)],
    ids=["portable_gru", "compiled_lstm"],
)
IDS = np.random.default_rng(0).integers(1, 5, [8, 6]) * (np.arange(6) < np.arange(1, 9)[:, None])


# --- Models --------------------------------------------------------------------------------------


def sequential(layer):
    return keras.Sequential([keras.Input((None, 2)), layer])


def functional(layer):
    inputs = keras.Input((None, 2))
    return keras.Model(inputs, layer(inputs))


class Subclassed(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs, training=False):
        return self.layer(inputs, training=training)


@pytest.mark.parametrize(
    ("layer", "wrap"), [(RNN, sequential), (GRU, functional), (LSTM, Subclassed)]
)
def test_layers_work_in_every_kind_of_model_with_any_batch_and_time(layer, wrap):
    layer = layer(4, return_sequences=True)
    model = wrap(layer)
    for batch, time in [(8, 6), (3, 2)]:
        x = X[:batch, :time]
        cases.assert_close(model.predict(x, verbose=0), layer(x), 1e-5)


@gru_and_lstm
@without_graphs
def test_symbolic_outputs_have_the_shapes_of_the_outputs(case):
    layer = case.make(return_sequences=True, return_state=True)
    symbolic = layer(keras.Input((None, 2)))
    outputs = layer(X)
    assert isinstance(outputs, tuple)
    assert [tuple(v.shape) for v in symbolic] == [(None, None, 4)] + [(None, 4)] * len(case.states)
    assert [tuple(v.shape) for v in outputs] == [(8, 6, 4)] + [(8, 4)] * len(case.states)
    assert case.make()(keras.Input((5, 2))).shape == (None, 4)
    assert case.make(return_sequences=True)(keras.Input((5, 2))).shape == (None, 5, 4)


@gru_and_lstm
@without_graphs
def test_initial_state_is_a_call_argument_of_tensors_and_of_symbols(case):
    layer = case.make()
    x, states = cases.inputs(case)
    expected = layer(x, initial_state=states)
    if len(states) == 1:
        cases.assert_close(layer(x, initial_state=states[0]), expected)
    symbols = [keras.Input((cases.UNITS,), dtype="float64") for _ in states]
    inputs = keras.Input((None, cases.FEATURES), dtype="float64")
    model = keras.Model([inputs, *symbols], layer(inputs, initial_state=symbols))
    cases.assert_close(model([x, *states]), expected)


@without_graphs
def test_an_encoder_hands_its_states_to_a_decoder():
    encoder, decoder = LSTM(3, return_state=True), LSTM(3, return_sequences=True)
    source, target = keras.Input((None, 2)), keras.Input((None, 2))
    _, *states = encoder(source)
    model = keras.Model([source, target], decoder(target, initial_state=states))
    _, *states = encoder(X)
    expected = decoder(X[:, :3], initial_state=states)
    cases.assert_close(model([X, X[:, :3]]), expected, 1e-5)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@without_graphs
def test_bidirectional_merges_both_directions(merge_mode):
    both = keras.layers.Bidirectional(GRU(3, return_sequences=True), merge_mode=merge_mode)
    outputs = both(X)
    right = both.forward_layer(X).numpy()
    left = both.backward_layer(X).numpy()[:, ::-1]
    merge = {
        "concat": lambda: np.concatenate([right, left], axis=-1),
        "sum": lambda: right + left,
        "mul": lambda: right * left,
        "ave": lambda: (right + left) / 2,
        None: lambda: (right, left),
    }[merge_mode]
    cases.assert_close(outputs, merge(), 1e-6)
    assert not np.allclose(both.forward_layer.kernel, both.backward_layer.kernel)


# --- Precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "compute", "tolerance"),
    [
        ("float32", "float32", 1e-6),
        ("mixed_float16", "float16", 1e-2),
        ("mixed_bfloat16", "bfloat16", 6e-2),
    ],
)
@portable_gru_and_compiled_lstm
def test_every_precision_is_close_to_float32(case, policy, compute, tolerance, jit):
    exact = case.make(dtype="float32", return_sequences=True, return_state=True)
    layer = case.make(dtype=policy, return_sequences=True, return_state=True, jit=jit)
    x, states = cases.inputs(case)
    x, states = np.float32(x), [np.float32(state) for state in states]
    results = layer(x, initial_state=states, mask=cases.MASK)
    assert {result.dtype.name for result in results} == {compute}
    expected = exact(x, initial_state=states, mask=cases.MASK)
    cases.assert_close([tf.cast(v, "float32") for v in results], expected, tolerance)


@pytest.mark.parametrize(("layer", "policy"), [(GRU, "mixed_float16"), (LSTM, "mixed_bfloat16")])
@without_graphs
def test_mixed_precision_trains_float32_weights(layer, policy):
    layer = layer(4, dtype=policy)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(X, mask=IDS != 0, training=True) ** 2)
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert gradient.dtype == tf.float32
        assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)


# --- Saving --------------------------------------------------------------------------------------

OPTIONS = {
    "activation": "elu",
    "use_bias": False,
    "kernel_initializer": keras.initializers.RandomNormal(0.1),
    "recurrent_regularizer": keras.regularizers.L2(0.1),
    "kernel_constraint": keras.constraints.MaxNorm(1.5),
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 3,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "state_initializer": "random_normal",
    "learn_initial_state": True,
    "gradient": "automatic",
    "jit": False,
    "dtype": "float64",
    "name": "reader",
}


@every_layer
def test_a_layer_comes_back_from_its_config(layer):
    layer = layer(3, **OPTIONS)
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    for name in ("dropout", "gradient", "jit", "stateful", "learn_initial_state", "seed", "name"):
        assert config[name] == OPTIONS[name]


@every_case
def test_the_equations_come_back_from_the_config(case):
    layer = case.make()
    again = case.layer.from_config(layer.get_config())
    again.build((None, None, cases.FEATURES))
    again.set_weights(layer.get_weights())
    assert again.cell == layer.cell


def test_cells_of_other_equations_are_not_equal():
    cells = {case.make().cell for case in cases.CASES}
    assert len(cells) == len([case for case in cases.CASES if case.arguments.get("use_bias", True)])


def saved_models():
    case = cases.PLAIN[-1]
    lstm = case.make(dtype="float32", state_initializer="random_normal", learn_initial_state=True)
    return {
        "lstm": sequential(lstm),
        "gru": functional(cases.PLAIN[1].make(dtype="float32")),
        "bidirectional": sequential(keras.layers.Bidirectional(RNN(3, "relu"))),
        "stack": sequential(
            Stack("gru", [3, 2], bidirectional=True, layer={"kernel_regularizer": "l2"})
        ),
    }


@pytest.mark.parametrize("name", ["lstm", "gru", "bidirectional", "stack"])
@without_graphs
def test_models_save_and_load(name, tmp_path):
    model = saved_models()[name]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    cases.assert_close(again(X), model(X), 0)


def functions_for_xla(path):
    """Names of the functions in a SavedModel that TensorFlow Serving would refuse to run."""
    proto = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    library = proto.meta_graphs[0].graph_def.library.function
    return [f.signature.name for f in library if f.attr["_XlaMustCompile"].b]


def tagger(layer):
    embedding = keras.layers.Embedding(5, 3, mask_zero=True)
    inputs = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(inputs, keras.layers.Dense(1)(layer(embedding(inputs))))


@pytest.mark.parametrize(
    ("make", "trained"),
    [
        (lambda: LSTM(4), True),
        (lambda: Stack("rnn", 3, bidirectional=True, dropout=0.1), False),
    ],
    ids=["trained_lstm", "stack"],
)
def test_an_exported_model_is_served_without_xla(make, trained, tmp_path):
    model = tagger(make())
    if trained:
        targets = np.zeros(model(IDS).shape, "float32")
        model.compile("sgd", "mse")
        model.fit(IDS, targets, epochs=1, verbose=0)
    model.export(tmp_path / "export", verbose=False)
    served = tf.saved_model.load(tmp_path / "export")
    for ids in (IDS, IDS[:1], IDS[:2, :3], np.zeros([3, 4]), np.zeros([0, 4]), np.zeros([2, 0])):
        ids = ids.astype("int32")
        cases.assert_close(served.serve(ids), model(ids), 1e-5)
    assert functions_for_xla(tmp_path / "export") == []


def test_an_exported_model_has_xla_where_that_is_asked_for(tmp_path):
    model = sequential(RNN(4, jit=True))
    model.export(tmp_path / "export", verbose=False)
    assert functions_for_xla(tmp_path / "export") != []


# --- Training ------------------------------------------------------------------------------------


def test_fit_learns_masked_sequences():
    model = tagger(GRU(8, dropout=0.1, recurrent_dropout=0.1))
    targets = np.float32(IDS[:, 0] > 2)[:, None]
    model.compile(keras.optimizers.Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    before = model.evaluate(IDS, targets, verbose=0)
    model.fit(IDS, targets, batch_size=4, epochs=15, verbose=0)
    assert model.evaluate(IDS, targets, verbose=0) < before / 3


def test_fit_by_hand_follows_automatic():
    losses = {}
    for gradient in ("by_hand", "automatic"):
        keras.utils.set_random_seed(0)
        model = sequential(RNN(3, gradient=gradient, dtype="float64"))
        model.compile(keras.optimizers.SGD(0.5), "mse")
        losses[gradient] = model.fit(
            X, np.tile(Y[:, None], 3), epochs=4, shuffle=False, verbose=0
        ).history["loss"]
    assert losses["by_hand"][-1] < losses["by_hand"][0]
    np.testing.assert_allclose(losses["by_hand"], losses["automatic"], rtol=1e-6)


@without_graphs
def test_regularizers_add_losses_and_constraints_hold_after_fit():
    layer = GRU(
        4,
        kernel_regularizer=keras.regularizers.L2(1.0),
        recurrent_regularizer=keras.regularizers.L1(1.0),
        bias_regularizer=keras.regularizers.L2(1.0),
        activity_regularizer=keras.regularizers.L2(1.0),
        kernel_constraint=keras.constraints.MaxNorm(0.1),
        recurrent_constraint=keras.constraints.NonNeg(),
        bias_constraint=keras.constraints.MaxNorm(0.05),
    )
    outputs = layer(X)
    assert len(layer.losses) == 4
    expected = [
        np.sum(layer.kernel.numpy() ** 2),
        np.sum(np.abs(layer.recurrent_kernel.numpy())),
        np.sum(layer.bias.numpy() ** 2),
        np.sum(outputs.numpy() ** 2) / len(X),
    ]
    np.testing.assert_allclose(sorted(map(float, layer.losses)), sorted(expected), rtol=1e-5)
    model = sequential(layer)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, np.ones([8, 4], "float32"), verbose=0)
    assert np.linalg.norm(layer.kernel, axis=0).max() <= 0.1 + 1e-6
    assert np.min(layer.recurrent_kernel) >= 0
    assert np.linalg.norm(layer.bias) <= 0.05 + 1e-6


# --- Dropout -------------------------------------------------------------------------------------


@without_graphs
def test_dropout_drops_the_same_inputs_at_every_step_and_scales_the_others():
    layer = RNN(
        64,
        "linear",
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        dropout=0.25,
        return_sequences=True,
    )
    outputs = layer(tf.ones([16, 5, 64]), training=True).numpy()
    assert np.all(outputs == outputs[:, :1])
    assert set(np.unique(outputs.round(5))) == {0, np.float32(1 / 0.75).round(5)}
    assert abs(np.mean(outputs == 0) - 0.25) < 0.05
    assert not np.all(outputs == outputs[:1])
    cases.assert_close(layer(tf.ones([16, 5, 64])), np.ones([16, 5, 64]), 0)


def test_recurrent_dropout_drops_the_same_units_at_every_step():
    """With U = 1 and no inputs the state is multiplied by its factor at every step."""
    layer = RNN(64, "linear", recurrent_initializer="identity", recurrent_dropout=0.25)
    start = tf.ones([16, 64])
    outputs = layer(tf.zeros([16, 3, 2]), initial_state=start, training=True).numpy()
    assert set(np.unique(outputs.round(4))) == {0, np.float32(0.75**-3).round(4)}
    assert abs(np.mean(outputs == 0) - 0.25) < 0.05


@pytest.mark.parametrize(("layer", "kind"), [(GRU, "dropout"), (LSTM, "recurrent_dropout")])
@without_graphs
def test_dropout_differs_between_calls_and_follows_the_seed(layer, kind):
    def make(seed):
        built = layer(16, seed=seed, **{kind: 0.5})
        built.build((None, None, 2))
        cases.randomize(built)
        return built

    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    first = one(X, training=True)
    assert not np.allclose(one(X, training=True), first)
    assert not np.allclose(other(X, training=True), first)
    cases.assert_close(same(X, training=True), first, 1e-6)
    cases.assert_close(one(X), other(X), 1e-6)


# --- Stateful ------------------------------------------------------------------------------------


@gru_and_lstm
@without_graphs
def test_two_halves_equal_the_whole(case):
    whole = case.make(return_sequences=True, return_state=True)
    halves = case.make(return_sequences=True, return_state=True, stateful=True)
    x, _ = cases.inputs(case)
    expected, *last = whole(x, mask=cases.MASK)
    for _ in range(2):
        first, *_ = halves(x[:, :3], mask=cases.MASK[:, :3])
        second, *states = halves(x[:, 3:], mask=cases.MASK[:, 3:])
        cases.assert_close(tf.concat([first, second], axis=1), expected)
        cases.assert_close(states, last)
        cases.assert_close(halves.states, last)
        halves.reset_state()


@pytest.mark.parametrize("layer", [GRU, LSTM])
@without_graphs
def test_reset_goes_back_to_a_start_other_than_zero(layer):
    layer = layer(3, stateful=True, state_initializer="random_normal")
    layer.build((8, None, 2))
    start = [keras.ops.convert_to_numpy(state).copy() for state in layer.states]
    assert np.abs(start).min() > 0
    first = layer(X)
    assert not np.allclose(layer(X), first)
    layer.reset_state()
    cases.assert_close(layer.states, start, 0)
    cases.assert_close(layer(X), first, 0)


def test_a_stateful_model_keeps_its_state_between_batches():
    layer = LSTM(3, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(8, None, 2)), layer])
    expected = LSTM(3)
    expected.build((None, None, 2))
    expected.set_weights(layer.get_weights()[:3])
    cases.assert_close(model.predict(X[:, :3], batch_size=8, verbose=0), expected(X[:, :3]), 1e-6)
    cases.assert_close(model.predict(X[:, 3:], batch_size=8, verbose=0), expected(X), 1e-6)


# --- Shapes at the edge, and shards --------------------------------------------------------------


def compiled(layer, features=cases.FEATURES):
    """A training step's outputs and gradients, in a graph that knows neither batch nor time."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, features], "float64")])
    def results_and_gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            results = layer(x, training=True)
            loss = tf.add_n([tf.reduce_sum(tf.sin(3 * result)) for result in results])
        return results, tape.gradient(loss, [x, *layer.trainable_variables])

    return results_and_gradients


def test_compiled_graphs_of_unknown_sizes_equal_eager():
    case = cases.PLAIN[0]
    arguments = {"return_sequences": True, "return_state": True}
    step = compiled(case.make(**arguments))
    expected = compiled(case.make(**arguments, jit=False))
    for batch, time in [(1, 3), (3, 16), (3, 17), (0, 3), (3, 0)]:
        x = tf.constant(cases.normal(batch, time, cases.FEATURES))
        results, gradients = step(x)
        expected_results, expected_gradients = expected.python_function(x)
        cases.assert_close(results, expected_results)
        cases.assert_close(gradients, expected_gradients)


@portable_gru_and_compiled_lstm
def test_no_steps_and_no_sequences_are_allowed(case, jit):
    layer = case.make(return_sequences=True, return_state=True, jit=jit)
    for batch, time in [(3, 0), (0, 3)]:
        x, states = cases.inputs(case, batch, time)
        results = layer(x, initial_state=states)
        assert [v.shape for v in results] == [(batch, time, 4)] + [(batch, 4)] * len(states)
        cases.assert_close(results[1:], states, 0)
        for gradient in cases.gradients(layer, x, states)[1 + len(states) :]:
            assert np.all(gradient == 0)


def test_shards_of_a_batch_that_does_not_divide_equal_one(monkeypatch):
    case, shards = cases.PLAIN[-1], 3
    mask = np.arange(17)[:, None] % 4 < np.arange(3)
    layer = case.make(return_sequences=True, return_state=True, jit=True)
    x, states = cases.inputs(case, batch=17, time=3)
    expected = layer(x, initial_state=states, mask=mask, training=True)
    expected_gradients = cases.gradients(layer, x, states, mask)

    monkeypatch.setattr(sharding, "WORK_PER_SHARD", 1)
    monkeypatch.setattr(sharding.os, "cpu_count", lambda: shards)
    monkeypatch.setattr(sharding, "ROWS_PER_SHARD", 4)
    cut = sharding.Tensors.shards
    counts = []
    monkeypatch.setattr(
        sharding.Tensors,
        "shards",
        lambda self, at_once: counts.append(len(cut(self, at_once))) or cut(self, at_once),
    )
    results = layer(x, initial_state=states, mask=mask, training=True)
    assert counts == [shards]
    cases.assert_close(results, expected)
    cases.assert_close(cases.gradients(layer, x, states, mask), expected_gradients)


def test_two_small_directions_share_the_cores(monkeypatch):
    monkeypatch.setattr(sharding.os, "cpu_count", lambda: 4)
    cut, counts = sharding.Tensors.shards, set()

    def count(self, at_once):
        counts.add(len(cut(self, at_once)))
        return cut(self, at_once)

    monkeypatch.setattr(sharding.Tensors, "shards", count)
    for bidirectional, units, expected in ((False, 8, 4), (True, 8, 2), (True, 512, 4)):
        counts.clear()
        stack = Stack("rnn", units, bidirectional=bidirectional, layer={"jit": True})
        train = tf.function(lambda x, stack=stack: stack(x, training=True), autograph=False)
        train.get_concrete_function(tf.TensorSpec([None, 3, 2]))
        assert counts == {expected}


def test_shards_cut_the_recurrent_dropout_too(monkeypatch):
    results = []
    for work in (2**17, 1):
        monkeypatch.setattr(sharding, "WORK_PER_SHARD", work)
        layer = cases.PLAIN[3].make(jit=True, recurrent_dropout=0.5, seed=1)
        results.append(layer(cases.normal(17, 3, 2), training=True))
    cases.assert_close(results[0], results[1])


# --- Where XLA runs ------------------------------------------------------------------------------


def compilations(layer, monkeypatch, call):
    """Whether each run of the layer was compiled."""
    plans, run = [], engine.run
    monkeypatch.setattr(
        engine, "run", lambda plan, *args, **kw: plans.append(plan) or run(plan, *args, **kw)
    )
    call(layer)
    return [plan.compiled for plan in plans]


@pytest.mark.parametrize(
    ("jit", "training", "shape", "expected"),
    [
        ("auto", True, [None, None, 2], True),
        ("auto", False, [None, None, 2], False),
        ("auto", False, [None, 6, 2], False),
        ("auto", False, [8, None, 2], False),
        ("auto", False, [8, 6, 2], True),
        (False, True, [8, 6, 2], False),
        (True, False, [None, None, 2], True),
    ],
)
def test_auto_compiles_in_training_graphs_and_where_sizes_are_known(
    jit, training, shape, expected, monkeypatch
):
    layer = RNN(4, jit=jit)
    layer.build((None, None, 2))
    graph = tf.function(lambda x: layer(x, training=training))
    spec = tf.TensorSpec(shape)
    assert compilations(layer, monkeypatch, lambda _: graph.get_concrete_function(spec)) == [
        expected
    ]


@pytest.mark.parametrize(("jit", "expected"), [("auto", False), (True, True), (False, False)])
def test_eager_calls_compile_where_asked(jit, expected, monkeypatch):
    layer = RNN(4, jit=jit)
    assert compilations(layer, monkeypatch, lambda layer: layer(X, training=True)) == [expected]


def test_auto_compiles_training_under_a_distribution_strategy_too(monkeypatch):
    layer = RNN(4)
    layer.build((None, None, 2))
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        graph = tf.function(lambda x: layer(x, training=True))
        assert compilations(layer, monkeypatch, lambda _: graph.get_concrete_function(X)) == [True]
