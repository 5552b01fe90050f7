"""Ports of this machine."""

import socket


def free_ports(count):
    """So many at which nobody listens."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports
