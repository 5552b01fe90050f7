"""What the way back carries through time is the derivative by every state."""

import cases
import numpy as np
import pytest
import tensorflow as tf
from cases import every_cell

from layers import RNN

pytestmark = cases.without_graphs


def by_tape(layer, x, states, d_outputs, mask, reverse):
    """∂L/∂s<t> by automatic differentiation of a loop of `layer.step`."""
    times = range(x.shape[1])[:: -1 if reverse else 1]
    states, seen = [tf.constant(state) for state in states], {}
    with tf.GradientTape() as tape:
        loss = 0.0
        for t in times:
            _, new = layer.step(x[:, t], states)
            # As they enter the next step: a<t> of an LSTM does not move with c<t>.
            new = [tf.identity(state) for state in new]
            tape.watch(new)
            seen[t] = new
            real = mask[:, t, None]
            states = [tf.where(real, n, old) for n, old in zip(new, states, strict=True)]
            loss += tf.reduce_sum(tf.where(real, states[0] * d_outputs[:, t], 0.0))
    found = tape.gradient(loss, seen, unconnected_gradients="zero")
    return [tf.stack([found[t][i] for t in sorted(seen)], axis=1) for i in range(len(states))]


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@every_cell
def test_they_are_those_of_automatic_differentiation(case, reverse):
    layer = case.make(go_backwards=reverse)
    x, start = cases.inputs(case)
    d_outputs = cases.normal(*x.shape[:2], cases.UNITS, seed=9)
    found = layer.state_gradients(x, d_outputs, start, cases.MASK)
    assert list(found) == list(case.states)
    expected = by_tape(layer, x, start, d_outputs, cases.MASK, reverse)
    assert all(np.abs(d).max() > 0.1 for d in expected)
    cases.assert_close(list(found.values()), expected)


def test_derivatives_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match=r"= \(2, 5, 4\). Received shape: \(2, 5, 3\)"):
        RNN(4).state_gradients(tf.zeros([2, 5, 1]), tf.zeros([2, 5, 3]))


def test_they_have_the_precision_of_the_layer():
    layer = RNN(4, dtype="mixed_bfloat16")
    found = layer.state_gradients(tf.zeros([2, 5, 1]), tf.ones([2, 5, 4]))
    assert found["a"].dtype == "bfloat16"
