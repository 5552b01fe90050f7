"""The list of cases that feeds every conformance test, and the data they run on."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable

import equations
import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import GRU, LSTM, RNN

BATCH, TIME, FEATURES, UNITS = 3, 7, 2, 4

# Padding on the left, on the right, holes; the first and the last step are padding everywhere.
MASK = np.array(
    [
        [0, 0, 1, 0, 1, 1, 0],
        [0, 1, 1, 1, 0, 0, 0],
        [0, 1, 0, 1, 1, 1, 0],
    ],
    bool,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, and the NumPy step that it has to equal."""

    name: str
    layer: type
    step: Callable
    arguments: dict = dataclasses.field(default_factory=dict)

    @property
    def states(self) -> tuple[str, ...]:
        return {RNN: ("a",), GRU: ("c",), LSTM: ("a", "c")}[self.layer]

    def make(self, features=FEATURES, units=UNITS, **arguments) -> keras.layers.Layer:
        """The layer in float64, with random weights and biases."""
        arguments = {"dtype": "float64", **self.arguments, **arguments}
        layer = self.layer(units, **arguments)
        layer.build((BATCH if layer.stateful else None, None, features))
        randomize(layer)
        return layer

    def equations(self, layer, x, states, mask=None, reverse=False):
        """Outputs, last states and all named quantities by the NumPy loops."""
        states = dict(zip(self.states, states, strict=True))
        named, last = equations.run(self.step, layer.lecture_weights(), x, states, mask, reverse)
        return named[self.states[0]], list(last.values()), named


PLAIN = [
    Case("rnn", RNN, equations.rnn),
    Case("gru_simplified", GRU, equations.gru_simplified, {"reset_gate": None}),
    Case("gru", GRU, equations.gru),
    Case("gru_reset_after", GRU, equations.gru_reset_after, {"reset_gate": "after"}),
    Case("lstm", LSTM, equations.lstm),
]

_soft_gates = {"g": equations.softsign, "σ": equations.hard_sigmoid}
_soft_arguments = {"activation": "softsign", "recurrent_activation": "hard_sigmoid"}
CASES = [
    *PLAIN,
    *[
        dataclasses.replace(
            case, name=f"{case.name}_no_bias", arguments={**case.arguments, "use_bias": False}
        )
        for case in PLAIN
    ],
    *[
        dataclasses.replace(
            case,
            name=f"{case.name}_soft",
            step=functools.partial(case.step, **_soft_gates),
            arguments={**case.arguments, **_soft_arguments},
        )
        for case in PLAIN[1:]
    ],
    Case(
        "rnn_relu", RNN, functools.partial(equations.rnn, g=equations.relu), {"activation": "relu"}
    ),
    Case(
        "lstm_open",
        LSTM,
        functools.partial(equations.lstm, g_output=equations.identity),
        {"output_activation": None},
    ),
    *[
        dataclasses.replace(
            case,
            name=f"{case.name}_normalized",
            step=equations.normalized(case.step, together),
            arguments={**case.arguments, "layer_normalization": True},
        )
        for case, together in zip(
            PLAIN, (["a"], ["uc"], ["ur", "c"], ["urc"], ["ufco"]), strict=True
        )
    ],
]


def _named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


every_case, every_cell = _named(CASES), _named(PLAIN)
every_variant = _named([case for case in CASES if case not in PLAIN])
masked_and_whole = pytest.mark.parametrize(
    ("mask", "reverse"),
    [(None, False), (MASK, False), (MASK, True)],
    ids=["whole", "masked", "masked_backwards"],
)


@contextlib.contextmanager
def functions_run_eagerly():
    """While it lasts, no graph is made."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


# Where numbers are compared; that all ways to run give the same, is shown with each cell alone.
without_graphs = pytest.mark.usefixtures("without_graphs")
gru_and_lstm = _named([PLAIN[2], PLAIN[-1]])
every_mode = pytest.mark.parametrize("mode", ["eager", "graph", "compiled"])
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])


def randomize(layer, scale=0.7):
    """Random values in all weights, so that no two gates are alike; small enough to differ in z."""
    for i, variable in enumerate(layer.trainable_variables):
        variable.assign(scale * np.random.default_rng(i).normal(size=variable.shape))


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def inputs(case, batch=BATCH, time=TIME, features=FEATURES, units=UNITS):
    """x and states other than zero."""
    x = normal(batch, time, features, seed=1)
    return x, [normal(batch, units, seed=2 + i) for i in range(len(case.states))]


def run(layer, x, states=None, mask=None, mode="eager"):
    """Outputs in the order of the layer, and last states; `layer` returns both.

    Modes: `"eager"`; `"graph"` as it is served, portable with unknown batch and time; `"compiled"`
    as it is trained.
    """
    x = tf.constant(x)
    states = None if states is None else [tf.constant(state) for state in states]
    mask = None if mask is None else tf.constant(mask)
    if mode == "graph":
        call = tf.function(layer, reduce_retracing=True)
        arguments = tf.nest.map_structure(without_sizes, {"initial_state": states, "mask": mask})
        outputs, *last = call.get_concrete_function(without_sizes(x), **arguments)(
            x, *tf.nest.flatten(states or []), *([] if mask is None else [mask])
        )
    else:
        layer.jit = mode == "compiled"
        outputs, *last = layer(x, initial_state=states, mask=mask, training=mode == "compiled")
    return outputs, last


def without_sizes(tensor):
    """`[batch, time, ...]` without batch and time, `[batch, units]` without batch."""
    if tensor is None:
        return None
    shape = [None, None] if tensor.dtype == tf.bool else [None, *tensor.shape[1:]]
    if tensor.shape.rank == 3:
        shape[1] = None
    return tf.TensorSpec(shape, tensor.dtype)


def weighted_sum(tensors):
    """A loss in which every number counts differently."""
    return tf.add_n(
        [
            tf.reduce_sum(tensor * normal(*tensor.shape, seed=50 + i))
            for i, tensor in enumerate(tensors)
        ]
    )


def gradients(layer, x, states, mask=None, training=True):
    """Gradients of `weighted_sum` of outputs and last states: by x, states, then each weight."""
    x, *states = [tf.constant(tensor) for tensor in (x, *states)]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        results = layer(x, initial_state=states, mask=mask, training=training)
        loss = weighted_sum(results)
    sources = [x, *states, *layer.trainable_variables]
    return tape.gradient(loss, sources, unconnected_gradients="zero")


def assert_close(actual, expected, tolerance=1e-11):
    """All arrays of two structures are equal within a tolerance."""
    tf.nest.assert_same_structure(list(actual), list(expected))
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(e), rtol=tolerance, atol=tolerance)
