"""HTTP connections that end with a deadline, however slowly a server drips.

The time-out of a socket counts single reads: a server that sends a byte now and then resets it each
time. Here each look-up, connection, handshake, write and read gets the time that is left.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
import threading
from typing import Any

from zoo.serving.deadline import Deadline

_BUFFER = 65536


class Connection(http.client.HTTPConnection):
    """An HTTP connection of which all steps together end with a deadline.

    Args:
        host: a name or an address.
        port: of the host; by default that of HTTP or HTTPS.
        context: of TLS; None for plain HTTP.
        deadline: for all that is done with the connection.
    """

    def __init__(
        self, host: str, port: int | None, context: ssl.SSLContext | None, deadline: Deadline
    ):
        if context is not None:
            self.default_port = http.client.HTTPS_PORT
        super().__init__(host, port)
        self._tls, self._deadline = context, deadline

    def connect(self) -> None:
        sock = _connected(self.host, self.port, self._deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                # The handshake, of several reads, ends with the time-out of the socket.
                sock.settimeout(self._deadline.left())
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        self.sock: Any = _Socket(sock, self._deadline)


class _Socket:
    """Of a socket what `http.client` uses."""

    def __init__(self, sock: socket.socket, deadline: Deadline):
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._deadline.left())
            rest = rest[self._sock.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self._sock, self._deadline), _BUFFER)

    def close(self) -> None:
        self._sock.close()


class _Reads(io.RawIOBase):
    """What a socket receives."""

    def __init__(self, sock: socket.socket, deadline: Deadline):
        super().__init__()
        self._sock, self._deadline = sock, deadline
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open until it is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A socket that is connected to the first address of a host that takes it."""
    refused: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in _addresses(host, port, deadline):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.left())
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            refused = error
    raise refused


def _addresses(host: str, port: int, deadline: Deadline) -> list[tuple]:
    """What `socket.getaddrinfo` finds, which takes no time-out of its own: it waits in a thread."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        look_up()
    if not found:
        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(deadline.left())
    if not found:
        raise TimeoutError(f"{host} was not found in time")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]
