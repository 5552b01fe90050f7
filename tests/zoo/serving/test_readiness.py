"""Whether a model on a server answers, and what state it is in where it does not."""

import contextlib
import socket
import threading
import time

import pytest
import stand_in
from slow import drip, listening, silent

from zoo.serving.client import ServerDown, ServerError, connect

NOT_FOUND = 5


@pytest.fixture
def set_state(odd_models, monkeypatch):
    """Changes the state of a version of `odd` for a test."""

    def set_state(number, *state):
        monkeypatch.setitem(odd_models.states["odd"], number, (*state, 0, "")[:3])

    return set_state


def refused(model, seconds=0.3):
    """What `wait_until_ready` says in the end."""
    assert not model.ready()
    start = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        model.wait_until_ready(seconds)
    assert time.monotonic() - start < seconds + 3
    expected = f"{model.address}: expected 'odd'"
    assert str(caught.value).startswith(expected) and "docker compose logs" in str(caught.value)
    assert f"AVAILABLE within {seconds} seconds" in str(caught.value)
    if "no answer in time" in str(caught.value) and seconds < 5:  # a busy machine
        return refused(model, 5)
    return str(caught.value)


def test_a_model_that_is_there(odd_address):
    for options in ({}, {"version": 1}, {"version": 2}, {"label": "stable"}):
        model = connect(odd_address, "odd", **options)
        assert model.ready() is True
        model.wait_until_ready(5)
    assert {number: str(state) for number, state in model.states().items()} == {
        1: "AVAILABLE",
        2: "AVAILABLE",
    }
    assert connect(odd_address, "odd", version=1).states().keys() == {1}


@pytest.mark.parametrize("state", ["START", "LOADING", "UNLOADING", "END"])
def test_a_model_that_is_not_there_yet(odd_address, set_state, state):
    set_state(1, "END")
    set_state(2, state)
    assert f"Received: version 2 {state}, version 1 END." in refused(connect(odd_address, "odd"))
    message = refused(connect(odd_address, "odd", version=2))
    assert "'odd', version 2 to be AVAILABLE within" in message
    assert f"seconds. Received: version 2 {state}" in message


def test_one_version_that_answers_is_enough(odd_address, set_state):
    set_state(2, "LOADING")
    assert connect(odd_address, "odd").ready()
    assert connect(odd_address, "odd", version=1).ready()
    assert not connect(odd_address, "odd", version=2).ready()
    assert connect(odd_address, "odd")("abc")["length"].tolist() == [3]


def test_a_label_that_is_not_there(odd_address, set_state):
    said = refused(connect(odd_address, "odd", label="canary"))
    assert "label 'canary'" in said and "Unrecognized servable version label: canary" in said
    set_state(1, "LOADING")
    assert "Servable not found for request: Specific(odd, 1)" in (
        refused(connect(odd_address, "odd", label="stable"))
    )


def test_what_the_server_does_not_know(odd_address):
    assert "Could not find version 7 of model odd" in refused(
        connect(odd_address, "odd", version=7)
    )
    model = connect(odd_address, "foo")
    assert not model.ready()
    with pytest.raises(TimeoutError, match="Could not find any versions of model foo"):
        model.wait_until_ready(0.1)
    with pytest.raises(ServerError, match="Could not find any versions of model foo"):
        model.states()


def test_a_model_that_the_server_has_given_up(odd_address, set_state):
    set_state(2, "END", NOT_FOUND, "Op type not registered 'Odd'")
    model = connect(odd_address, "odd", version=2)
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"version 2 END \(NOT_FOUND: Op type not registered 'O"):
        model.wait_until_ready(60)
    assert time.monotonic() - start < 20
    assert str(model.states()[2]) == "END (NOT_FOUND: Op type not registered 'Odd')"
    connect(odd_address, "odd").wait_until_ready(5)  # there is the other version


def test_a_model_that_comes(odd_address, odd_models, set_state):
    set_state(2, "LOADING")
    model = connect(odd_address, "odd", version=2)
    timer = threading.Timer(0.5, odd_models.states["odd"].update, [{2: ("AVAILABLE", 0, "")}])
    timer.start()
    model.wait_until_ready(30)
    assert model("abc")["length"].tolist() == [6]
    timer.join()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_comes(odd_models, scheme):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    model = connect(f"{scheme}://127.0.0.1:{port}", "odd", timeout=1)
    assert "Received: no server, " in refused(model)
    with pytest.raises(ServerDown):
        model.states()
    ports = {"rest_port" if scheme == "http" else "grpc_port": port}
    with contextlib.ExitStack() as stack:
        start = threading.Timer(
            0.4, lambda: stack.enter_context(stand_in.Server(odd_models, **ports))
        )
        start.start()
        model.wait_until_ready(30)
        start.join()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_silent(scheme):
    with listening(silent) as port:
        model = connect(f"{scheme}://127.0.0.1:{port}", "odd", timeout=0.2)
        assert "Received: no answer in time" in refused(model)


def test_a_proxy_without_a_server():
    answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\nno one"
    with listening(drip(answer, b" ")) as port:
        said = refused(connect(f"http://127.0.0.1:{port}", "odd"))
    assert "Received: no one (HTTP 502)" in said
