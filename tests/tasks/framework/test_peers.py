"""Workers that meet, share, and notice who is gone: as processes, without TensorFlow."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from ports import free_ports
from programs import ROOT

from tasks.data.errors import UserError
from tasks.framework import peers
from tasks.framework.cluster import Cluster

# A worker that shares a number, says so, and does what its last argument says.
WORKER = """
import sys, time
from tasks.framework import peers
from tasks.framework.cluster import Cluster

number, ports, then = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3]
jobs = tuple(f"worker {i}" for i in range(len(ports)))
cluster = Cluster(jobs, tuple(f"127.0.0.1:{port}" for port in ports), number)
team = peers.Peers(cluster, "lm", "; the same commands resume the run", joining=20)
print(team.share(b"from the chief" if number == 0 else b"").decode(), flush=True)
if then == "waits":
    time.sleep(60)
if number == 0:
    if then == "is trained":
        team.need_nobody()
        print("trained", flush=True)
        sys.stdin.readline()
    team.close()
else:
    team.wait_for_the_end()
"""


def start(then, count=3, numbers=None):
    ports = ",".join(map(str, free_ports(count)))
    return [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(number), ports, then],
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE), text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in (range(count) if numbers is None else numbers)
    ]  # fmt: skip


def ended(processes, seconds=60):
    """(code, standard output, errors) of each."""
    try:
        found = [one.communicate(timeout=seconds) for one in processes]
    finally:
        for one in processes:
            one.kill()
    return [(p.returncode, *texts) for p, texts in zip(processes, found, strict=True)]


def test_what_the_chief_shares_all_have_and_all_end_with_it():
    # The chief comes last.
    found = ended(start("ends", numbers=[2, 1, 0]))
    assert found == [(0, "from the chief\n", "")] * 3


@pytest.mark.parametrize("lost", [0, 2])
def test_all_say_in_one_line_who_was_killed(lost):
    processes = start("waits")
    for one in processes:
        assert one.stdout.readline() == "from the chief\n"
    processes[lost].send_signal(signal.SIGKILL)
    start_ = time.monotonic()
    found = ended(processes)
    assert time.monotonic() - start_ < 30
    name = "worker 0, the chief" if lost == 0 else "worker 2"
    port = processes[0].args[4].split(",")[lost]
    expected = (
        f"lm: {name} (127.0.0.1:{port}) is gone (its connection is closed); the same commands "
        "resume the run.\n"
    )
    for number, (code, _, error) in enumerate(found):
        assert (code, error) == ((-signal.SIGKILL, "") if number == lost else (1, expected))


def test_when_all_is_trained_the_chief_needs_nobody_and_is_missed_itself():
    processes = start("is trained")
    assert [processes[0].stdout.readline() for _ in range(2)] == ["from the chief\n", "trained\n"]
    processes[1].kill()
    processes[1].wait()
    processes[0].stdin.write("\n")
    found = ended(processes)
    assert [code for code, _, _ in found] == [0, -signal.SIGKILL, 0]
    assert [error for _, _, error in found] == [""] * 3

    processes = start("is trained", count=2)
    assert [processes[0].stdout.readline() for _ in range(2)] == ["from the chief\n", "trained\n"]
    processes[0].kill()
    code, _, error = ended(processes)[1]
    assert code == 1
    assert "worker 0, the chief" in error and "is gone" in error


def test_a_worker_that_is_stopped_is_missed_too(monkeypatch):
    """It holds its connections, but is silent: as one is whose machine is gone."""
    monkeypatch.setattr(peers, "SILENCE", 1)
    monkeypatch.setattr(peers, "BEAT", 0.2)
    chief, link = a_chief_and_a_link()
    assert chief.left.wait(20)
    link.close()
    assert "worker 1 (127.0.0.1:1) is gone (silent for 1 seconds)" in chief.said()


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (
            peers._LOST,
            b"worker 1 (127.0.0.1:1) was stopped",
            "lm: worker 1 (127.0.0.1:1) was stopped; go on.\n",
        ),
        # The same commands do not mend a fault.
        (
            peers._FAILED,
            b"worker 1 (a:1) ended: no such file.",
            "lm: worker 1 (a:1) ended: no such file.\n",
        ),
    ],
    ids=["stopped", "fault"],
)
def test_a_worker_says_how_it_ended(kind, text, said):
    chief, link = a_chief_and_a_link()
    link.sendall(peers._message(kind, text))
    assert chief.left.wait(20)
    link.close()
    assert chief.said() == said


def test_who_does_not_come_is_named(monkeypatch, capsys):
    monkeypatch.setattr(peers, "PATIENCE", 0.1)
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    cluster = Cluster(("worker 0", "worker 1"), addresses, 0)
    with pytest.raises(UserError, match=r"worker 1 .* did not come within 0 seconds"):
        peers.Peers(cluster, "lm", joining=0.4)
    assert capsys.readouterr().out == f"Waiting for worker 1 ({addresses[1]}).\n"
    there = Cluster(cluster.jobs, cluster.addresses, 1)
    with pytest.raises(UserError, match=r"worker 0, the chief .* did not answer within 0 seconds"):
        peers.Peers(there, "lm", joining=0.4)
    waiting = f"lm: Waiting for worker 0, the chief ({addresses[0]}): Connection refused.\n"
    assert capsys.readouterr().err == waiting


@pytest.mark.parametrize("number", [0, 1])
def test_a_port_that_is_taken_is_said(number):
    with socket.create_server(("", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        cluster = Cluster(("worker 0", "worker 1"), (address, address), number)
        with pytest.raises(UserError, match=f"expected a free port for worker {number}"):
            peers.Peers(cluster, "lm", joining=1)


def hello(port, **said):
    addresses = [f"127.0.0.1:{port}", "127.0.0.1:1"]
    text = {"protocol": peers._PROTOCOL, "number": 1, "addresses": addresses, **said}
    return peers._message(peers._HELLO, json.dumps(text).encode())


class Chief:
    """A chief in a thread, which says what it said before it left."""

    def __init__(self):
        (self.port,) = free_ports(1)
        cluster = Cluster(("worker 0", "worker 1"), (f"127.0.0.1:{self.port}", "127.0.0.1:1"), 0)
        self.left, self.lines, self.error = threading.Event(), [], None

        def run():
            try:
                peers.Peers(cluster, "lm", "; go on", 20, self.leave)
            except UserError as error:
                self.error = str(error)
                self.left.set()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def leave(self, line):
        self.lines.append(line)
        self.left.set()

    def said(self):
        return "".join(self.lines)


def connected(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def a_chief_and_a_link():
    chief = Chief()
    link = connected(chief.port)
    link.sendall(hello(chief.port))
    assert peers._receive(link)[0] == peers._COME
    chief.thread.join()
    return chief, link


def test_strangers_are_turned_away_and_others_with_another_cluster_are_told():
    chief = Chief()
    with connected(chief.port) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
    with connected(chief.port) as other:
        other.sendall(hello(chief.port, addresses=["c:1", "d:1"]))
        kind, text = peers._receive(other)
    assert kind == peers._FAILED
    assert chief.left.wait(20)
    assert chief.error == text.decode()
    assert "expected the same addresses in each TF_CONFIG" in chief.error
    assert "'c:1'" in chief.error


def test_a_caller_who_says_nothing_whole_is_not_waited_for(monkeypatch):
    """A byte now and then does not hold the chief, and no number that is none is one."""
    monkeypatch.setattr(peers, "_GREETING", 0.5)
    chief = Chief()
    with connected(chief.port) as slow:
        slow.sendall(hello(chief.port)[:20])
        for number in (0.5, True, 2, -1, "1"):
            with connected(chief.port) as wrong:
                wrong.sendall(hello(chief.port, number=number))
                with contextlib.suppress(ConnectionResetError):
                    assert wrong.recv(1) == b""
        with connected(chief.port) as right:
            right.sendall(hello(chief.port))
            assert peers._receive(right)[0] == peers._COME


def test_who_has_come_and_gone_is_waited_for_again(monkeypatch):
    monkeypatch.setattr(peers, "BEAT", 0.1)
    ports = free_ports(2)
    addresses = (*(f"127.0.0.1:{port}" for port in ports), "127.0.0.1:1")
    cluster = Cluster(("worker 0", "worker 1", "worker 2"), addresses, 0)
    found = []

    def run():
        found.append(peers.Peers(cluster, "lm", joining=20, leave=found.append))

    chief = threading.Thread(target=run, daemon=True)
    chief.start()
    said = {"addresses": list(addresses)}
    with connected(ports[0]) as gone:
        gone.sendall(hello(ports[0], **said))
        assert peers._receive(gone)[0] == peers._ALIVE
    with connected(ports[0]) as other:
        other.sendall(hello(ports[0], number=2, **said))
        assert peers._receive(other)[0] == peers._ALIVE
        with connected(ports[0]) as again:
            again.sendall(hello(ports[0], **said))
            kinds = [peers._ALIVE]
            while kinds[-1] == peers._ALIVE:
                kinds.append(peers._receive(again)[0])
            assert kinds[-1] == peers._COME
            chief.join()
            found[0].need_nobody()


def test_two_with_one_number_are_told():
    (port,) = free_ports(1)
    addresses = (f"127.0.0.1:{port}", "127.0.0.1:1", "127.0.0.1:2")
    cluster = Cluster(("worker 0", "worker 1", "worker 2"), addresses, 0)
    found = []

    def run():
        with pytest.raises(UserError) as error:
            peers.Peers(cluster, "lm", joining=20)
        found.append(str(error.value))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    links = []
    for _ in range(2):
        links.append(connected(port))
        links[-1].sendall(hello(port, addresses=list(addresses)))
    thread.join(20)
    assert found == ["two processes say that they are worker 1 (127.0.0.1:1)"]
    for link in links:
        link.close()
