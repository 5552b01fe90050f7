"""A connection of the chief with every other worker, beside those of TensorFlow.

What trains together waits for each other at every step; where one is gone, TensorFlow's collective
operations wait for long, or end the process with a page of its insides. Here each worker hears of
it in time, says in one line who is missing, and ends.

The workers meet at the chief's address before TensorFlow's own server listens there, so that no
further port is needed, and nobody waits for a worker who never comes without a word.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tasks.data.errors import UserError, why
from tasks.framework.cluster import Cluster

# Seconds: until all have come, and until somebody says for whom it waits; between two signs of
# life, and without any until a worker counts as gone.
JOINING, PATIENCE = 600.0, 10.0
BEAT, SILENCE = 5.0, 30.0
# The end of a process may take back what it has just said.
_HEARD = 0.2
# Within so many, a caller says who it is.
_GREETING = 2.0
# What a message is: a greeting, that all have come, a sign of life, something to share; and an end:
# of who is done, of who was stopped or misses somebody, of who has a fault.
_HELLO, _COME, _ALIVE, _SHARED, _DONE, _LOST, _FAILED = b"HCASDLF"
_HEAD = struct.Struct("!BQ")
_PROTOCOL, _LONGEST_TEXT = "lecture-rnn-zoo 2", 2**16
_NO_PEER = "what answers there is none that waits for workers"


class Peers:
    """The other workers of a run.

    Args:
        cluster: all of them.
        name: of the program, for messages.
        advice: what to do when a worker is gone, behind that one's name.
        joining: seconds to wait until all have come.
        leave: ends this process with a line for standard error.

    Raises:
        UserError: somebody did not come, or takes part in another run.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        advice: str = "",
        joining: float = JOINING,
        leave: Callable[[str], Any] | None = None,
    ):
        self.cluster, self.name, self.advice = cluster, name, advice
        self._leave = leave or _leave
        # Called before this process ends because of another one.
        self.cleanup = contextlib.ExitStack()
        self._shared: queue.Queue[bytes | None] = queue.Queue()
        self._ending, self._closed = threading.Lock(), threading.Event()
        self._chief_is_done, self._needs_nobody = threading.Event(), False
        found = self._gather(joining) if cluster.is_chief else {0: self._join(joining)}
        self._links = {number: _Link(link) for number, link in found.items()}
        if cluster.is_chief:
            for number, link in self._links.items():
                with self._blaming(number):
                    link.send(_COME)
        # One of each for each: who takes long holds up nobody else.
        for number in self._links:
            for what in (self._hear, self._beat):
                threading.Thread(target=what, args=(number,), daemon=True).start()

    # --- While it trains -------------------------------------------------------------------------

    def share(self, value: bytes) -> bytes:
        """What the chief gives, in all workers; they wait for it."""
        if not self.cluster.is_chief:
            shared = self._shared.get()
            if shared is None:
                raise UserError(f"{self.cluster.name(0)} has ended")
            return shared
        for number, link in self._links.items():
            with self._blaming(number):
                link.send(_SHARED, value)
        return value

    def close(self, fault: str = "", lost: bool = False) -> None:
        """Takes leave of the others, who end as well: with a fault, or without when the chief is
        done; of a worker who is done, the chief need not hear.

        Args:
            fault: what is wrong.
            lost: whether the same commands go on from there, as where somebody was stopped.
        """
        if self._closed.is_set():
            return
        self._closed.set()
        kind = _DONE if not fault else _LOST if lost else _FAILED
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.send(kind, fault.encode())
                link.say_no_more()

    def need_nobody(self) -> None:
        """Of the chief, when all is trained: from now on it does not matter who is lost."""
        with self._ending:
            self._needs_nobody = True

    def wait_for_the_end(self) -> None:
        """Waits until the chief is done; if it is lost before, this process ends and says so."""
        self._chief_is_done.wait()

    def wait_for_the_blame(self) -> None:
        """After an error of TensorFlow: leaves the time in which a lost worker is found out."""
        if not self._needs_nobody:
            time.sleep(SILENCE + BEAT)

    # --- How they meet ---------------------------------------------------------------------------

    def _gather(self, joining: float) -> dict[int, socket.socket]:
        """The chief waits for all others, in any order."""
        start, said, beaten = time.monotonic(), False, 0.0
        found: dict[int, socket.socket] = {}
        with self._listening() as listening, self._stopping(found):
            listening.settimeout(0.2)
            while True:
                for number in [n for n, link in found.items() if _is_closed(link)]:
                    found.pop(number).close()
                if len(found) + 1 == len(self.cluster):
                    return found
                waited = time.monotonic() - start
                if waited - beaten > BEAT:
                    beaten = waited
                    for link in found.values():
                        with contextlib.suppress(OSError):
                            link.sendall(_message(_ALIVE, b""))
                names = ", ".join(
                    self.cluster.name(n) for n in range(1, len(self.cluster)) if n not in found
                )
                if waited > joining:
                    fault = f"{names} did not come within {joining:.0f} seconds"
                    raise self._refused(found, fault)
                if waited > PATIENCE and not said:
                    said = True
                    print(f"Waiting for {names}.", flush=True)
                with contextlib.suppress(TimeoutError):
                    link, _ = listening.accept()
                    caller = self._greeted(link)
                    if caller is None:
                        link.close()
                    elif isinstance(caller, str):
                        raise self._refused({**found, -1: link}, caller)
                    elif caller in found:
                        twice = f"two processes say that they are {self.cluster.name(caller)}"
                        raise self._refused({**found, -1: link}, twice)
                    else:
                        found[caller] = link

    def _listening(self) -> socket.socket:
        _, port = self.cluster.host_and_port(self.cluster.number)
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        try:
            return socket.create_server(("", port), family=family, dualstack_ipv6=both)
        except OSError as error:
            raise UserError(
                f"TF_CONFIG: expected a free port for {self.cluster.name(self.cluster.number)}. "
                f"Received: {port}, where nobody can listen: {why(error)}"
            ) from None

    def _greeted(self, link: socket.socket) -> int | str | None:
        """Who calls: a number, what is wrong with them, or None for somebody else."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            kind, hello = _receive(link, _LONGEST_TEXT, time.monotonic() + _GREETING)
            said = json.loads(hello)
            if kind == _HELLO and said["protocol"] == _PROTOCOL:
                if said["addresses"] != list(self.cluster.addresses):
                    ours, theirs = list(self.cluster.addresses), said["addresses"]
                    return f"expected the same addresses in each TF_CONFIG: {ours}, {theirs}"
                if type(said["number"]) is int and 0 < said["number"] < len(self.cluster):
                    return said["number"]
        return None

    @contextlib.contextmanager
    def _stopping(self, found: Mapping[int, socket.socket]) -> Iterator[None]:
        """Ctrl-C before all have come is told to those who have."""
        try:
            yield
        except KeyboardInterrupt:
            self._refused(found, f"{self.cluster.name(0)} was stopped")
            raise

    def _refused(self, found: Mapping[int, socket.socket], fault: str) -> UserError:
        for link in found.values():
            with contextlib.suppress(OSError), link:
                _Link(link).send(_FAILED, fault.encode())
        return UserError(fault)

    def _join(self, joining: float) -> socket.socket:
        """Another worker calls the chief until it answers, which it does when all have come."""
        start, chief, said_so = time.monotonic(), self.cluster.host_and_port(0), False
        with self._listening():
            pass  # TensorFlow's server will listen there, and says less of a port that is taken
        said = {
            "protocol": _PROTOCOL,
            "number": self.cluster.number,
            "addresses": self.cluster.addresses,
        }
        while True:
            link = None
            try:
                link = socket.create_connection(chief, timeout=BEAT)
                link.sendall(_message(_HELLO, json.dumps(said).encode()))
                kind = _ALIVE
                while kind == _ALIVE:
                    kind, text = _receive(link, _LONGEST_TEXT, time.monotonic() + SILENCE)
                if kind == _COME:
                    return link
                if kind == _FAILED:
                    raise UserError(text.decode())
                raise ValueError(_NO_PEER)
            except (OSError, ValueError) as error:
                if link is not None:
                    link.close()
                waited = time.monotonic() - start
                if waited > joining:
                    raise UserError(
                        f"{self.cluster.name(0)} did not answer within {joining:.0f} seconds: "
                        f"{why(error)}"
                    ) from None
                if waited > PATIENCE and not said_so:
                    said_so = True
                    line = f"Waiting for {self.cluster.name(0)}: {why(error)}."
                    print(f"{self.name}: {line}", file=sys.stderr, flush=True)
            time.sleep(0.2)

    # --- Signs of life ---------------------------------------------------------------------------

    def _beat(self, number: int) -> None:
        with self._blaming(number):
            while not self._closed.wait(BEAT):
                self._links[number].send(_ALIVE)

    def _hear(self, number: int) -> None:
        link = self._links[number]
        link.silent_after(SILENCE)
        with contextlib.closing(link), self._blaming(number):
            while True:
                # What the chief shares may be long.
                kind, value = link.receive(_LONGEST_TEXT if self.cluster.is_chief else None)
                if kind == _SHARED:
                    self._shared.put(value)
                elif kind == _DONE:
                    if number == 0:
                        self._closed.set()
                        self._chief_is_done.set()
                        self._shared.put(None)
                    return
                elif kind in (_LOST, _FAILED):
                    self._end(value.decode("utf-8", "replace"), lost=kind == _LOST)

    @contextlib.contextmanager
    def _blaming(self, number: int) -> Any:
        """An error of a connection is the fault of who is at its other end."""
        try:
            yield
        except (OSError, ValueError) as error:
            silent = isinstance(error, BlockingIOError | TimeoutError)
            how = f"silent for {SILENCE:.0f} seconds" if silent else "its connection is closed"
            self._end(f"{self.cluster.name(number)} is gone ({how})", lost=True)

    def _end(self, fault: str, lost: bool) -> None:
        """Says who is missing or what is wrong, here and to all, and ends this process."""
        with self._ending:
            if self._closed.is_set() or self._needs_nobody:
                return
            self.close(fault, lost)
            time.sleep(_HEARD)
            with contextlib.suppress(Exception):
                self.cleanup.close()
            # The chief may be in the middle of its progress bar.
            first = "\n" if self.cluster.is_chief and os.isatty(1) else ""
            said = " ".join(fault.split()).removesuffix(".")
            self._leave(f"{first}{self.name}: {said}{self.advice if lost else ''}.\n")


def _leave(line: str) -> None:
    """Ends this process, whatever its other threads wait for."""
    os.write(2, line.encode())
    os._exit(1)


class _Link:
    """A connection on which several threads may send."""

    def __init__(self, link: socket.socket):
        self._link, self._sending = link, threading.Lock()
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _seconds(SILENCE))

    def silent_after(self, seconds: float) -> None:
        """From now on, silence for so long is an error."""
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _seconds(seconds))

    def say_no_more(self) -> None:
        self._link.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._link.close()

    def send(self, kind: int, value: bytes = b"") -> None:
        with self._sending:
            self._link.sendall(_message(kind, value))

    def receive(self, longest: int | None) -> tuple[int, bytes]:
        return _receive(self._link, longest)


def _message(kind: int, value: bytes) -> bytes:
    return _HEAD.pack(kind, len(value)) + value


def _is_closed(link: socket.socket) -> bool:
    """Whether the other end is gone; nothing has been sent since its greeting."""
    link.settimeout(0)
    try:
        return not link.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _seconds(count: float) -> bytes:
    return struct.pack("ll", int(count), 0)


def _receive(
    link: socket.socket, longest: int | None = None, deadline: float | None = None
) -> tuple[int, bytes]:
    """The next message: its kind and what it holds.

    Raises:
        ValueError: there is none, or it is longer than told.
        TimeoutError: it is not there in time.
    """
    kind, length = _HEAD.unpack(_exactly(link, _HEAD.size, deadline))
    if longest is not None and length > longest:
        raise ValueError(_NO_PEER)
    return kind, _exactly(link, length, deadline)


def _exactly(link: socket.socket, count: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        if deadline is not None:
            link.settimeout(max(1e-3, deadline - time.monotonic()))
        part = link.recv(min(count - len(parts), 2**20))
        if not part:
            raise ValueError("its connection is closed")
        parts += part
    return bytes(parts)
