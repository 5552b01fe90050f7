"""Training under a distribution strategy."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

PROGRAM = pathlib.Path(__file__).with_name("distributed.py")


def losses(replicas):
    root = str(PROGRAM.parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.run(
        [sys.executable, str(PROGRAM), str(replicas)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_mirrored_replicas_have_the_losses_of_one_device():
    alone = losses(0)
    assert alone[-1] < alone[0]
    np.testing.assert_allclose(losses(2), alone, rtol=1e-5)
