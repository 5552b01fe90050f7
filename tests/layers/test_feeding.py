"""The loop that waits for attention: its equations, and its gradient by hand."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from layers import CELLS, Attention
from layers.engine.feeding import FeedingPlan, FeedingTensors, run_feeding

pytestmark = pytest.mark.usefixtures("optimized_graphs")

BATCH, TIME, FEATURES, UNITS, KEYS, READ, WIDTH = 4, 3, 2, 4, 5, 6, 3
MASK = np.arange(KEYS) < np.array([5, 1, 3, 0])[:, None]

every_cell = pytest.mark.parametrize("cell", CELLS)
every_kind = pytest.mark.parametrize("additive", [True, False])


def case(cell, additive, depth=2, dropout=True, dtype="float64"):
    """A plan, its tensors, and the layers and the attention whose weights they are."""
    rng = np.random.default_rng(0)

    def random(*shape):
        return tf.constant(rng.normal(0, 0.7, shape), dtype)

    kind, arguments = CELLS[cell]
    layers = [kind(UNITS, dtype=dtype, **arguments) for _ in range(depth)]
    for i, layer in enumerate(layers):
        layer.build((None, None, UNITS if i else FEATURES + WIDTH))
        layer.set_weights([random(*w.shape) for w in layer.weights])
    attention = Attention("additive" if additive else "general", units=2, dtype=dtype)
    attention.build((None, UNITS), (None, None, READ))
    values = random(BATCH, KEYS, READ)
    weights = [layer.weight_tensors() for layer in layers]
    factors = tuple(tf.constant(rng.choice([0, 2], (BATCH, UNITS)), dtype) for _ in layers)
    last = tf.constant(rng.choice([0, 2], (BATCH, WIDTH)), dtype)
    tensors = FeedingTensors(
        x=random(BATCH, TIME, FEATURES),
        states=tuple(tuple(random(BATCH, UNITS) for _ in layers[0].cell.states) for _ in layers),
        kernels=tuple(w["kernel"] for w in weights),
        biases=tuple(w["bias"] for w in weights),
        recurrent_kernels=tuple(w["recurrent_kernel"] for w in weights),
        recurrent_biases=tuple(
            w["recurrent_bias"] for w in weights if w["recurrent_bias"] is not None
        ),
        memory=tf.convert_to_tensor(attention.project(values)),
        values=values,
        combine=random(READ + UNITS, WIDTH),
        combine_bias=random(WIDTH),
        query=attention.weight_tensors()["query_kernel"],
        scale=attention.weight_tensors()["scale"],
        mask=tf.constant(MASK),
        recurrent_dropout=factors[::-1] if dropout else (),
        dropout=(*factors[1:], last) if dropout else (),
    )
    return FeedingPlan(layers[0].cell, depth, additive), tensors, layers, attention


def gradients(plan, tensors, seen):
    """Outputs, and derivatives of a sum of them by all that has some, by name."""
    named = {
        field.name: getattr(tensors, field.name)
        for field in dataclasses.fields(tensors)
        if field.name not in ("mask", "recurrent_dropout", "dropout")
    }
    named = {name: value for name, value in named.items() if value is not None}
    with tf.GradientTape() as tape:
        tape.watch(tf.nest.flatten(named))
        found = run_feeding(plan, tensors)
        loss = tf.reduce_sum(found * seen)
    flat = tape.gradient(loss, tf.nest.flatten(named))
    return found, tf.nest.pack_sequence_as(named, flat)


def assert_same(one, other, atol=1e-10):
    for name, value in other[1].items():
        for a, b in zip(tf.nest.flatten(one[1][name]), tf.nest.flatten(value), strict=True):
            np.testing.assert_allclose(a, b, atol=atol, err_msg=name)
            assert np.abs(b).max() > 1e-3, name
    np.testing.assert_allclose(one[0], other[0], atol=atol)


@every_kind
@every_cell
@without_graphs
def test_it_takes_the_steps_of_layers_and_attention(cell, additive):
    plan, tensors, layers, attention = case(cell, additive, dropout=False)
    found = run_feeding(plan, tensors)
    fed = tf.zeros([BATCH, WIDTH], tf.float64)
    states = [list(some) for some in tensors.states]
    for t in range(TIME):
        a = tf.concat([tensors.x[:, t], fed], axis=1)
        for i, layer in enumerate(layers):
            a, states[i] = layer.step(a, states[i])
        context, _ = attention.attend(a, tensors.memory, tensors.values, tensors.mask)
        both = tf.concat([context, a], axis=1)
        fed = tf.tanh(both @ tensors.combine + tensors.combine_bias)
        np.testing.assert_allclose(found[:, t], fed, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "additive", "depth"),
    [*[(cell, True, 2) for cell in CELLS], ("lstm", False, 2), ("gru_reset_after", False, 1)],
)
@without_graphs
def test_the_gradient_by_hand_is_the_automatic_one(cell, additive, depth):
    plan, tensors, *_ = case(cell, additive, depth)
    seen = np.random.default_rng(1).normal(size=[BATCH, TIME, WIDTH])
    by_hand = gradients(plan, tensors, seen)
    assert_same(by_hand, gradients(dataclasses.replace(plan, by_hand=False), tensors, seen))


@every_kind
@without_graphs
def test_the_gradient_is_that_of_numeric_differences(additive):
    plan, tensors, *_ = case("lstm", additive)
    rng = np.random.default_rng(1)
    seen = rng.normal(size=[BATCH, TIME, WIDTH])
    _, found = gradients(plan, tensors, seen)
    for name in ("x", "memory", "values", "combine"):
        value = getattr(tensors, name)
        direction = rng.normal(size=value.shape)
        ends = [
            float(tf.reduce_sum(seen * run_feeding(plan, dataclasses.replace(tensors, **moved))))
            for moved in ({name: value + step * direction} for step in (1e-6, -1e-6))
        ]
        wanted = np.sum(found[name] * direction)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(wanted, rel=1e-6)


# Two states, and a bias inside the recurrent product.
@pytest.mark.parametrize(("cell", "additive"), [("lstm", True), ("gru_reset_after", False)])
def test_compiled_for_sizes_that_are_not_known_it_is_the_same(cell, additive):
    plan, tensors, *_ = case(cell, additive, depth=2 if additive else 1, dtype="float32")
    seen = np.random.default_rng(1).normal(size=[BATCH, TIME, WIDTH]).astype("float32")
    expected = gradients(plan, tensors, seen)
    compiled = dataclasses.replace(plan, compiled=True)
    free = {"x": [None, None, FEATURES], "memory": [None, None, None], "mask": [None, None]}
    free["values"] = [None, None, READ]
    free["memory"] = [None, None, tensors.memory.shape[2]]

    def loosen(value):
        return tf.TensorSpec([None, *value.shape[1:]], value.dtype)

    rows = {name: getattr(tensors, name) for name in free}
    of_rows = {name: getattr(tensors, name) for name in ("states", "recurrent_dropout", "dropout")}
    specs = {name: tf.TensorSpec(free[name], value.dtype) for name, value in rows.items()}

    @tf.function(input_signature=[specs, tf.nest.map_structure(loosen, of_rows)], autograph=False)
    def run(rows, of_rows):
        return gradients(compiled, dataclasses.replace(tensors, **rows, **of_rows), seen)

    assert_same(run(rows, of_rows), expected, atol=2e-5)


def test_second_derivatives_are_an_error():
    plan, tensors, *_ = case("rnn", additive=False, depth=1)
    with tf.GradientTape() as tape:
        tape.watch(tensors.x)
        _, found = gradients(plan, tensors, tf.ones([], tf.float64))
        total = tf.reduce_sum(found["x"])
    with pytest.raises(NotImplementedError, match="Second derivatives of a loop that waits"):
        tape.gradient(total, tensors.x)
