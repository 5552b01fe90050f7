"""Where a graph goes besides TensorFlow: XLA around it, LiteRT, ONNX; and who gets which loop."""

import contextlib
import io

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from layers import CRF, GRU, LSTM, RNN, Stack

X = cases.normal(2, 7, 3).astype("float32")
REAL = np.array([[1, 1, 0, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1, 1]], bool)
MASKED = X * REAL[:, :, None]

LAYERS = {
    "rnn": lambda: RNN(4, return_sequences=True),
    "gru": lambda: GRU(4, return_sequences=True),
    "gru_simplified": lambda: GRU(4, reset_gate=None),
    "gru_reset_after": lambda: GRU(4, reset_gate="after", go_backwards=True),
    "lstm": lambda: LSTM(4, return_sequences=True),
    "both_directions": lambda: keras.layers.Bidirectional(LSTM(4, return_sequences=True)),
    "stack": lambda: Stack("gru", [4, 3]),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def model_of(make, batch=None, time=None, masking=True):
    inputs = keras.Input(batch_shape=(batch, time, 3))
    x = keras.layers.Masking()(inputs) if masking else inputs
    return keras.Model(inputs, make()(x))


# --- XLA around a layer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mask"),
    [
        ("gru", REAL),
        ("gru_reset_after", None),
        ("lstm", None),
        ("both_directions", REAL),
    ],
    ids=lambda value: value if isinstance(value, str) else "whole" if value is None else "masked",
)
def test_xla_around_a_layer(kind, mask):
    layer = LAYERS[kind]()
    expected = layer(X, mask=mask)
    forward = tf.function(lambda x: layer(x, mask=mask), jit_compile=True, reduce_retracing=True)
    cases.assert_close(forward(tf.constant(X)), expected, 1e-5)
    unknown = tf.function(
        lambda x, mask=None: layer(x, mask=mask),
        jit_compile=True,
        input_signature=[tf.TensorSpec([None, None, 3])]
        + ([] if mask is None else [tf.TensorSpec([None, None], tf.bool)]),
    )
    cases.assert_close(unknown(X, *([] if mask is None else [mask])), expected, 1e-5)


# Each way to a gradient: the loop compiled or portable, what it needs kept on the way forward or
# computed anew. That XLA compiles each cell, test_gradients shows.
@pytest.mark.parametrize(
    ("cell", "jit", "training"),
    [
        ("rnn", "auto", False),
        ("gru", "auto", True),
        ("gru_reset_after", False, True),
        ("lstm", False, False),
    ],
)
def test_xla_around_a_gradient(cell, jit, training):
    case = next(case for case in cases.PLAIN if case.name == cell)
    layer = case.make(return_sequences=True, jit=jit)
    x, states = cases.inputs(case)

    def gradients(x, *states):
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            y = layer(x, initial_state=list(states), mask=cases.MASK, training=training)
            loss = tf.reduce_sum(y * cases.normal(*y.shape))
        return tape.gradient(loss, [x, *states, *(w.value for w in layer.trainable_variables)])

    arguments = [tf.constant(value) for value in (x, *states)]
    compiled = tf.function(gradients, jit_compile=True)(*arguments)
    cases.assert_close(compiled, gradients(*arguments))


# --- LiteRT --------------------------------------------------------------------------------------


def convert(model):
    """A LiteRT interpreter of a model."""
    with contextlib.redirect_stdout(io.StringIO()):  # the converter exports with a report
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return tf.lite.Interpreter(model_content=content)


def ask(interpreter, x):
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(result["index"])


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize(
    ("kind", "batch", "time", "masking"),
    [
        *[(kind, None, None, True) for kind in ("both_directions", "stack")],
        *[(kind, 1, 7, False) for kind in ("rnn", "lstm")],
        ("gru_reset_after", 1, None, True),
        ("lstm", None, None, False),
        ("gru", 1, 7, True),
    ],
)
def test_lite_answers_alike(kind, batch, time, masking):
    model = model_of(LAYERS[kind], batch, time, masking)
    interpreter = convert(model)
    for steps in (7,) if time else (7, 3, 7, 5):
        x = MASKED[:1, :steps]
        cases.assert_close(ask(interpreter, x), model(x), 1e-5)


# --- ONNX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("masking", [False, True])
@every_layer
def test_onnx_answers_alike(make, masking):
    tf2onnx = pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = model_of(make, masking=masking)
    signature = [tf.TensorSpec([None, None, 3], name="x")]
    graph = tf.function(lambda x: model(x, training=False), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(graph, input_signature=signature, opset=17)
    session = runtime.InferenceSession(proto.SerializeToString())
    for x in (MASKED, MASKED[:1], MASKED[:, :3]):
        cases.assert_close(session.run(None, {"x": x})[0], model(x), 1e-5)


# --- TensorFlow takes the fastest form -----------------------------------------------------------


def kernels_of(path, inputs):
    """What a session gives for each input, and the operations that it runs of a SavedModel, loaded
    as TensorFlow Serving does it."""
    v1, results = tf.compat.v1, []
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.load(session, ["serve"], str(path))
        signature = loaded.signature_def["serving_default"]
        (given,), (result,) = signature.inputs.values(), signature.outputs.values()
        options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
        for x in inputs:
            traced = v1.RunMetadata()
            answer = session.run(result.name, {given.name: x}, options, traced)
            devices = traced.step_stats.dev_stats
            labels = [node.timeline_label for device in devices for node in device.node_stats]
            results.append((answer, labels))
    return results


class Exported(tf.Module):
    def __init__(self, layer, answer):
        super().__init__()
        self.weights = [weight.value for weight in layer.weights]
        self.serve = tf.function(answer, input_signature=[tf.TensorSpec([None, None, 3], name="x")])


def in_a_branch(layer):
    return lambda x: tf.cond(tf.shape(x)[1] > 100, lambda: x, lambda: layer(x)[:, :, :3])


def in_a_loop(layer):
    def turn(i, y):
        return i + 1, y + layer(x_of[0])[:, :, :3]

    x_of = []

    def call(x):
        x_of[:] = [x]
        return tf.while_loop(lambda i, y: i < 2, turn, (0, tf.zeros_like(x)))[1]

    return call


WRAPS = {"plain": lambda layer: layer, "branch": in_a_branch, "loop": in_a_loop}


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        ("lstm", "branch"),
        ("lstm", "loop"),
        ("both_directions", "plain"),
    ],
)
@pytest.mark.usefixtures("optimized_graphs")
def test_a_loaded_graph_takes_the_kernel_for_small_batches(kind, wrap, tmp_path):
    layer = LAYERS[kind]()
    layer.build((None, None, 3))
    answer = WRAPS[wrap](layer)
    exported = Exported(layer, answer)
    tf.saved_model.save(exported, tmp_path, signatures={"serving_default": exported.serve})
    inputs = X[:1], X, np.repeat(X, 4, axis=0)
    for x, (result, ran) in zip(inputs, kernels_of(tmp_path, inputs), strict=True):
        cases.assert_close(result, answer(tf.constant(x)), 1e-5)
        assert any("BlockLSTMV2" in label for label in ran) == (len(x) < 8)


def test_without_the_graph_optimizer_the_answers_are_the_same():
    stack = Stack("lstm", 4)
    expected = stack(X, mask=REAL)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        graph = tf.function(stack, input_signature=[tf.TensorSpec([None, None, 3])])
        cases.assert_close(
            tf.function(lambda x, mask: stack(x, mask=mask), reduce_retracing=True)(X, REAL),
            expected,
            1e-5,
        )
        cases.assert_close(graph(X), stack(X), 1e-5)
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def test_calls_share_the_fast_form_and_have_a_plain_loop_each(tmp_path):
    layers = [LSTM(4, return_sequences=True) for _ in range(3)]
    keras.Sequential([keras.Input((None, 4)), *layers]).export(tmp_path, verbose=False)
    proto = SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    library = proto.meta_graphs[0].graph_def.library.function
    assert len([f for f in library if any(node.op == "BlockLSTMV2" for node in f.node_def)]) == 1
    names = [f.attr["api_implements"].s for f in library if "api_implements" in f.attr]
    # The plain loop, and one for each kind of device.
    assert sorted(names.count(name) for name in set(names)) == [3, 3, 3]


def test_a_crf_under_xla():
    crf = CRF(3)
    tags = np.array([[0, 1, 2, 0, 1, 2, 0]] * 2, "int32")
    call = tf.function(lambda x: crf.log_likelihood(x, tags, REAL), jit_compile=True)
    cases.assert_close([call(X)], [crf.log_likelihood(X, tags, REAL)], 1e-5)
