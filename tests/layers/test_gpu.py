"""What a GPU computes: cuDNN against the loop over time, and models that train on one.

python3 -m pytest -q tests/layers/test_gpu.py -p no:cacheprovider
"""

import os
import subprocess
import sys

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
from layers import GRU, LSTM
from layers.engine import running

pytestmark = [
    pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="needs a GPU"),
    # What libraries for GPUs warn of is not ours.
    pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning"),
]

KNOWN = [
    case
    for case in cases.CASES
    if case.name.removesuffix("_no_bias") in ("rnn", "rnn_relu", "gru_reset_after", "lstm")
]
LSTM_CASE = next(case for case in KNOWN if case.name == "lstm")
# Left, right, holes; a row of padding alone and a whole one.
MASK = np.array([*cases.MASK, [False] * cases.TIME, [True] * cases.TIME])
RIGHT = np.arange(cases.TIME) < np.array([3, 1, 0, cases.TIME, 5])[:, None]
# Largest difference by type; without TF32, which has 10 bits, float32 has 23.
ROUNDING = {"float64": 1e-10, "float32": 1e-4, "float16": 0.04}


@pytest.fixture(autouse=True)
def without_tf32():
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.fixture
def runs(monkeypatch):
    """How often cuDNN was asked for a run, but for those that check it."""
    seen, agrees = [], running.agrees

    def counted(*arguments):
        seen.append(arguments)
        return run_by_cudnn(*arguments)

    run_by_cudnn = running.run_by_cudnn
    monkeypatch.setattr(running, "run_by_cudnn", counted)
    monkeypatch.setattr(running, "agrees", lambda _, *which: agrees(run_by_cudnn, *which))
    return seen


def results_and_gradients(case, mask, by_cudnn, **arguments):
    layer = case.make(return_sequences=True, return_state=True, **arguments)
    layer.use_cudnn = "auto" if by_cudnn else False
    x, states = cases.inputs(case, batch=len(MASK))
    if mask is not None:
        x = np.where(mask[:, :, None], x, np.nan)
    x, *states = [tf.constant(one, layer.compute_dtype) for one in (x, *states)]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        outputs = layer(x, initial_state=states, mask=mask, training=True)
        loss = cases.weighted_sum([tf.cast(output, tf.float64) for output in outputs])
    found = [*outputs, *tape.gradient(loss, [x, *states, *layer.trainable_variables])]
    return [tf.cast(one, tf.float64).numpy() for one in found]


def check(case, mask, runs, **arguments):
    found = results_and_gradients(case, mask, by_cudnn=True, **arguments)
    assert runs
    count = len(runs)
    expected = results_and_gradients(case, mask, by_cudnn=False, **arguments)
    assert len(runs) == count
    cases.assert_close(found, expected, ROUNDING[arguments.get("dtype", "float64")])


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_cudnn_gives_the_results_and_gradients_of_the_loop(case, mask, runs):
    check(case, mask, runs)


@pytest.mark.parametrize(
    "arguments",
    [{"go_backwards": True}, {"go_backwards": True, "zero_output_for_mask": False}],
    ids=["zeros", "repeats"],
)
@pytest.mark.parametrize("mask", [RIGHT, MASK], ids=["right", "holes"])
def test_backwards(arguments, mask, runs):
    check(LSTM_CASE, mask, runs, **arguments)


def test_padding_on_the_right(runs):
    check(LSTM_CASE, RIGHT, runs)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_each_precision(case, dtype, runs):
    check(case, MASK, runs, dtype=dtype)


def test_a_gradient_out_of_training(runs):
    layer, x = LSTM_CASE.make(), tf.constant(cases.normal(3, 5, 2))
    slopes = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        slopes.append(tape.gradient(y, x))
    assert len(runs) == 2
    cases.assert_close(slopes[:1], slopes[1:], ROUNDING["float64"])


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_a_graph_of_unknown_sizes_may_meet_nothing(mask, runs):
    layer = LSTM_CASE.make(return_sequences=True)
    x = tf.constant(cases.inputs(LSTM_CASE, batch=len(MASK))[0])

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float64)])
    def train(x):
        here = None if mask is None else tf.constant(mask)[: tf.shape(x)[0], : tf.shape(x)[1]]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=here, training=True)
        return y, tape.gradient(y, x)

    for rows, steps in ((5, 7), (5, 0), (0, 7)):
        y, slope = train(x[:rows, :steps])
        assert y.shape == (rows, steps, 4) and slope.shape == (rows, steps, 2)
    assert runs


def model_of(*middle, dtype="float32"):
    ids = keras.Input([None], dtype="int32")
    x = keras.layers.Embedding(20, 8, mask_zero=True, dtype=dtype)(ids)
    for layer in middle:
        x = layer(x)
    model = keras.Model(ids, keras.layers.Dense(1, dtype="float32")(x))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def ids_and_targets():
    ids = np.random.default_rng(0).integers(1, 20, [64, 12])
    ids[np.arange(12) >= np.arange(1, 65)[:, None] % 12] = 0  # some rows are padding alone
    return ids, (ids > 10).mean(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_model_learns_and_predicts(cell, dtype, runs):
    model = model_of(
        layers.Stack(cell, 16, depth=2, bidirectional=True, dropout=0.1, dtype=dtype),
        layers.Pooling("mean", dtype=dtype),
        dtype=dtype,
    )
    ids, targets = ids_and_targets()
    losses = model.fit(ids, targets, epochs=4, batch_size=24, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert bool(runs) == (cell == "lstm" and dtype != "mixed_bfloat16")
    found = model.predict(ids, batch_size=24, verbose=0)
    count = len(runs)
    cases.assert_close([found], [tf.function(model)(ids)], 0.05)  # the graph is one to export
    assert len(runs) == count


LOADED_BY_A_CPU = """
import numpy as np, sys, tensorflow as tf
assert not tf.config.list_physical_devices("GPU")
model = tf.saved_model.load(sys.argv[1])
np.save(sys.argv[2], model.serve(np.load(sys.argv[3])).numpy())
"""


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_what_a_gpu_exports_runs_without_one(dtype, tmp_path):
    model = model_of(
        layers.Stack("lstm", 8, bidirectional=True, dtype=dtype),
        GRU(8, reset_gate="after", dtype=dtype),
        dtype=dtype,
    )
    ids, targets = ids_and_targets()
    model.fit(ids, targets, verbose=0)
    predicted = model.predict(ids, verbose=0)
    model.export(tmp_path / "model", verbose=False)
    assert b"Cudnn" not in (tmp_path / "model" / "saved_model.pb").read_bytes()
    np.save(tmp_path / "ids.npy", ids.astype("int32"))
    files = [str(tmp_path / name) for name in ("model", "served.npy", "ids.npy")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", LOADED_BY_A_CPU, *files], check=True, env=environment)
    cases.assert_close([np.load(files[1])], [predicted], 1e-3 if dtype == "float32" else 0.05)


def test_the_lecture_s_gru_runs_compiled(runs):
    layer = GRU(16, return_sequences=True)
    x = tf.constant(cases.normal(8, 12, 4), tf.float32)
    layer.build(x.shape)
    mask = np.arange(12) < np.arange(5, 13)[:, None]

    def train(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=mask, training=True)
            loss = tf.reduce_sum(y * y)
        return [y, *tape.gradient(loss, [x, *(w.value for w in layer.trainable_variables)])]

    compiled = tf.function(train, autograph=False)
    graph = compiled.get_concrete_function(x).graph.as_graph_def()
    assert any("_XlaMustCompile" in function.attr for function in graph.library.function)
    cases.assert_close(compiled(x), train(x), 1e-4)
    assert not runs


def test_a_function_that_xla_compiles_has_no_cudnn(runs):
    layer, x = LSTM(8), tf.constant(cases.normal(2, 5, 3), tf.float32)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    cases.assert_close([compiled(x)], [layer(x)], 1e-4)
    assert len(runs) == 1  # that without XLA
