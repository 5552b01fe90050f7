"""The time-out of a client is that of the whole question, whatever the server does meanwhile."""

import contextlib
import socket
import ssl
import subprocess
import time

import pytest
from slow import drip, encrypted, forward, hang_up, listening, silent

from zoo.serving.client import OutOfTime, ServerDown, connect
from zoo.serving.deadline import Deadline

SECONDS = 0.5
TEXT = "a" * 20_000_000
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"


@contextlib.contextmanager
def in_time(seconds=SECONDS):
    """What is asked ends with a TimeoutError, not before the time is up and not long after."""
    start = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        yield caught
    assert seconds / 2 < time.monotonic() - start < seconds + 3


def ask(port, scheme="http", **options):
    options = {"timeout": SECONDS, **options}
    return connect(f"{scheme}://127.0.0.1:{port}", "odd", **options)(["a", "b"])


@pytest.mark.parametrize(
    "handler",
    [
        silent,
        drip(b"", OK),
        drip(OK, b"X-Drop: 1\r\n"),
        drip(JSON + b"Content-Length: 1000000\r\n\r\n", b" "),
        drip(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"0000"),
        drip(JSON + b"Connection: close\r\n\r\n", b" "),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    ],
    ids=["silent", "status", "headers", "body", "chunks", "chunk_size", "until_closed", "continue"],
)
def test_a_server_that_drips_over_rest(handler):
    with listening(handler) as port, in_time() as caught:
        ask(port)
    assert f"http://127.0.0.1:{port}: expected an answer within 0.5 seconds" in str(caught.value)


def test_a_server_that_drips_over_grpc(odd_server):
    settings = b"\0\0\0\4\0\0\0\0\0"
    for handler in (silent, drip(settings, b"\0"), forward(odd_server.grpc, 0.05)):
        with listening(handler) as port, in_time():
            ask(port, "grpc")


def test_a_real_answer_that_drips(odd_server):
    with listening(forward(odd_server.rest, 0.001)) as port:
        with in_time():
            ask(port)
        assert ask(port, timeout=60)["length"].tolist() == [2, 2]


def test_a_server_that_does_not_read(odd_server):
    with listening(forward(odd_server.rest), silent) as port, in_time():
        connect(f"http://127.0.0.1:{port}", "odd", timeout=SECONDS, max_characters=None)(TEXT)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_retries_and_pauses_are_part_of_the_time(scheme):
    start = time.monotonic()
    with listening(hang_up) as port, pytest.raises(OutOfTime, match=r"within 0\.5 s") as caught:
        ask(port, scheme, retries=1000)
    assert time.monotonic() - start < SECONDS + 3
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, ServerDown)


def test_signatures_and_parts_are_part_of_the_time(odd_models, odd_address, monkeypatch):
    version = odd_models.versions["odd"][2]
    predict = version.predict

    def slow(request):
        time.sleep(0.2)
        return predict(request)

    monkeypatch.setattr(version, "predict", slow)
    model = connect(odd_address, "odd", timeout=2, max_batch_size=1)
    assert model(["a", "bc"])["length"].tolist() == [2, 4]
    with in_time(2):
        model(["a"] * 40)  # eight seconds, none of the parts late
    assert model("a")["length"].tolist() == [2]  # the next question has its own time


def test_names_that_are_looked_up_slowly(monkeypatch):
    look_up = socket.getaddrinfo

    def slow(*arguments, **options):
        time.sleep(2)
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with in_time():
        connect("http://localhost:1", "odd", timeout=SECONDS)("a")


def test_hosts_that_are_none():
    with pytest.raises(ServerDown, match="in 1 attempts"):
        connect("http://no-such-host.invalid:1", "odd", retries=0)("a")


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_any_time_out_is_taken(odd_address, timeout):
    assert connect(odd_address, "odd", timeout=timeout)("a")["length"].tolist() == [2]


def test_time_that_is_left():
    deadline = Deadline(0.2)
    assert deadline.within(60).left() <= 0.2 and deadline.within(0.1).left() <= 0.1
    pauses = 0
    while deadline.pause(0.15):
        pauses += 1
    assert pauses >= 2
    assert deadline.left() < 0.05  # something is left for an attempt after the last pause


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """The context of a server on loopback that clients trust."""
    files = [str(tmp_path / name) for name in ("key.pem", "certificate.pem")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[0], "-out", files[1]]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate here: {error}")
    monkeypatch.setenv("SSL_CERT_FILE", files[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    return context


def test_an_answer_over_tls(odd_server, tls):
    with listening(encrypted(tls, forward(odd_server.rest))) as port:
        assert ask(port, "https", timeout=20)["length"].tolist() == [2, 2]


def test_a_server_that_drips_over_tls(odd_server, tls):
    body = drip(JSON + b"Content-Length: 1000000\r\n\r\n", b" ")
    with listening(encrypted(tls, forward(odd_server.rest))) as inner:
        handshake = forward(f"http://127.0.0.1:{inner}", 0.01)
        for handler in (silent, handshake, encrypted(tls, body), encrypted(tls, drip(b"", OK))):
            with listening(handler) as port, in_time():
                ask(port, "https")


def test_a_server_that_does_not_read_over_tls(odd_server, tls):
    handlers = [encrypted(tls, forward(odd_server.rest)), encrypted(tls, silent)]
    with listening(*handlers) as port, in_time():
        connect(f"https://127.0.0.1:{port}", "odd", timeout=SECONDS, max_characters=None)(TEXT)
