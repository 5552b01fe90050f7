"""Programs run as a user runs them, and SavedModels as others load them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

ROOT = pathlib.Path(__file__).parents[2]

ODD_TEXTS = {
    "empty": b"",
    "blank": b" \t\n",
    "long": b"word " * 20_000,
    "emoji": "👍🏽 é e\u0301 👩‍👩‍👧".encode(),
    "right to left": "שלום עולם 1984".encode(),
    "NUL": b"a\0b",
    "invalid UTF-8": b"\xff\xfe bad \x80",
}


def program(task, *arguments, check=True, **options):
    command = [sys.executable, "-m", f"tasks.{task}", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)
    if check:
        assert run.returncode == 0, run.stderr
    return run


def graph_of(folder):
    saved_model = (pathlib.Path(folder) / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(saved_model).meta_graphs[0]


def ask_server(folder, *requests):
    """Asks signatures in TensorFlow's C API with XLA disabled, as a server does.

    Requests are (signature, {input: value}) with bytes as latin-1; answers are {output: value}.
    """
    library = os.path.join(os.path.dirname(tf.__file__), "libtensorflow_cc.so.2")
    signatures = graph_of(folder).signature_def
    lines = []
    for name, feeds in requests:
        signature = signatures[name]
        feeds = {signature.inputs[key].name: value for key, value in feeds.items()}
        fetches = [signature.outputs[key].name for key in sorted(signature.outputs)]
        lines.append(json.dumps({"feeds": feeds, "fetches": fetches}))
    run = subprocess.run(
        [sys.executable, ROOT / "tests/support/c_api.py", library, folder],
        input="\n".join(lines),
        capture_output=True,
        text=True,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(requests), run.stderr
    return [
        dict(zip(sorted(signatures[name].outputs), answer, strict=True))
        for (name, _), answer in zip(requests, answers, strict=True)
    ]


def ask_elsewhere(folder, *texts):
    """Asks `serving_default` in a process that has TensorFlow and none of our packages."""
    code = """
import json, sys, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
assert not {"layers", "zoo", "tasks"} & {*sys.modules}
out = model.signatures["serving_default"](text=tf.constant(sys.argv[2:]))
lists = {name: value.numpy().tolist() for name, value in out.items()}
print(json.dumps(lists, default=lambda text: text.decode()))
"""
    command = [sys.executable, "-I", "-c", code, str(folder), *texts]
    with tempfile.TemporaryDirectory() as empty:
        run = subprocess.run(command, capture_output=True, text=True, cwd=empty)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def check_saved_once_without_xla(folder, weights):
    """Each weight of an .npz file is in the SavedModel once, and no function of it wants XLA."""
    with np.load(weights) as arrays:
        size = sum(arrays[name].nbytes for name in arrays.files)
    saved = sum(f.stat().st_size for f in (pathlib.Path(folder) / "variables").iterdir())
    assert saved < 1.2 * size + 20_000
    for function in graph_of(folder).graph_def.library.function:
        for node in function.node_def:
            assert not node.attr["_XlaMustCompile"].b


def replay_warmup(folder, model):
    """(signature, answer) of each warm-up request, as a server replays them."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = pathlib.Path(folder) / "assets.extra" / "tf_serving_warmup_requests"
    loaded = tf.saved_model.load(str(folder))
    for record in tf.data.TFRecordDataset(str(file)):
        request = PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == model
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        assert inputs.keys() == graph_of(folder).signature_def[name].inputs.keys()
        yield name, loaded.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
