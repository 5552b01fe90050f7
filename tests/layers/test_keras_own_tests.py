"""Keras' own tests of its recurrent layers, which its wheel brings, with ours in their place.

What is another function here by intention:

*   Padded steps give zeros by default, in Keras the output before them. The tests run with
    `zero_output_for_mask=False`.
*   The lecture's update gate is 1 less Keras', and resets before the product by default. The tests
    of these numbers have to fail with `layers.GRU`, and to pass once its weights are Keras'.
*   `keras.layers.Bidirectional` has a kernel of cuDNN for its own classes alone.
"""

import importlib.util
import types
import unittest

import keras
import numpy as np
import pytest

import layers

FILES = ("simple_rnn_test", "lstm_test", "gru_test", "bidirectional_test")

ANOTHER_GRU = {
    "gru_test": (
        "test_correctness0",
        "test_correctness1",
        "test_legacy_implementation_argument",
        "test_masking",
        "test_pass_initial_state",
        "test_pass_return_state",
        "test_statefulness",
    ),
    "bidirectional_test": ("test_correctness", "test_masking"),
}
KERNELS_OF_KERAS = ("test_fused_gru_eligibility", "test_fused_lstm_eligibility")


def as_keras(layer):
    """The layer with Keras' default for padded steps."""

    class Ours(layer):
        def __init__(self, *args, zero_output_for_mask=False, **kwargs):
            super().__init__(*args, zero_output_for_mask=zero_output_for_mask, **kwargs)

    return keras.saving.register_keras_serializable("own_tests", layer.__name__)(Ours)


@keras.saving.register_keras_serializable("own_tests")
class KerasGRU(layers.GRU):
    """Our GRU with the weights that make it the function that Keras' is with the same numbers."""

    def __init__(self, *args, zero_output_for_mask=False, reset_after=True, **kwargs):
        kwargs = {"reset_gate": "after" if reset_after else "before"} | kwargs
        super().__init__(*args, zero_output_for_mask=zero_output_for_mask, **kwargs)

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape)
        update = np.repeat([-1.0, 1.0, 1.0], self.units)
        self.kernel.assign(self.kernel * update)
        self.recurrent_kernel.assign(self.recurrent_kernel * update)
        both = 1.0 if self.recurrent_bias is None else 2.0  # Keras has two biases for a gate
        if self.bias is not None:
            self.bias.assign(self.bias * update * np.repeat([both, both, 1.0], self.units))


OURS = {
    "SimpleRNN": as_keras(layers.RNN),
    "LSTM": as_keras(layers.LSTM),
    "GRU": as_keras(layers.GRU),
}


def module_of(file, ours):
    """A module of Keras' tests in which `layers` has our layers; None where there is none."""
    spec = importlib.util.find_spec(f"keras.src.layers.rnn.{file}")
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.layers = types.SimpleNamespace(**(vars(module.layers) | ours))
    return module


def found_in(file, ours):
    """The tests of a module, by name: what runs one, and why it is left out, if it is."""
    found = {}
    module = module_of(file, ours)
    for suite in list(vars(module).values()) if module else ():
        if not (isinstance(suite, type) and issubclass(suite, unittest.TestCase)):
            continue
        for name in unittest.defaultTestLoader.getTestCaseNames(suite):
            marks = getattr(getattr(suite, name), "pytestmark", ())
            reasons = [m.kwargs["reason"] for m in marks if m.name == "skipif" and m.args[0]]
            found[name] = (suite(name).debug, reasons)
    return found


TESTS = [(file, name) for file in FILES for name in found_in(file, OURS)]


@pytest.mark.slow
@pytest.mark.skipif(not TESTS, reason="this Keras comes without its tests")
@pytest.mark.filterwarnings("ignore:.*shuffle=True:UserWarning")
@pytest.mark.parametrize(("file", "name"), TESTS)
def test_of_keras(file, name, request):
    if file != "simple_rnn_test":  # one cell alone runs in graphs
        request.getfixturevalue("without_graphs")
    run, reasons = found_in(file, OURS)[name]
    if reasons:
        pytest.skip(reasons[0])
    if name in KERNELS_OF_KERAS:
        with pytest.raises(AssertionError, match="False is not true"):
            run()
    elif name in ANOTHER_GRU.get(file, ()):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            run()
        run, _ = found_in(file, OURS | {"GRU": KerasGRU})[name]
        run()
    else:
        run()
