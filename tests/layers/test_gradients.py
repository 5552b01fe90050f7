"""Back-propagation by hand gives the gradient of the equations."""

import dataclasses

import cases
import equations
import numpy as np
import pytest
import tensorflow as tf
from cases import every_case, every_cell, every_variant, gru_and_lstm, without_graphs

from layers import GRU, LSTM, RNN, engine

LSTM_CASE = cases.PLAIN[-1]


def make_pair(case, **arguments):
    """The same layer with both gradients; sequences and states, so that all paths count."""
    arguments = {"return_sequences": True, "return_state": True, **arguments}
    return case.make(**arguments), case.make(gradient="automatic", **arguments)


def check_against_automatic(case, mask=cases.MASK, reverse=False):
    by_hand, automatic = make_pair(case, go_backwards=reverse)
    x, states = cases.inputs(case)
    expected = cases.gradients(automatic, x, states, mask)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in expected)
    cases.assert_close(cases.gradients(by_hand, x, states, mask), expected)


# The portable loop backwards here and forwards without a mask below; the compiled one forwards, and
# backwards where the cell has two states.
@every_cell
def test_by_hand_equals_automatic(case):
    check_against_automatic(case, reverse=True)


@gru_and_lstm
def test_by_hand_equals_automatic_without_a_mask(case):
    check_against_automatic(case, mask=None)


@every_variant
@without_graphs
def test_variants_by_hand_equal_automatic(case):
    check_against_automatic(case, reverse=True)


@pytest.mark.parametrize(
    ("case", "reverse"),
    [*[(case, False) for case in cases.PLAIN], (LSTM_CASE, True)],
    ids=lambda value: getattr(value, "name", None),
)
def test_compiled_equals_automatic(case, reverse):
    by_hand, automatic = make_pair(case, go_backwards=reverse)
    by_hand.jit = True
    x, states = cases.inputs(case)
    expected = cases.gradients(automatic, x, states, cases.MASK)
    cases.assert_close(cases.gradients(by_hand, x, states, cases.MASK), expected)


def lecture_gradients(case, gradients):
    """Gradients of all weights by the lecture's names: they are cut as the weights are."""
    layer = case.make()
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        variable.assign(gradient)
    return layer.lecture_weights()


@every_case
@without_graphs
def test_by_hand_equals_numeric_differences_of_the_equations(case):
    layer, _ = make_pair(case, go_backwards=True)
    x, states = cases.inputs(case)
    d_x, *d = cases.gradients(layer, x, states, cases.MASK)
    d_states, d_weights = d[: len(states)], lecture_gradients(case, d[len(states) :])
    derivatives = {"x": d_x, **dict(zip(case.states, d_states, strict=True)), **d_weights}
    point = {"x": x, **dict(zip(case.states, states, strict=True)), **layer.lecture_weights()}

    def loss(point):
        start = {name: point[name] for name in case.states}
        named, last = equations.run(case.step, point, point["x"], start, cases.MASK, reverse=True)
        outputs = named[case.states[0]][:, ::-1]
        return cases.weighted_sum([tf.constant(v) for v in (outputs, *last.values())])

    assert set(derivatives) == set(point)
    for name, value in point.items():
        direction = cases.normal(*value.shape, seed=99)
        up, down = ({**point, name: value + sign * 1e-5 * direction} for sign in (1, -1))
        numeric = (loss(up) - loss(down)) / 2e-5
        analytic = np.sum(derivatives[name] * direction)
        np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("case", "compiled", "reverse"),
    [*[(case, False, False) for case in cases.PLAIN], (cases.PLAIN[2], True, True)],
    ids=lambda value: getattr(value, "name", None),
)
def test_recurrent_dropout_has_the_gradient_of_the_equations(case, compiled, reverse):
    layer = case.make()
    x, states = tf.nest.map_structure(tf.constant, cases.inputs(case))
    factor = tf.constant(cases.normal(cases.BATCH, cases.UNITS, seed=9))
    weights = [layer.kernel, layer.recurrent_kernel, layer.bias, layer.recurrent_bias]
    weights = [None if w is None else tf.convert_to_tensor(w) for w in weights]
    sources = [x, *states, *[w for w in weights if w is not None]]

    def gradients(**changes):
        plan = engine.Plan(layer.cell, cases.UNITS, reverse=reverse, **changes)
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs, last = engine.run(
                plan, x, states, *weights, dropout=factor, mask=tf.constant(cases.MASK)
            )
            loss = cases.weighted_sum([outputs, *last])
        return loss, tape.gradient(loss, sources)

    loss, by_hand = gradients(compiled=compiled)
    expected_loss, automatic = gradients(by_hand=False)
    cases.assert_close([loss], [expected_loss])
    cases.assert_close(by_hand, automatic)


@every_cell
@without_graphs
def test_recurrent_dropout_hides_the_state_from_the_products_alone(case):
    layer = case.make()
    x, states = cases.inputs(case)
    plan = engine.Plan(layer.cell, cases.UNITS)
    nothing = tf.zeros([cases.BATCH, cases.UNITS], "float64")
    _, last = engine.run(
        plan,
        tf.constant(x),
        [tf.constant(state) for state in states],
        *[None if w is None else tf.convert_to_tensor(w) for w in layer.weight_tensors().values()],
        dropout=nothing,
        mask=tf.constant(cases.MASK),
    )
    weights = layer.lecture_weights()
    for name in weights:
        if name.startswith("W_"):
            weights[name][:, : cases.UNITS] = 0
    start = dict(zip(case.states, states, strict=True))
    _, expected = equations.run(case.step, weights, x, start, cases.MASK)
    cases.assert_close(last, list(expected.values()))


def cubic(z):
    return z - z**3 / 30


@without_graphs
def test_any_element_wise_activation_has_its_gradient():
    check_against_automatic(dataclasses.replace(cases.PLAIN[0], arguments={"activation": cubic}))


# --- Where the gradient comes from and goes to ---------------------------------------------------


@gru_and_lstm
def test_the_gradient_out_of_training_is_the_same(case):
    layer, _ = make_pair(case, go_backwards=True)
    x, states = cases.inputs(case)
    training = cases.gradients(layer, x, states, cases.MASK, training=True)
    cases.assert_close(cases.gradients(layer, x, states, cases.MASK, training=False), training)


def test_the_kernel_that_serves_small_batches_has_a_gradient():
    layer, _ = make_pair(LSTM_CASE, dtype="float32")
    x, states = cases.inputs(LSTM_CASE, batch=2)
    x, states, mask = np.float32(x), np.float32(states), np.ones([2, cases.TIME], bool)
    training = cases.gradients(layer, x, states, mask, training=True)
    cases.assert_close(cases.gradients(layer, x, states, mask, training=False), training, 1e-4)


@pytest.mark.parametrize("result", [0, 1, 2], ids=["outputs", "a", "c"])
@without_graphs
def test_each_result_alone_has_its_gradient(result):
    by_hand, automatic = make_pair(LSTM_CASE)
    x = tf.constant(cases.inputs(LSTM_CASE)[0])

    def gradients(layer):
        with tf.GradientTape() as tape:
            loss = cases.weighted_sum([layer(x, training=True)[result]])
        return tape.gradient(loss, layer.trainable_variables, unconnected_gradients="zero")

    cases.assert_close(gradients(by_hand), gradients(automatic))


@without_graphs
def test_without_sequences_the_gradient_comes_from_the_last_states():
    by_hand, automatic = make_pair(LSTM_CASE, return_sequences=False)
    x, states = cases.inputs(LSTM_CASE)
    expected = cases.gradients(automatic, x, states, cases.MASK)
    cases.assert_close(cases.gradients(by_hand, x, states, cases.MASK), expected)


def test_a_training_graph_of_unknown_sizes_has_the_same_gradient():
    case = cases.PLAIN[2]
    layer, automatic = make_pair(case)
    x, states = cases.inputs(case)
    expected = cases.gradients(automatic, x, states, cases.MASK)

    @tf.function
    def gradients(x, mask, *states):
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs, *last = layer(x, initial_state=states, mask=mask, training=True)
            weights = [cases.normal(cases.BATCH, cases.TIME, cases.UNITS, seed=50)]
            weights += [
                cases.normal(cases.BATCH, cases.UNITS, seed=51 + i) for i in range(len(last))
            ]
            loss = tf.add_n(
                [tf.reduce_sum(r * w) for r, w in zip([outputs, *last], weights, strict=True)]
            )
        return tape.gradient(loss, [x, *states, *layer.trainable_variables])

    arguments = [tf.constant(v) for v in (x, cases.MASK, *states)]
    gradients = gradients.get_concrete_function(*map(cases.without_sizes, arguments))
    cases.assert_close(gradients(*arguments), expected)


@without_graphs
def test_a_learned_start_has_a_gradient():
    for case in cases.PLAIN:
        by_hand, automatic = make_pair(case, learn_initial_state=True, go_backwards=True)
        x, _ = cases.inputs(case)

        def gradients(layer, x=x):
            with tf.GradientTape() as tape:
                loss = cases.weighted_sum(layer(x, mask=cases.MASK, training=True))
            return tape.gradient(loss, layer.start)

        expected = gradients(automatic)
        assert all(np.abs(gradient).max() > 1e-3 for gradient in expected)
        cases.assert_close(gradients(by_hand), expected)


def test_a_persistent_tape_gives_the_gradient_twice():
    layer, automatic = make_pair(LSTM_CASE)
    x, states = cases.inputs(LSTM_CASE)
    expected = cases.gradients(automatic, x, states)[3:]
    with tf.GradientTape(persistent=True) as tape:
        loss = cases.weighted_sum(layer(x, initial_state=states, training=True))
    for _ in range(2):
        cases.assert_close(tape.gradient(loss, layer.trainable_variables), expected)


def test_frozen_weights_leave_the_gradient_of_the_inputs():
    layer, automatic = make_pair(cases.PLAIN[2])
    x, states = cases.inputs(cases.PLAIN[2])
    expected = cases.gradients(automatic, x, states)[0]
    layer.trainable = False
    (d_x, *others) = cases.gradients(layer, x, states)
    assert len(others) == 1
    cases.assert_close(d_x, expected)


# --- Second derivatives --------------------------------------------------------------------------


def second_derivative(layer, x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        slope = tf.reduce_sum(inner.gradient(loss, x) ** 2)
    return outer.gradient(slope, x)


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "graph"])
def test_second_derivatives_by_hand_are_refused_with_advice(wrap):
    x = tf.constant(cases.inputs(cases.PLAIN[0])[0])
    layer = cases.PLAIN[0].make(jit=False)
    with pytest.raises(NotImplementedError, match="gradient='automatic'"):
        wrap(lambda x: second_derivative(layer, x))(x)


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_automatic_second_derivatives_equal_numeric_differences(layer):
    layer = layer(3, gradient="automatic", dtype="float64")
    x = tf.constant(cases.normal(1, 3, 2))

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        return tf.reduce_sum(tape.gradient(loss, x) ** 2)

    direction = cases.normal(1, 3, 2, seed=1)
    numeric = (slope(x + 1e-5 * direction) - slope(x - 1e-5 * direction)) / 2e-5
    analytic = np.sum(second_derivative(layer, x) * direction)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-6)


def test_forward_mode_is_refused_and_not_wrong():
    layer, x = RNN(3), tf.ones([2, 3, 2])
    layer(x)
    with (
        pytest.raises(NotImplementedError, match="gradient='automatic'"),
        tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)),
    ):
        layer(x)
