"""Clients while a server is killed and started again; `tests/support/load.py` runs for longer."""

import load
import numpy as np
import pytest


@pytest.mark.slow
def test_clients_recover_from_a_killed_server_and_are_answered_rightly(root):
    folders = {"odd": root / "models" / "odd"}
    found = load.run(folders, clients=8, seconds=3.0, kills=[0.5], timeout=30.0, every=1.0)
    assert found["outcomes"].keys() == {"right"}
    (restart,) = found["restarts"]
    assert restart["clients_recovered"] == 8
    assert found["latency_ms_in_restarts"]["100"] > 900 * restart["seconds_down"]


def test_a_wrong_answer_is_one():
    right = {"label": np.array(["a"], object), "probability": np.array([0.5], np.float32)}
    assert load.same(right, {**right, "probability": np.array([0.5000001], np.float32)})
    for wrong in (
        {"label": np.array(["b"], object)},
        {"probability": np.array([0.51], np.float32)},
        {"probability": np.array([0.5])},
        {"probability": np.array([0.5, 0.5], np.float32)},
        {"more": np.array([1])},
    ):
        assert not load.same({**right, **wrong}, right)
