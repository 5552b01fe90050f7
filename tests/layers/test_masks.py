"""A padded step is as if it were not there."""

import cases
import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import both_directions
from hypothesis import strategies as st

from layers import engine
from layers.engine.compiling import shared_function
from layers.engine.loops import steps_back, steps_forward


def make(case, reverse=False, **arguments):
    return case.make(
        return_sequences=True, return_state=True, go_backwards=reverse, jit=False, **arguments
    )


# Masks are the loop's, and no cell's: one cell for each of its forms, one state and two. That every
# cell equals its equations with a mask, tests of equations and gradients show.
forwards_and_backwards = pytest.mark.parametrize(
    ("case", "reverse"),
    [(cases.PLAIN[2], False), (cases.PLAIN[-1], True)],
    ids=["gru_forwards", "lstm_backwards"],
)
portable_and_compiled = pytest.mark.parametrize(
    ("case", "jit"),
    [(cases.PLAIN[2], False), (cases.PLAIN[-1], True)],
    ids=["portable_gru", "compiled_lstm"],
)


@st.composite
def masks(draw):
    """Ragged masks: padding on both sides, holes, empty rows, whole rows."""
    batch, time = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    rows = st.one_of(
        st.lists(st.booleans(), min_size=time, max_size=time),
        st.integers(0, time).map(lambda n: [True] * n + [False] * (time - n)),
        st.integers(0, time).map(lambda n: [False] * (time - n) + [True] * n),
    )
    return np.array(draw(st.lists(rows, min_size=batch, max_size=batch)), bool)


def compacted(layer, x, states, mask):
    """Each sequence alone, its real steps side by side, and the outputs back in their places."""
    outputs = np.zeros([*mask.shape, layer.units])
    last = [np.zeros([len(mask), layer.units]) for _ in states]
    for b, real in enumerate(mask):
        start = [state[b : b + 1] for state in states]
        alone, *ends = layer(x[b : b + 1, real], initial_state=start)
        outputs[b, real] = alone[0, ::-1] if layer.go_backwards else alone[0]
        for state, end in zip(last, ends, strict=True):
            state[b] = end[0]
    return outputs[:, ::-1] if layer.go_backwards else outputs, last


@forwards_and_backwards
def test_a_masked_batch_equals_its_sequences_alone(case, reverse):
    layer = make(case, reverse)

    @hypothesis.given(masks())
    def check(mask):
        x, states = cases.inputs(case, *mask.shape)
        outputs, *last = layer(x, initial_state=states, mask=mask)
        expected, expected_last = compacted(layer, x, states, mask)
        cases.assert_close(outputs, expected)
        cases.assert_close(last, expected_last)

    check()


@forwards_and_backwards
def test_a_sequence_is_the_same_alone_padded_right_padded_left_and_in_a_batch(case, reverse):
    layer = make(case, reverse)

    @hypothesis.given(length=st.integers(1, 6), padding=st.integers(1, 5))
    def check(length, padding):
        x, states = cases.inputs(case, batch=1, time=length)
        alone, *last = layer(x, initial_state=states)
        noise = cases.normal(1, padding, cases.FEATURES, seed=7)
        right = np.concatenate([x, noise], axis=1), np.arange(length + padding) < length
        left = np.concatenate([noise, x], axis=1), np.arange(length + padding) >= padding
        both = np.concatenate([right[0], left[0]]), np.stack([right[1], left[1]])
        padded = [(right[0], right[1][None]), (left[0], left[1][None]), both]
        for sequences, mask in padded:
            start = [np.repeat(state, len(mask), axis=0) for state in states]
            outputs, *states_after = layer(sequences, initial_state=start, mask=mask)
            in_order = mask[:, ::-1] if reverse else mask
            for row, real in zip(outputs.numpy(), in_order, strict=True):
                cases.assert_close(row[real], alone[0])
            for state, end in zip(states_after, last, strict=True):
                cases.assert_close(state, np.repeat(end, len(mask), axis=0))

    check()


@hypothesis.given(masks(), st.booleans())
def test_padded_outputs_are_zero(mask, reverse):
    case = cases.PLAIN[-1]
    x, states = cases.inputs(case, *mask.shape)
    outputs, *_ = make(case, reverse)(x, initial_state=states, mask=mask)
    real = mask[:, ::-1] if reverse else mask
    assert np.all(outputs.numpy()[~real] == 0)
    assert np.all(outputs.numpy()[real] != 0)


@pytest.mark.parametrize("junk", [np.nan, np.inf], ids=["nan", "inf"])
@portable_and_compiled
def test_what_the_padding_holds_changes_nothing(case, junk, jit):
    layer = make(case)
    layer.jit = jit
    x, states = cases.inputs(case)
    spoiled = np.where(cases.MASK[:, :, None], x, junk)
    expected, results = (
        [*layer(v, initial_state=states, mask=cases.MASK, training=True)] for v in (x, spoiled)
    )
    cases.assert_close(results, expected, 0)
    expected, results = (cases.gradients(layer, v, states, cases.MASK) for v in (x, spoiled))
    cases.assert_close(results, expected, 0)
    assert np.all(results[0].numpy()[~cases.MASK] == 0)


@pytest.mark.parametrize(
    ("case", "mode"),
    [(cases.PLAIN[2], "graph"), (cases.PLAIN[-1], "compiled")],
    ids=["gru_in_a_graph", "compiled_lstm"],
)
@pytest.mark.parametrize("empty", [[1], [0, 1, 2]], ids=["one_row", "all_rows"])
def test_an_empty_row_ends_in_its_initial_state(case, empty, mode):
    layer = make(case)
    x, states = cases.inputs(case)
    mask = cases.MASK.copy()
    mask[empty] = False
    outputs, last = cases.run(layer, x, states, mask, mode)
    expected, expected_last, _ = (
        case.equations(layer, x, states, mask)
        if mask.any()
        else (np.zeros_like(outputs), states, None)
    )
    cases.assert_close(outputs, expected)
    cases.assert_close(last, expected_last)
    for state, start in zip(last, states, strict=True):
        cases.assert_close(state.numpy()[empty], start[empty], 0)


@portable_and_compiled
def test_a_batch_of_padding_alone_hands_its_gradient_to_the_initial_state(case, jit):
    layer = make(case)
    layer.jit = jit
    x, states = cases.inputs(case)
    d_x, *d = cases.gradients(layer, x, states, np.zeros_like(cases.MASK))
    d_states, d_weights = d[: len(states)], d[len(states) :]
    assert all(np.all(gradient.numpy() == 0) for gradient in (d_x, *d_weights))
    expected = [cases.normal(*state.shape, seed=51 + i) for i, state in enumerate(states)]
    cases.assert_close(d_states, expected)


# --- Work ----------------------------------------------------------------------------------------


class CountingCell(engine.Cell):
    """a<t> = a<t-1> + x<t>, and a count of the steps that were taken in each direction."""

    states = gates = quantities = ("a",)
    slopes = ("one",)

    def __init__(self):
        self.steps = self.steps_back = 0

    def _count(self, name, tensor):
        def count(value):
            setattr(self, name, getattr(self, name) + 1)
            return value

        return tf.ensure_shape(tf.numpy_function(count, [tensor], tensor.dtype), tensor.shape)

    def step(self, z_x, states, a_prev, weights):
        a = self._count("steps", a_prev + z_x)
        return engine.Step((a,), (tf.ones_like(a),), (a_prev,), (a,))

    def step_back(self, d_states, slopes, transposed):
        d_z = self._count("steps_back", d_states[0] * slopes[0])
        return (d_z,), d_z, (0,)


@both_directions
@pytest.mark.parametrize(("first", "end"), [(0, 5), (3, 9), (6, 30), (0, 0)])
def test_steps_that_are_padding_everywhere_are_not_computed(first, end, reverse):
    cell, time = CountingCell(), 30
    steps = np.arange(time)
    mask = tf.constant([(steps >= first) & (steps < end), np.zeros(time, bool)])
    x, start = tf.ones([2, time, 1]), tf.zeros([2, 1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        plan = engine.Plan(cell, 1, reverse=reverse)
        _, (last,) = engine.run(plan, x, [start], tf.ones([1, 1]), tf.ones([1, 1]), mask=mask)
    d_x = tape.gradient(last, x)
    assert last.numpy()[0, 0] == end - first
    assert np.all(d_x.numpy()[..., 0] == mask.numpy())
    assert (cell.steps, cell.steps_back) == (end - first, end - first)


def test_compiled_loops_leave_padding_alone_too():
    """What no step writes reads as zeros; a step that was taken keeps the state before it."""
    case = cases.PLAIN[2]
    layer = make(case)
    plan = engine.Plan(layer.cell, cases.UNITS, compiled=True)
    z_x = tf.constant(cases.normal(9, 2, 3 * cases.UNITS))
    mask = tf.constant(np.arange(9)[:, None, None] < [[[4], [6]]])
    weights = layer.cell.arrange(tf.convert_to_tensor(layer.recurrent_kernel), None)
    start = tf.ones([2, cases.UNITS], "float64")
    loop = shared_function(steps_forward, plan)
    _, _, (_, previous, _) = loop(z_x, (start,), weights, None, mask, None)
    taken = np.any(previous.numpy() != 0, axis=(1, 2))
    assert taken.tolist() == [True] * 6 + [False] * 3


# --- Masks on their way through models -----------------------------------------------------------


def test_an_embedding_hands_its_mask_on():
    layer = make(cases.PLAIN[-1])
    embedding = keras.layers.Embedding(5, cases.FEATURES, mask_zero=True, dtype="float64")
    ids = np.array([[1, 2, 0, 3, 0], [0, 4, 4, 0, 0]])
    expected = layer(embedding(ids).numpy(), mask=ids != 0)
    cases.assert_close(layer(embedding(ids)), expected)


@both_directions
def test_compute_mask_follows_the_outputs(reverse):
    case = cases.PLAIN[-1]
    mask = tf.constant(cases.MASK)
    expected = cases.MASK[:, ::-1] if reverse else cases.MASK
    arguments = {"go_backwards": reverse}
    one = case.make(return_sequences=True, **arguments).compute_mask(None, mask)
    assert np.array_equal(one, expected)
    with_states = make(case, reverse).compute_mask(None, mask)
    assert np.array_equal(with_states[0], expected)
    assert with_states[1:] == [None, None]
    assert case.make(**arguments).compute_mask(None, mask) is None
    assert case.make(return_sequences=True, **arguments).compute_mask(None, None) is None


@both_directions
def test_a_functional_model_hands_the_mask_through_layers(reverse):
    """Backwards outputs come in reverse order, and so does their mask."""
    lower = cases.PLAIN[2].make(return_sequences=True, go_backwards=reverse, dtype="float32")
    upper = cases.PLAIN[-1].make(features=cases.UNITS, dtype="float32")
    embedding = keras.layers.Embedding(5, cases.FEATURES, mask_zero=True)
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, upper(lower(embedding(inputs))))
    ids = np.array([[1, 2, 0, 3, 0], [0, 4, 4, 0, 0]])
    mask = ids != 0
    middle = lower(embedding(ids).numpy(), mask=mask)
    expected = upper(middle.numpy(), mask=mask[:, ::-1] if reverse else mask)
    cases.assert_close(model(ids), expected, 1e-6)


def test_layers_of_a_kind_and_all_their_masks_share_one_function():
    """TensorFlow traces each loop once, for the next layer and the next mask too."""
    assert all(case.make().cell == case.make().cell for case in cases.PLAIN)
    case, units = cases.PLAIN[2], 5
    plan = engine.Plan(case.make(units=units).cell, units, sequences=False, compiled=True)
    loops = [shared_function(loop, plan) for loop in (steps_forward, steps_back)]
    x, states = cases.inputs(case, units=units)

    def traces(mask):
        layer = case.make(units=units, jit=True, return_state=True)
        cases.gradients(layer, x, states, mask)
        return [loop.experimental_get_tracing_count() for loop in loops]

    # Tests before this one may have had the same loop, of other types.
    first = traces(cases.MASK)
    assert min(first) >= 1
    assert traces(~cases.MASK) == first
    assert traces(np.zeros_like(cases.MASK)) == first


@both_directions
def test_another_mask_is_not_another_compilation(reverse):
    """What XLA compiles says what it took for constants: it is the same for another mask."""
    case, units = cases.PLAIN[2], cases.UNITS
    layer = case.make()
    plan = engine.Plan(layer.cell, units, reverse=reverse, compiled=True)
    weights = layer.cell.arrange(tf.convert_to_tensor(layer.recurrent_kernel), None)
    z_x = tf.constant(cases.normal(12, 2, 3 * units))
    states = (tf.constant(cases.normal(2, units)),)

    def compiled(lengths):
        mask = tf.transpose(tf.sequence_mask(lengths, 12))[:, :, None]
        forward = z_x, states, weights, None, mask, None
        outputs, last, (slopes, *_) = shared_function(steps_forward, plan)(*forward)
        kernel = tf.convert_to_tensor(layer.kernel)
        back = outputs, last, slopes, weights, kernel, None, mask, None
        loops = (steps_forward, forward), (steps_back, back)
        return [
            shared_function(loop, plan).experimental_get_compiler_ir(*given)(stage="hlo")
            for loop, given in loops
        ]

    expected = compiled([12, 12])
    for lengths in ([3, 3], [0, 7], [0, 0]):
        assert compiled(lengths) == expected
