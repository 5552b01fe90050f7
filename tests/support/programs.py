"""Programs run as a user runs them, and SavedModels as others load them."""

import contextlib
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

ROOT = pathlib.Path(__file__).parents[2]

ODD_TEXTS = {
    "empty": b"",
    "blank": b" \t\n",
    "long": b"word " * 4_000,
    "emoji": "👍🏽 é e\u0301 👩‍👩‍👧".encode(),
    "right to left": "שלום עולם 1984".encode(),
    "NUL": b"a\0b",
    "invalid UTF-8": b"\xff\xfe bad \x80",
}


def program(task, *arguments, check=True, input="", cwd=None):
    """Runs `python -m tasks.TASK` within this process, where TensorFlow is loaded already.

    Standard input, output and error are files meanwhile, for C code too; what a program may leave
    behind is as before. The working directory is an empty one unless told otherwise. Returns what
    `subprocess.run` does.
    """
    module = importlib.import_module(f"tasks.{task}")
    main = module.main if hasattr(module, "main") else module.PROGRAM.main
    words = [str(argument) for argument in arguments]
    return _in_process(lambda: main(words), [f"tasks.{task}", *words], check, input, cwd)


def script(path, *arguments, check=True, input="", cwd=None):
    """Runs a file as a program within this process, as `program` does."""
    words = [str(path), *map(str, arguments)]

    def run():
        before = sys.argv, sys.path[:]
        sys.argv, sys.path[:0] = words, [str(pathlib.Path(path).parent)]
        try:
            runpy.run_path(str(path), run_name="__main__")
        finally:
            sys.argv, sys.path[:] = before

    return _in_process(run, words, check, input, cwd)


def _in_process(run, words, check, input, cwd):
    with contextlib.ExitStack() as stack:
        empty = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.chdir(cwd or empty))
        stack.enter_context(_as_before())
        streams = stack.enter_context(_standard_streams(input))
        code = 0
        try:
            code = run()
        except SystemExit as stop:
            code = stop.code
            if isinstance(code, str):  # as Python does
                print(code, file=sys.stderr)
                code = 1
    out, err = (stream.decode("utf-8") for stream in streams)
    done = subprocess.CompletedProcess(words, code or 0, out, err)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def program_stopped_after(checkpoint, task, *arguments, stop=signal.SIGTERM, seconds=60):
    """`program`, told to stop by a signal, as a user would, once its next epoch is in a file."""

    def written():
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    def watch():
        deadline = time.monotonic() + seconds
        while written() == known and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(os.getpid(), stop)

    known = written()
    # Should the program have ended already, nothing is to happen.
    before = signal.signal(stop, signal.SIG_IGN)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        return program(task, *arguments, check=False)
    finally:
        thread.join()
        signal.signal(stop, before)


@contextlib.contextmanager
def small_corpus(demo):
    """The built-in corpus of a task with a tenth of its examples."""
    cached = [one for one in vars(demo).values() if hasattr(one, "cache_clear")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SIZES", {split: size // 10 for split, size in demo.SIZES.items()})
        for one in cached:
            one.cache_clear()
        try:
            yield
        finally:
            for one in cached:
                one.cache_clear()


def program_process(task, *arguments, check=True, **options):
    """Runs `python -m tasks.TASK` as a process of its own, with a user's environment."""
    done = subprocess.run(
        command(task, *arguments), capture_output=True, text=True,
        **{"cwd": ROOT, "env": environment(), **options},
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
    return done


def command(task, *arguments):
    return [sys.executable, "-m", f"tasks.{task}", *map(str, arguments)]


def environment():
    """Without what `conftest.py` sets: programs are quiet by themselves."""
    return {name: v for name, v in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@contextlib.contextmanager
def _standard_streams(input):
    """Yields a list that holds what went to standard output and error, once it is left."""
    written = []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(input if isinstance(input, bytes) else input.encode())
        files[0].seek(0)
        before = [(os.dup(number), number) for number in range(3)]
        stack.callback(_put_back, before)
        sys.stdout.flush()
        sys.stderr.flush()
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        # On their own descriptors: Python closes them, and 1 and 2 stay.
        text = [open(os.dup(n), "w", encoding="utf-8", buffering=1) for n in (1, 2)]  # noqa: SIM115
        with contextlib.redirect_stdout(text[0]), contextlib.redirect_stderr(text[1]):
            try:
                yield written
            finally:
                for one, file in zip(text, files[1:], strict=True):
                    one.close()
                    file.seek(0)
                    written.append(file.read())


def _put_back(before):
    for saved, number in before:
        os.dup2(saved, number)
        os.close(saved)


@contextlib.contextmanager
def _as_before():
    """Signal handlers and Keras' precision are afterwards what they were."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    policy = keras.mixed_precision.dtype_policy()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        keras.mixed_precision.set_dtype_policy(policy)


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


def warmup_requests(folder, model):
    """(signature, inputs) of each warm-up request."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = pathlib.Path(folder) / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)):
        request = PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == model
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        assert inputs.keys() == graph_of(folder).signature_def[name].inputs.keys()
        yield name, inputs


def replay_warmup(folder, model):
    """(signature, answer) of each warm-up request, as a server replays them."""
    loaded = tf.saved_model.load(str(folder))
    for name, inputs in warmup_requests(folder, model):
        yield name, loaded.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})


def contents(folder):
    """The bytes of all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
