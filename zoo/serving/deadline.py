"""The moment by which a question is to be answered."""

from __future__ import annotations

import time

# Pauses between attempts grow from one to the other.
SECONDS_BEFORE_RETRY, LONGEST_SECONDS = 0.2, 2.0
# What sockets and gRPC take for a time-out.
_LONGEST = 1e6
# Less is not worth another attempt.
_SHORTEST = 0.02


class Deadline:
    """Counts from when it is made, whatever the time is spent on.

    Attributes:
        seconds: that it gives.

    Example:
        >>> Deadline(60.0).left() <= 60
        True
        >>> Deadline(0.0).left()
        Traceback (most recent call last):
        ...
        TimeoutError: the time is up
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, for the next step.

        Raises:
            TimeoutError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(left, _LONGEST)

    def pause(self, seconds: float) -> bool:
        """Sleeps, but no longer than half of what is left, so that there is time to ask again.

        Returns:
            Whether there is; where there is hardly any left, at once.
        """
        left = self._end - time.monotonic()
        if left < _SHORTEST:
            return False
        time.sleep(min(seconds, left / 2))
        return True

    def within(self, seconds: float) -> Deadline:
        """A deadline for a part, in as many seconds, or with this one where that is sooner."""
        return Deadline(min(seconds, self._end - time.monotonic()))
