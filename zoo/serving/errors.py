"""What goes wrong between a client and a server."""

from __future__ import annotations


class ServerError(RuntimeError):
    """A server has answered that it cannot do what it was asked to.

    Attributes:
        said: the server's own words.
    """

    said = ""


class NoSignature(ServerError, ValueError):  # noqa: N818
    """The model that a server serves has no signature of this name."""


class ServerDown(ConnectionError):  # noqa: N818
    """No server could be reached, or it hung up each time."""


class OutOfTime(ServerDown, TimeoutError):  # noqa: N818
    """No server could be reached, and the time for another attempt is up."""


class Lost(Exception):  # noqa: N818
    """A connection was refused or broke off: worth another attempt."""
