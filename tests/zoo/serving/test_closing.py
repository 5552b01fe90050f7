"""A client that is closed keeps nothing open, and each question of a client has its own clock."""

import contextlib
import socket
import threading

import pytest

from zoo.serving import asking
from zoo.serving.client import ServerError, connect


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_closed_client_is_asked_nothing(odd_server, scheme):
    address = odd_server.rest if scheme == "http" else odd_server.grpc
    with connect(address, "odd") as model:
        assert model("abc")["length"].tolist() == [6]
    for ask in (lambda: model("abc"), model.states, model.ready):
        with pytest.raises(ValueError, match=rf"^{address}: expected a client that is open"):
            ask()
    model.close()  # once more does no harm


def test_the_channel_of_grpc_is_closed(odd_server):
    """The other end of the connection sees it."""
    ended = threading.Event()
    target = ("127.0.0.1", int(odd_server.grpc.rpartition(":")[2]))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pump(source, sink, end):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            finally:
                end()

        def accept():
            near, _ = listener.accept()
            far = socket.create_connection(target)
            back = threading.Thread(target=pump, args=(far, near, near.close), daemon=True)
            back.start()
            pump(near, far, lambda: (ended.set(), far.shutdown(socket.SHUT_RDWR)))
            back.join()
            far.close()

        forwarder = threading.Thread(target=accept, daemon=True)
        forwarder.start()
        model = connect(f"grpc://127.0.0.1:{listener.getsockname()[1]}", "odd")
        assert model("abc")["length"].tolist() == [6]
        assert not ended.wait(0.2)
        model.close()
        assert ended.wait(10)
        forwarder.join(10)


def test_each_question_has_one_deadline(address, monkeypatch):
    """Its signatures and parts together; a generator of texts may ask the same client meanwhile."""
    made = []

    class Counted(asking.Deadline):
        def __init__(self, seconds):
            made.append(seconds)
            super().__init__(seconds)

    monkeypatch.setattr(asking, "Deadline", Counted)
    model = connect(address, "odd", timeout=60, max_batch_size=1)
    assert model(["a", "bc"])["length"].tolist() == [2, 4]
    assert len(made) == 1

    def texts():
        for text in ("a", "bc"):
            yield "x" * int(model(text)["length"][0])

    assert model(texts())["length"].tolist() == [4, 8]
    assert len(made) == 4
    threads = [threading.Thread(target=lambda: model(["a", "bc"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 7


def test_a_question_goes_on_with_the_signatures_that_it_began_with(address, monkeypatch):
    """Meanwhile another one may find that the server has gone on to another version."""
    model = connect(address, "odd", timeout=60)

    def texts():
        with contextlib.suppress(ServerError):
            model.ask("no", {})
        monkeypatch.setattr(model, "read_signatures", lambda deadline: {})
        yield "abc"

    assert model(texts())["length"].tolist() == [6]
    with pytest.raises(ServerError, match="expected one of the signatures"):
        model("abc")
