"""Models on a server answer as they answer here."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import stand_in
import tensorflow as tf
from programs import ODD_TEXTS, ROOT
from served import TEXTS, Odd, check_equal

from zoo.saving import InMemory, export
from zoo.serving.client import ServerDown, ServerError, connect


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def post(server, path, body):
    """Status and JSON of a question over REST, as `curl` asks it."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"{server.rest}/v1/models/{path}", body, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize("name", ["tagger", "classifier", "language"])
def test_answers_are_those_of_the_model_here(local, address, name):
    here, there = local(name), connect(address, name, timeout=60)
    assert there.signatures == here.signatures
    odd = [one[:300] for one in ODD_TEXTS.values()]
    for texts in (TEXTS, TEXTS[0], [""], ["", " "], odd, []):
        check_equal(there(texts), here(texts))


@pytest.mark.parametrize("name", ["tagger", "classifier", "language"])
def test_answers_are_those_of_the_model_in_memory(local, modules, name):
    here, in_memory = local(name), InMemory(modules[name])
    assert in_memory.signatures == here.signatures
    for texts in (TEXTS, TEXTS[0], []):
        check_equal(in_memory(texts), here(texts))


LONGER = {"text": np.array([b"the cat smiled . " * 9], object)}
WIDER = {
    "tokens": np.array([[b"cat"] * 5], object),
    "lengths": np.array([5], np.int32),
}


@pytest.mark.parametrize(
    ("name", "signature", "company", "inputs"),
    [
        ("tagger", "serving_default", LONGER, {"text": ["Teddy smiled.", "the cat"]}),
        ("tagger", "tokens", WIDER, {"tokens": [["Teddy", "smiled"]], "lengths": [2]}),
        ("language", "tokens", LONGER, {"text": ["Teddy smiled.", "the cat"]}),
    ],
)
def test_a_longer_text_of_someone_else_in_the_batch_changes_nothing(
    local, models, address, monkeypatch, name, signature, company, inputs
):
    (version,) = models.versions[name].values()
    monkeypatch.setattr(version, "company", {signature: company})
    check_equal(
        connect(address, name, timeout=60).ask(signature, inputs),
        local(name).ask(signature, inputs),
    )


@pytest.mark.parametrize("name", ["tagger", "language"])
def test_signatures_with_other_inputs(local, address, name):
    here, there = local(name), connect(address, name, timeout=60)
    questions = {
        "tagger": {"tokens": {"tokens": [["Teddy", "smiled"], ["cat", ""]], "lengths": [2, 1]}},
        "language": {
            "tokens": {"text": TEXTS},
            "generate": {
                "prompt": ["The cat", "", "👍"],
                "max_length": np.array([5, 3, 4]),
                "temperature": [0.0, 0.7, 1],
                "top_k": [0, 3, 0],
                "top_p": [1, 0.9, 0.1],
                "seed": [1, 2, 3],
            },
        },
    }
    for signature, inputs in questions[name].items():
        check_equal(there.ask(signature, inputs), here.ask(signature, inputs))


def test_all_types_and_one_output(local, address):
    here, there = local("odd", 2), connect(address, "odd", timeout=60)
    check_equal(there(["abc", "é"]), here(["abc", "é"]))
    long = connect(address, "odd", max_characters=None)("a" * 5_000_000)
    assert long["length"].tolist() == [10_000_000]
    x = [2, -1.0, np.inf, 1e-30, 16777216, 0.1, 3]
    inputs = {"x": x, "n": [2**62, -1, 0, 1, 2, 3, 4], "flag": [True, False] * 3 + [True]}
    check_equal(there.ask("numbers", inputs), here.ask("numbers", inputs))
    nothing = {"x": [], "n": [], "flag": []}
    check_equal(there.ask("numbers", nothing), here.ask("numbers", nothing))


def test_versions_and_labels(local, address):
    for version in (1, 2):
        found = connect(address, "odd", version=version)("abc")
        check_equal(found, local("odd", version)("abc"))
    check_equal(connect(address, "odd", label="stable")("abc"), local("odd", 1)("abc"))


def test_what_a_server_refuses(server, address):
    with pytest.raises(ServerError, match=r"'foo', the server said: Servable not.*Latest\(foo\)"):
        connect(address, "foo")("x")
    with pytest.raises(ServerError, match=r"version 7, .*Specific\(odd, 7\)") as caught:
        connect(address, "odd", version=7)("x")
    assert str(caught.value).startswith(address)
    assert "docker compose logs" in str(caught.value)
    with pytest.raises(ServerError, match="Unrecognized servable version label: new"):
        connect(address, "odd", label="new")("x")
    model = connect(address, "odd")
    with pytest.raises(ServerError, match=r"'no'.*signatures \['fails', 'numbers', 'serving_def"):
        model.ask("no", {})
    with pytest.raises(ServerError, match=r"(?s)n is to be positive.*(INVALID_ARG|HTTP 400)"):
        model.ask("fails", {"n": [0]})
    np.testing.assert_array_equal(model.ask("fails", {"n": [3]})["n"], [3])


def test_inputs_that_do_not_fit_are_not_sent(address):
    model = connect(address, "odd")
    with pytest.raises(ValueError, match=r"expected inputs \['text'\]. Received: \['words'\]"):
        model.ask("serving_default", {"words": ["x"]})
    with pytest.raises(ValueError, match="text: expected texts"):
        model([1])
    for wrong in ([0.5], [2**40], [np.nan]):
        with pytest.raises(ValueError, match="n: expected int32"):
            model.ask("fails", {"n": wrong})


@pytest.mark.parametrize(
    "address", ["localhost:8501", "ftp://localhost:21", "http://", "grpc://host", "http://host:x"]
)
def test_addresses_that_are_none(address):
    with pytest.raises(ValueError, match=r"expected an address such as .* Received: '"):
        connect(address, "odd")


def test_arguments_that_are_refused():
    with pytest.raises(ValueError, match=r"a version or a label. Received: version=1, label='new'"):
        connect("http://localhost:8501", "odd", version=1, label="new")
    with pytest.raises(ValueError, match="expected timeout > 0"):
        connect("http://localhost:8501", "odd", timeout=0)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_no_server(scheme):
    address = f"{scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(ServerDown, match=rf"^{address}: .* in 2 attempts: .*docker compose up"):
        connect(address, "odd", retries=1)("x")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_comes_up_late(models, scheme):
    port = free_port()
    ports = {"rest_port" if scheme == "http" else "grpc_port": port}
    with contextlib.ExitStack() as stack:
        start = threading.Timer(0.4, lambda: stack.enter_context(stand_in.Server(models, **ports)))
        start.start()
        model = connect(f"{scheme}://127.0.0.1:{port}", "odd", retries=6)
        assert model("abc")["length"].tolist() == [6]
        start.join()


@contextlib.contextmanager
def dropping(address, drops):
    """The port of a forwarder to a server that hangs up on the first connections."""
    target = ("127.0.0.1", int(address.rpartition(":")[2]))
    listener = socket.create_server(("127.0.0.1", 0))
    opened = [listener]

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept():
        for number in itertools.count():
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if number < drops:
                near.close()
                continue
            far = socket.create_connection(target)
            opened.extend([near, far])
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_lost_connections_are_tried_again(address):
    scheme = address.partition(":")[0]
    with dropping(address, drops=2) as port:
        model = connect(f"{scheme}://127.0.0.1:{port}", "odd")
        assert model("abc")["length"].tolist() == [6]
    with dropping(address, drops=9) as port, pytest.raises(ServerDown):
        connect(f"{scheme}://127.0.0.1:{port}", "odd", retries=0)("abc")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_never_answers(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=rf"^{address}: .* within 0.3 seconds"):
            connect(address, "odd", timeout=0.3)("x")
        assert time.monotonic() - start < 5


def test_errors_that_are_not_json():
    """A proxy answers in its own way, and the server's own JSON may be broken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            near, _ = listener.accept()
            with near:
                near.recv(65536)
                near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nhm'\xff")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ServerError, match=r"the server said: hm'\ufffd \(HTTP 502"):
            connect(f"http://127.0.0.1:{listener.getsockname()[1]}", "odd")("x")


def test_grpc_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    connect("http://localhost:8501", "odd")
    with pytest.raises(ImportError, match="pip install tensorflow-serving-api"):
        connect("grpc://localhost:8500", "odd")


def test_rest_and_lists_of_models_need_neither_grpc_nor_tensorflow(server, tmp_path):
    code = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("grpc", "keras", "tensorflow", "tensorflow_serving"):
            raise ImportError(f"{{name}} is not to be imported")

sys.meta_path.insert(0, Blocker())
import zoo
assert zoo.connect({server.rest!r}, "odd")("abc")["length"].tolist() == [6]
assert "ner_demo" in zoo.list_models() and zoo.__version__
assert not {{"grpc", "keras", "tensorflow"}} & {{*sys.modules}}
try:
    zoo.load("ner_demo")
except ImportError as error:
    assert "is not to be imported" in str(error)
else:
    raise AssertionError("a SavedModel was loaded without TensorFlow")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stderr


def test_rows_over_rest(server, local):
    status, answer = post(server, "tagger:predict", {"instances": ["Teddy smiled.", "The cat ."]})
    assert status == 200
    here = local("tagger")(["Teddy smiled.", "The cat ."])
    assert [row["tags"] for row in answer["predictions"]] == here["tags"].tolist()
    assert [row["lengths"] for row in answer["predictions"]] == [3, 3]
    rows = [{"text": "abc"}, {"text": {"b64": "YQ=="}}]
    assert post(server, "odd:predict", {"instances": rows}) == (200, {"predictions": [6, 2]})
    columns = {"inputs": ["abc", "a"]}
    assert post(server, "odd/versions/1:predict", columns) == (200, {"outputs": [3, 1]})
    tokens = {"signature_name": "tokens", "instances": [{"tokens": ["a"], "lengths": 1}] * 2}
    assert post(server, "tagger:predict", tokens)[0] == 200
    tokens["instances"][1] = {"tokens": ["a", "b"], "lengths": 2}
    status, answer = post(server, "tagger:predict", tokens)
    assert status == 400 and "Expecting shape [1] but got: [2]" in answer["error"]


@pytest.mark.parametrize(
    "body, error",
    [
        (b"{", "JSON Parse error"),
        ({"text": ["x"]}, "Missing 'inputs' or 'instances' key"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"inputs": {"words": ["x"]}}, "Missing named input: text"),
        ({"inputs": {"text": [1]}}, "not of expected type: string"),
        ({"inputs": {"text": [["x"], []]}}, "Encountered list at unexpected size: 0"),
        ({"signature_name": "no", "inputs": ["x"]}, '"no" not found in signature def'),
        ({"inputs": [["x"]]}, ""),
    ],
)
def test_questions_that_are_refused(server, body, error):
    status, answer = post(server, "tagger:predict", body)
    assert status == 400 and error in answer["error"]


def test_status_and_metadata(server):
    def get(path):
        with urllib.request.urlopen(f"{server.rest}/v1/models/{path}", timeout=20) as answer:
            return json.load(answer)

    status = get("odd")["model_version_status"]
    assert [(one["version"], one["state"]) for one in status] == [
        ("2", "AVAILABLE"),
        ("1", "AVAILABLE"),
    ]
    metadata = get("tagger/metadata")
    outputs = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["outputs"]
    assert outputs["tags"]["dtype"] == "DT_STRING"
    assert [dim["size"] for dim in outputs["tags"]["tensor_shape"]["dim"]] == ["-1", "-1"]
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get("foo")
    with caught.value as error:
        assert json.load(error) == {"error": "Could not find any versions of model foo"}


def test_warmup_requests_are_replayed(models, tmp_path):
    assert models.versions["tagger"][1].warmed == 1
    assert [models.versions["odd"][v].warmed for v in (1, 2)] == [0, 2]
    warmup = [("fails", {"n": tf.constant([0])})]
    export.save(Odd(1), {"fails": Odd(1).fails}, str(tmp_path / "odd"), warmup)
    with (
        pytest.raises(stand_in.StatusError, match="n is to be positive"),
        stand_in.serve({"odd": tmp_path / "odd"}),
    ):
        pass
