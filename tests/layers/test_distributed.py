"""Training under a distribution strategy."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import distributed
import numpy as np
import pytest
import tensorflow as tf


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly:UserWarning")
def test_mirrored_replicas_have_the_losses_of_one_device(request):
    root = pathlib.Path(__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    process = subprocess.run(
        [sys.executable, distributed.__file__],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.returncode == 0, process.stderr
    tf.config.run_functions_eagerly(True)
    request.addfinalizer(lambda: tf.config.run_functions_eagerly(False))
    alone = distributed.losses(contextlib.nullcontext())
    assert alone[-1] < alone[0]
    np.testing.assert_allclose(json.loads(process.stdout.splitlines()[-1]), alone, rtol=1e-5)
