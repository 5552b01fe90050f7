"""Servers that hang up, drip, or never listen, on loopback.

with listening(hang_up, forward(address)) as port:  # the first connection fails
    ...
"""

import contextlib
import itertools
import socket
import threading
import urllib.parse


@contextlib.contextmanager
def listening(*handlers):
    """A port on which the first connection is handled by the first handler, and so on; all further
    ones by the last. A handler is called with the connection and an event that is set in the end.
    """
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    opened, threads = [listener], []

    def handle(handler, near):
        with near, contextlib.suppress(OSError):
            handler(near, stop)

    def accept():
        for number in itertools.count():
            try:
                near, _ = listener.accept()
            except OSError:
                return
            opened.append(near)
            handler = handlers[min(number, len(handlers) - 1)]
            threads.append(threading.Thread(target=handle, args=(handler, near), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in (accepting, *threads):
            thread.join(10)


def hang_up(near, stop):
    """Closes the connection at once."""


def silent(near, stop):
    """Reads nothing and says nothing."""
    stop.wait()


def drip(head, drops, seconds=0.1):
    """Answers with `head`, and then without end with `drops`, a byte at a time."""

    def handle(near, stop):
        near.recv(65536)
        near.sendall(head)
        for byte in itertools.cycle(drops):
            if stop.wait(seconds):
                return
            near.sendall(bytes([byte]))

    return handle


def forward(address, seconds=0.0):
    """Passes everything on to a server; its answers, where `seconds` is given, byte by byte."""
    parts = urllib.parse.urlsplit(address)

    def pump(source, sink, stop, seconds):
        with contextlib.suppress(OSError):
            while data := source.recv(1 if seconds else 65536):
                sink.sendall(data)
                if seconds and stop.wait(seconds):
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def handle(near, stop):
        with socket.create_connection((parts.hostname, parts.port)) as far:
            way = threading.Thread(target=pump, args=(near, far, stop, 0), daemon=True)
            way.start()
            pump(far, near, stop, seconds)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)
            way.join(10)

    return handle


def encrypted(context, handler):
    """The handler behind TLS."""

    def handle(near, stop):
        with context.wrap_socket(near, server_side=True) as inner:
            handler(inner, stop)

    return handle
