"""Stacks whose batches go on where the batch before ended."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import Stack

X = cases.normal(8, 6, 2).astype("float32")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_two_halves_in_a_stateful_stack_are_the_whole(cell):
    stack = Stack(cell, [4, 3], layer={"stateful": True})
    assert stack.stateful and not Stack(cell, 4).stateful
    halves = [stack(X[:, :3]), stack(X[:, 3:])]
    whole = Stack(cell, [4, 3])
    whole.build((None, None, 2))
    for one, other in zip(whole.recurrent_layers, stack.recurrent_layers, strict=True):
        one.set_weights([w.numpy() for w in other.trainable_weights])
    cases.assert_close(tf.concat(halves, axis=1), whole(X), 1e-6)
    stack.reset_state()
    assert all(not np.any(state) for one in stack.recurrent_layers for state in one.states)
    cases.assert_close(stack(X), whole(X), 1e-6)
    stack.reset_states()
    cases.assert_close(stack(X), whole(X), 1e-6)


def test_reset_reaches_both_directions_and_a_start_other_than_zero():
    layer = {"stateful": True, "state_initializer": "ones"}
    stack = Stack("lstm", [4, 3], bidirectional=True, layer=layer)
    first = stack(X)
    assert not np.allclose(stack(X), first)
    stack.reset_state()
    for both in stack.recurrent_layers:
        for one in (both.forward_layer, both.backward_layer):
            assert all(np.all(state == 1) for state in one.states)
    cases.assert_close(stack(X), first, 0)


def test_reset_does_nothing_to_stacks_without_states_or_weights():
    stack = Stack("gru", 4, layer={"stateful": True})
    stack.reset_state()
    stack = Stack("gru", 4)
    before = stack(X)
    stack.reset_state()
    cases.assert_close(stack(X), before, 0)


def test_a_model_resets_its_stacks_between_epochs():
    stack = Stack("lstm", 4, depth=2, layer={"stateful": True})
    model = keras.Sequential([keras.Input(batch_shape=(8, None, 2)), stack])
    model.compile("sgd", "mse")
    first = model.predict(X, batch_size=8, verbose=0)
    assert not np.allclose(model.predict(X, batch_size=8, verbose=0), first)
    stack.reset_state()
    cases.assert_close(model.predict(X, batch_size=8, verbose=0), first, 1e-6)
