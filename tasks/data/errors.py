"""What ends a program in one line: something that the user can put right."""

from __future__ import annotations


class UserError(Exception):
    """An argument, a folder or a model that is not as it must be: what was expected, what was
    received, what to do, in one line."""


class DataError(UserError, ValueError):
    """Data that cannot be read: where, what was expected, what was found, in one line."""


def why(error: Exception) -> str:
    """What the system says of an error of its own; of one without a number, what that says.

    Example:
        >>> why(OSError(28, "No space left on device")), why(OSError("the server is gone"))
        ('No space left on device', 'the server is gone')
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
