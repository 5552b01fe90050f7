"""A model on a server: attempts, parts and deadlines of a question, whatever carries it."""

from __future__ import annotations

import abc
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from zoo.batches import joined
from zoo.inputs import Spec
from zoo.predictor import Predictor, Signature
from zoo.serving import readiness
from zoo.serving.deadline import LONGEST_SECONDS, SECONDS_BEFORE_RETRY, Deadline
from zoo.serving.errors import Lost, NoSignature, OutOfTime, ServerDown, ServerError
from zoo.serving.messages import State
from zoo.serving.splitting import parts

_T = TypeVar("_T")


@dataclass(frozen=True)
class Target:
    """A model on a server and how it is asked, in the words of `connect`."""

    address: str
    name: str
    version: int | None
    label: str | None
    timeout: float
    retries: int
    max_batch_size: int
    max_characters: int | None


class Client(Predictor):
    """A model on a server, as `connect` makes it; it may be asked from several threads.

    Attributes:
        address: of the server.
        name, version, label: of the model; version and label are None for the newest version.
        timeout: seconds of a question.
        max_characters: most characters of a text, checked before anything is sent.
    """

    _no_signature = NoSignature

    def __init__(self, target: Target):
        self._target, self._asking, self._closed = target, _Asking(), False
        self.address, self.name = target.address, target.name
        self.version, self.label, self.timeout = target.version, target.label, target.timeout
        self.max_characters = target.max_characters
        self._signatures: Mapping[str, Signature] | None = None

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The questions that the model answers, by name; the server is asked for them once.

        Raises:
            ServerError, ServerDown, TimeoutError: as `ask` raises them.
        """
        question = self._asking.question or _Question()
        known = question.signatures or self._signatures
        if known is None:
            known = self._retrying(self.read_signatures, question.deadline(self.timeout))
            self._signatures = known
        question.signatures = known
        return known

    def ask(self, signature: str, inputs: Mapping[str, object] | object) -> dict[str, np.ndarray]:
        """Asks a signature, as all predictors are asked.

        Args:
            signature: its name, one of `signatures`.
            inputs: by name, each a tensor, an array, a list or a generator, with the batch as first
                axis. Texts are `str`, or `bytes` that need not be UTF-8.

        Returns:
            The signature's outputs by name, with the dtypes and ranks that the model has; texts are
            `str`. They do not depend on whether the question was sent in parts.

        Raises:
            ServerError: there is no such model, version, label or signature, or it failed.
            ServerDown: no server could be reached; as `OutOfTime`, which is a TimeoutError too,
                where `timeout` left no time for further attempts.
            TimeoutError: the answer was not there within `timeout`.
            ValueError: there is no such signature, or its inputs are other ones, or an input cannot
                be made what the signature takes without loss, or a text has more than
                `max_characters`.
        """
        before, self._asking.question = self._asking.question, _Question()
        try:
            return super().ask(signature, inputs)
        except ServerError:
            # The server may have gone on to a version with other signatures.
            self._signatures = None
            raise
        finally:
            self._asking.question = before

    def close(self) -> None:
        """Closes what is open to the server; nothing can be asked afterwards.

        A client is a context manager too, which closes it at its end.
        """
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def states(self) -> dict[int, State]:
        """The state of each version that the server knows, or of the one that was connected to.

        Raises:
            ServerError, ServerDown, TimeoutError: as `ask` raises them.
        """
        return self._retrying(self.read_states, Deadline(self.timeout))

    def ready(self) -> bool:
        """Whether the model, in its version or under its label, would answer now."""
        return not readiness.problem(self, Deadline(self.timeout))

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Waits for a server to start and to load the model.

        Raises:
            TimeoutError: it was not there after as many seconds; says what state it is in.
            ServerError: it failed to load, and the server has given it up.
        """
        readiness.wait(self, seconds)

    @property
    def _place(self) -> str:
        return f"{self.address}, {self.name!r}"

    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self.signatures[signature].outputs
        deadline = (self._asking.question or _Question()).deadline(self.timeout)

        def answer(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return self._retrying(
                lambda left: self._predict(signature, part, outputs, left), deadline
            )

        return joined([answer(one) for one in parts(inputs, self._target.max_batch_size)])

    @abc.abstractmethod
    def read_signatures(self, deadline: Deadline) -> dict[str, Signature]:
        """What the server says that the model answers."""

    @abc.abstractmethod
    def read_states(self, deadline: Deadline) -> dict[int, State]:
        """What the server says of the model's versions. It passes over labels."""

    @abc.abstractmethod
    def _predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: dict[str, Spec],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        """What the server answers, in the types of `outputs`."""

    def _retrying(self, question: Callable[[Deadline], _T], deadline: Deadline) -> _T:
        pause = SECONDS_BEFORE_RETRY
        for attempt in itertools.count(1):
            try:
                return question(deadline)
            except Lost as lost:
                last = attempt > self._target.retries
                if last or not deadline.pause(pause):
                    kind = ServerDown if last else OutOfTime
                    raise kind(
                        f"{self.address}: expected TensorFlow Serving to answer within "
                        f"{deadline.seconds} seconds. Received, in {attempt} attempts: {lost}. "
                        "Start it: `docker compose up`; REST has port 8501, gRPC port 8500"
                    ) from lost
            pause = min(2 * pause, LONGEST_SECONDS)
        raise AssertionError("the loop has no end")

    def asked(self, signature: str | None = None) -> str:
        """What a question is about, for messages."""
        asked = [repr(self.name)]
        asked += [f"version {self.version}"] if self.version is not None else []
        asked += [f"label {self.label!r}"] if self.label is not None else []
        asked += [f"signature {signature!r}"] if signature is not None else []
        return ", ".join(asked)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(
                f"{self.address}: expected a client that is open. Received: one that was closed. "
                "Connect again"
            )

    def _error(self, said: str, signature: str | None = None) -> ServerError:
        error = ServerError(
            f"{self.address}: asked for {self.asked(signature)}, the server said: {said}. Check "
            "the model's name, its version and the inputs; `docker compose logs` shows the "
            "server's log"
        )
        error.said = said
        return error

    def _too_late(self, deadline: Deadline) -> TimeoutError:
        return TimeoutError(
            f"{self.address}: expected an answer within {deadline.seconds} seconds, it was not "
            "there. Ask with fewer texts at once, or connect with a larger `timeout`"
        )


class _Question:
    """What is settled once for all that is sent for a question: until when it must be answered,
    from when the first of it is sent, and which signatures the model has."""

    signatures: Mapping[str, Signature] | None = None
    _deadline: Deadline | None = None

    def deadline(self, seconds: float) -> Deadline:
        if self._deadline is None:
            self._deadline = Deadline(seconds)
        return self._deadline


class _Asking(threading.local):
    """The question that a thread is asking."""

    question: _Question | None = None
