"""Rows in blocks, without their padding, give what the loop over a whole padded batch gives."""

import contextlib
import dataclasses

import cases
import numpy as np
import pytest
import tensorflow as tf

from layers.engine import Plan, blocks
from layers.engine.passes import forward
from layers.engine.sharding import Tensors

pytestmark = pytest.mark.usefixtures("optimized_graphs")

RANDOM = np.random.default_rng(0)
ROWS, STEPS = 21, 13
LENGTHS = RANDOM.integers(0, STEPS + 1, ROWS)
MASKS = {
    "whole": None,
    "right": np.arange(STEPS) < LENGTHS[:, None],
    "anywhere": (RANDOM.random([ROWS, STEPS]) < 0.6) & (LENGTHS > 2)[:, None],
}
WAYS = {
    "outputs": {},
    "states": {"sequences": False},
    "reverse": {"reverse": True},
    "repeats": {"repeats": True},
    "reverse_repeats": {"reverse": True, "repeats": True},
}


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "ROWS_OF_MANY", 4)
    blocks._shared.cache_clear()
    yield
    blocks._shared.cache_clear()


def both(case, mask, rows=ROWS, steps=STEPS, **way):
    """Outputs and states in blocks, and by the loop; padding holds what is no number."""
    layer = case.make()
    x, states = cases.inputs(case, batch=ROWS, time=STEPS)
    if mask is not None:
        x = np.where(mask[:, :, None], x, np.nan)
        mask = tf.constant(mask[:rows, :steps])
    tensors = Tensors(
        tf.constant(x[:rows, :steps]),
        tuple(tf.constant(state[:rows]) for state in states),
        **layer.weight_tensors(),
        mask=mask,
    )
    plan = Plan(layer.cell, layer.units, keep="nothing", **way)
    found = tf.nest.flatten(blocks.forward_in_blocks(plan, tensors))
    expected = tf.nest.flatten(forward(plan, tensors)[:2])
    return [[v for v in some if v is not None] for some in (found, expected)]


@pytest.mark.parametrize(
    ("case", "mask", "way"),
    [
        *((case, "anywhere", "outputs") for case in cases.PLAIN[:-1]),
        *((cases.PLAIN[-1], "anywhere", way) for way in WAYS),
        *((cases.PLAIN[-1], "right", way) for way in ("outputs", "reverse")),
        *((cases.PLAIN[-1], "whole", way) for way in ("states", "reverse")),
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_outputs_and_states_are_those_of_the_loop(case, mask, way):
    found, expected = both(case, MASKS[mask], **WAYS[way])
    assert [v.shape for v in found] == [v.shape for v in expected]
    cases.assert_close(found, expected)


@pytest.mark.parametrize("mask", ["whole", "anywhere"])
@pytest.mark.parametrize(("rows", "steps"), [(0, 4), (3, 0), (9, 3)])
@pytest.mark.parametrize("eagerly", [False, True], ids=["graph", "eagerly"])
def test_there_may_be_no_rows_and_no_steps(rows, steps, mask, eagerly):
    with cases.functions_run_eagerly() if eagerly else contextlib.nullcontext():
        found, expected = both(cases.PLAIN[-1], MASKS[mask], rows, steps)
    assert [v.shape for v in found] == [v.shape for v in expected]
    cases.assert_close(found, expected)


@pytest.mark.parametrize("case", cases.PLAIN, ids=lambda case: case.name)
@cases.without_graphs
def test_functions_that_run_eagerly_take_rows_without_steps(case):
    layer, (x, states) = case.make(), cases.inputs(case, batch=3, time=4)
    mask = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    together = layer(x, initial_state=states, mask=mask)
    for row in range(3):
        alone = [state[row : row + 1] for state in states]
        some = layer(x[row : row + 1], initial_state=alone, mask=mask[row : row + 1])
        cases.assert_close([some], [together[row : row + 1]])


def test_padding_alone_is_not_stepped_through():
    case, taken = cases.PLAIN[-1], []

    @dataclasses.dataclass(frozen=True)
    class Counting(type(case.make().cell)):
        def step(self, z_x, *arguments):
            tf.py_function(lambda z: taken.append(len(z)), [z_x], [])
            return super().step(z_x, *arguments)

    layer = case.make()
    cell = Counting(**{f.name: getattr(layer.cell, f.name) for f in dataclasses.fields(layer.cell)})
    x, states = cases.inputs(case, batch=ROWS, time=STEPS)
    mask = tf.constant(np.arange(STEPS) < LENGTHS[:, None])
    tensors = Tensors(tf.constant(x), tuple(map(tf.constant, states)), mask=mask,
                      **layer.weight_tensors())  # fmt: skip
    blocks.forward_in_blocks(Plan(cell, layer.units, keep="nothing"), tensors)
    # Up to three steps more for each row: a turn goes on with the rows that it began with.
    assert LENGTHS.sum() <= sum(taken) <= LENGTHS.sum() + 3 * ROWS < 0.8 * ROWS * STEPS
