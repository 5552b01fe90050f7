"""How fast a SavedModel answers, in a process of its own that may use so many cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from zoo.catalog.entries import question
from zoo.catalog.results import Speed
from zoo.catalog.sources import source

_SECONDS = 2.0


def measure(
    folder: str | os.PathLike,
    texts: Sequence[str],
    cores: int = 1,
    batch_sizes: Sequence[int] = (1,),
    signature: str = "serving_default",
) -> dict[str, Speed]:
    """Asks for the texts in turn, in batches.

    Args:
        folder: of the SavedModel.
        texts: what to ask for, of a model of music seed notes; batches take them in turn.
        cores: that the process may use, and threads of TensorFlow.
        batch_sizes: texts in a request.
        signature: that is asked.

    Returns:
        By batch size, as a string.

    Raises:
        RuntimeError: the process failed; the message is what it said.
    """
    request = {
        "folder": os.fspath(folder),
        "rows": [question(_task_of(folder), text) for text in texts],
        "cores": cores,
        "sizes": list(batch_sizes),
        "signature": signature,
    }
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=json.dumps(request | {"seconds": _SECONDS}),
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if run.returncode:
        raise RuntimeError(
            f"{folder}: expected a SavedModel that answers to texts. Received: "
            f"{run.stderr.strip().splitlines()[-1:]}"
        )
    return {size: Speed(**found) for size, found in json.loads(run.stdout).items()}


def _task_of(folder: str | os.PathLike) -> str:
    """The task of a SavedModel; "" where it does not say so."""
    try:
        return source(folder).task
    except ValueError:
        return ""


_SCRIPT = """
import itertools, json, os, statistics, sys, time
request = json.load(sys.stdin)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["cores"]])
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(request["cores"])
tf.config.threading.set_inter_op_parallelism_threads(request["cores"])
model = tf.saved_model.load(request["folder"])
ask = model.signatures[request["signature"]]
specs = ask.structured_input_signature[1]
def column(values):
    longest = max((len(one) for one in values if isinstance(one, list)), default=0)
    return [one + [0] * (longest - len(one)) if isinstance(one, list) else one for one in values]
def batch_of(rows):
    return {
        name: tf.constant(column([row[name] for row in rows]), spec.dtype)
        for name, spec in specs.items()
    }
found = {}
for size in request["sizes"]:
    rows = itertools.cycle(request["rows"])
    batches = [batch_of(list(itertools.islice(rows, size))) for _ in range(64)]
    for batch in batches[:8]:
        ask(**batch)
    times = []
    while sum(times) < request["seconds"] or len(times) < 20:
        start = time.perf_counter()
        out = ask(**batches[len(times) % 64])
        [value.numpy() for value in out.values()]
        times.append(time.perf_counter() - start)
    times.sort()
    found[size] = {
        "median_ms": 1e3 * statistics.median(times),
        "p99_ms": 1e3 * times[int(0.99 * len(times))],
        "per_second": size * len(times) / sum(times),
    }
print(json.dumps(found))
"""
