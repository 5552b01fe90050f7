"""One step alone, and dropout of the recurrent weights."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import every_cell, gru_and_lstm

from layers import LSTM, Stack


@every_cell
def test_steps_alone_are_the_sequence(case):
    layer = case.make(return_sequences=True, return_state=True)
    x, states = cases.inputs(case, batch=3, time=5)
    outputs, *last = layer(x, initial_state=states)
    for t in range(5):
        a, states = layer.step(tf.constant(x)[:, t], states)
        cases.assert_close(a, outputs[:, t])
    cases.assert_close(states, last)


@pytest.mark.parametrize("cell", ["gru_reset_after", "lstm"])
def test_steps_of_a_stack_are_its_sequence(cell):
    stack = Stack(cell, units=[4, 3], return_state=True, dtype="float64")
    x = cases.normal(2, 5, 2)
    outputs, *last = stack(x)
    states = stack.get_initial_state(2)
    for t in range(5):
        a, states = stack.step(tf.constant(x)[:, t], states)
        cases.assert_close(a, outputs[:, t])
    cases.assert_close(states, last)
    with pytest.raises(ValueError, match="one direction"):
        Stack(cell, 4, bidirectional=True).step(x[:, 0], [])


@gru_and_lstm
def test_weight_dropout_drops_recurrent_weights_once_for_all_steps(case):
    layer = case.make(weight_dropout=0.5, seed=1, return_sequences=True)
    other = case.make(return_sequences=True)
    other.set_weights(layer.get_weights()[: len(other.get_weights())])
    whole = other(cases.normal(3, 5, 2))
    cases.assert_close(layer(cases.normal(3, 5, 2), training=False), whole)
    dropped = keras.random.dropout(layer.recurrent_kernel, 0.5, seed=keras.random.SeedGenerator(1))
    other.recurrent_kernel.assign(dropped)
    x = cases.normal(3, 5, 2)
    cases.assert_close(layer(x, training=True), other(x, training=True))
    assert 0 < np.mean(dropped.numpy() == 0) < 1


def test_weight_dropout_is_an_argument_like_others():
    assert LSTM.from_config(LSTM(3, weight_dropout=0.2).get_config()).weight_dropout == 0.2
    with pytest.raises(ValueError, match="weight_dropout: expected a share"):
        LSTM(3, weight_dropout=1.0)
