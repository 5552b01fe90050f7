"""Large products in bfloat16, where a CPU is made for it, and in float32 where it is not."""

import builtins
import io
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from layers import LSTM, sampled_softmax, softmax
from layers.engine import compiling
from zoo.configuration import LanguageModelConfig
from zoo.models import LanguageModel

RNG = np.random.default_rng(0)
X = RNG.normal(size=[3, 5, 6]).astype("float32")
SOFTMAXES = {
    "whole": softmax.summed_cross_entropy,
    "sampled": lambda *given, **how: sampled_softmax.summed_sampled_cross_entropy(
        *given, sampled_softmax.draw([0, 1], 9, 12), **how
    ),
}


@pytest.fixture(params=[True, False], ids=["has bfloat16", "has not"])
def processor(request, monkeypatch):
    monkeypatch.setattr(compiling, "multiplies_bfloat16", lambda: request.param)
    return request.param


def training_step(layer):
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(x, training=True), tf.float32) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    return gradients


def types_of_products(graph):
    """How many products of each type a graph has, those of its functions included."""
    nodes = [*graph.node, *(node for some in graph.library.function for node in some.node_def)]
    return Counter(tf.as_dtype(node.attr["T"].type).name for node in nodes if "MatMul" in node.op)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    ("arguments", "count"),
    [({}, 5), ({"layer_normalization": True}, 5), ({"zoneout": 0.1}, 4)],
    ids=["plain", "normalized", "zoneout"],
)
def test_in_training_products_over_all_steps_are_in_bfloat16(processor, jit, arguments, count):
    """W_x x<t> of all steps, and derivatives by x, W_x, U and what is added inside of a step."""
    exact, mixed = (LSTM(4, jit=jit, dtype=d, **arguments) for d in ("float32", "mixed_bfloat16"))
    for layer in (exact, mixed):
        layer.build(X.shape)
    mixed.set_weights(exact.get_weights())
    step = tf.function(training_step(mixed)).get_concrete_function(tf.TensorSpec(X.shape))
    types = types_of_products(step.graph.as_graph_def())
    assert types["bfloat16"] == (count if processor else 0)
    if "zoneout" in arguments:  # which draws
        return
    for found, expected in zip(step(tf.constant(X)), training_step(exact)(X), strict=True):
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_xla_and_what_is_exported_have_none(processor, tmp_path):
    """XLA multiplies them in naive loops, and nobody knows the processor that will serve."""
    del processor
    layer = LSTM(4, dtype="mixed_bfloat16")
    layer.build(X.shape)
    whole = tf.function(training_step(layer), jit_compile=True)
    graph = whole.get_concrete_function(tf.TensorSpec(X.shape)).graph.as_graph_def()
    assert set(types_of_products(graph)) == {"float32"}
    # With the gradients that TensorFlow saves by default.
    module = tf.Module()
    module.layer, module.serve = layer, tf.function(layer)
    module.serve.get_concrete_function(tf.TensorSpec(X.shape))
    tf.saved_model.save(module, tmp_path)
    saved = saved_model_pb2.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    assert set(types_of_products(saved.meta_graphs[0].graph_def)) == {"float32"}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("samples", [0, 4])
def test_models_hand_it_to_their_softmax(processor, tied, samples):
    config = LanguageModelConfig(
        vocabulary_size=9, units=4, embedding_dim=4, tied=tied, sampled_softmax=samples
    )
    a, targets = tf.zeros([2, 3, 4]), tf.ones([2, 3], tf.int32)
    for dtype, expected in (("mixed_bfloat16", processor), ("mixed_float16", False)):
        model = LanguageModel(config, dtype=dtype)
        model.build()
        assert (model.products_of_softmax == tf.bfloat16) == expected
        loss = tf.function(model.summed_loss, autograph=False)
        graph = loss.get_concrete_function(a, targets, samples).graph.as_graph_def()
        # Scores, and their derivatives by a and W; those by b are sums.
        assert types_of_products(graph)["bfloat16"] == (3 if expected else 0)


@pytest.mark.parametrize("kind", SOFTMAXES)
def test_softmaxes_multiply_in_it_and_sum_in_float32(kind):
    a, w, b = (RNG.normal(size=shape).astype("float32") for shape in ([40, 8], [12, 8], [12]))
    targets, weights = tf.constant(RNG.integers(0, 12, 40), tf.int32), tf.ones([40])

    def results(**how):
        given = [tf.constant(value) for value in (a, w, b)]
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = SOFTMAXES[kind](*given, targets, weights, **how)
        return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, given))]

    exact, rounded = results(), results(products=tf.bfloat16)
    assert {value.dtype for value in rounded} == {tf.float32}
    assert float(rounded[0]) == pytest.approx(float(exact[0]), rel=0.01)
    assert float(rounded[0]) != float(exact[0])
    for found, expected in zip(rounded[1:], exact[1:], strict=True):
        np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t: fpu avx512_bf16 avx512_fp16\n", True),
        ("flags\t: amx_tile amx_bf16\n", True),
        ("flags\t: fpu avx2 avx512f\n", False),
        (None, False),
    ],
)
def test_the_processor_is_asked(cpuinfo, expected, monkeypatch):
    def opened(path, *_, **__):
        assert path == "/proc/cpuinfo"
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return io.StringIO(cpuinfo)

    monkeypatch.setattr(builtins, "open", opened)
    assert compiling.multiplies_bfloat16.__wrapped__() is expected


def test_other_precisions_are_as_they_were(processor):
    del processor
    for name in ("float16", "float32", "float64"):
        expected = compiling.precision_of_loops(name)
        assert compiling.precision_of_products(name) == expected
