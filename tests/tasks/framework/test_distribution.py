"""Training on several devices and machines, as processes on this one."""

import json
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import together
from programs import ROOT, environment

from tasks.framework import checkpoints, distribution

ENVIRONMENT = {**environment(), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def free_ports(count):
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in with_ports]
    for one in with_ports:
        one.close()
    return ports


def config_of(number, ports):
    addresses = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": number}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def start(words, count, **options):
    """So many workers of a program, each with its own TF_CONFIG."""
    ports = free_ports(count)
    return [
        subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**ENVIRONMENT, "TF_CONFIG": config_of(number, ports)}, **options,
        )
        for number in range(count)
    ]  # fmt: skip


def said(processes, seconds=60):
    """(code, standard output, errors) of each process, which end in time."""
    deadline, found = time.monotonic() + seconds, []
    try:
        for one in processes:
            found.append((one, *one.communicate(timeout=deadline - time.monotonic())))
    finally:
        for one in processes:
            one.kill()
    return [(one.returncode, out, error) for one, out, error in found]


# --- The same as on one device -------------------------------------------------------------------


def trained_together(folder, names, workers):
    words = [sys.executable, together.__file__, str(folder), *names]
    if workers:
        processes = start(words, workers)
    else:
        processes = [subprocess.Popen(words, env=ENVIRONMENT, cwd=ROOT, **pipes())]
    found = said(processes, 300)
    for code, _, error in found:
        assert code == 0, error
    assert found[0][1].splitlines()[-1] == f"{workers or 2} replicas"
    # The others say nothing.
    assert all(out == error == "" for _, out, error in found[1:])


def pipes():
    return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The checkpoints of one device, in one go."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: weights(together.train(distribution.ALONE, folder, name), folder / name)
            for name in together.CASES}  # fmt: skip


def weights(model, folder):
    """The losses and all variables of a run, but for the rows that each replica carries."""
    with np.load(folder / checkpoints.CHECKPOINT) as arrays:
        names = [v.name for v in [*model.variables, *model.optimizer.variables]]
        values = [arrays[str(i)] for i in range(len(names))]
        history = json.loads(str(arrays["history"]))
    kept = [v for n, v in zip(names, values, strict=True) if not n.startswith("carried")]
    return names, [row["loss"] for row in history], kept


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "names"), [(0, [*together.CASES]), (2, [*together.CASES]), (4, ["classifier"])]
)
def test_replicas_do_what_one_device_does(workers, names, alone, tmp_path):
    """Losses, weights, what optimizers keep and averages, though it was stopped and resumed."""
    trained_together(tmp_path, names, workers)
    for name in names:
        variables, losses, values = alone[name]
        exact = 1e-9 if name != "music" else 1e-3
        with np.load(tmp_path / name / checkpoints.CHECKPOINT) as arrays:
            history = json.loads(str(arrays["history"]))
            found = [arrays[str(i)] for i, n in enumerate(variables) if "carried" not in n]
        np.testing.assert_allclose([row["loss"] for row in history], losses, rtol=exact)
        for one, value in zip(found, values, strict=True):
            np.testing.assert_allclose(one, value, rtol=exact, atol=exact * 1e-2)
