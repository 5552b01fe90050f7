"""Whether a model on a server would answer, and waiting until it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from zoo.serving.deadline import LONGEST_SECONDS, SECONDS_BEFORE_RETRY, Deadline
from zoo.serving.errors import Lost, ServerError
from zoo.serving.messages import AVAILABLE, State

_SILENT = "no answer in time"


class Asked(Protocol):
    """What is asked here of a client."""

    address: str
    label: str | None
    timeout: float

    def asked(self) -> str: ...

    def read_states(self, deadline: Deadline) -> Mapping[int, State]: ...

    def read_signatures(self, deadline: Deadline) -> Any: ...


class GivenUp(str):
    """The states of a model that the server will not try to load again."""


def wait(client: Asked, seconds: float) -> None:
    """Asks again and again.

    Raises:
        TimeoutError: it would not answer after as many seconds.
        ServerError: it failed to load, and the server has given it up.
    """
    deadline, pause, told = Deadline(seconds), SECONDS_BEFORE_RETRY, ""
    while why := problem(client, deadline.within(client.timeout)):
        if why != _SILENT:
            told = why
        elif told:  # the last question may have had no time left
            why = f"{_SILENT}, and before that: {told}"
        if isinstance(why, GivenUp) or not deadline.pause(pause):
            kind = ServerError if isinstance(why, GivenUp) else TimeoutError
            raise kind(
                f"{client.address}: expected {client.asked()} to be {AVAILABLE} within {seconds} "
                f"seconds. Received: {why}. `docker compose logs` shows the server's log"
            )
        pause = min(2 * pause, LONGEST_SECONDS)


def problem(client: Asked, deadline: Deadline) -> str:
    """Why a model would not answer; "" where it would."""
    try:
        states = client.read_states(deadline)
        found = ", ".join(f"version {number} {state}" for number, state in states.items())
        if not any(state.name == AVAILABLE for state in states.values()):
            failed = all(state.name == "END" and state.error for state in states.values())
            return GivenUp(found) if found and failed else found or "no version"
        if client.label is not None:  # of which states say nothing
            client.read_signatures(deadline)
        return ""
    except Lost as lost:
        return f"no server, {lost}"
    except TimeoutError:
        return _SILENT
    except ServerError as error:
        return error.said
