"""Texts that are read as they come: what a model keeps of each is kept here, and nowhere else.

A signature `stream` takes chunks of texts and what it gave for the chunks before. NumPy is all that
is needed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Protocol, Self

import numpy as np

Answer = dict[str, Any]

SIGNATURE = "stream"
# What is for the next question alone.
_HIDDEN = "state_"
# Rows that there is room for at first.
_FEWEST = 8


class Asked(Protocol):
    """What is asked: a `zoo.predictor.Predictor`."""

    @property
    def signatures(self) -> Mapping[str, Any]: ...

    def ask(
        self, signature: str, inputs: Mapping[str, object] | object
    ) -> dict[str, np.ndarray]: ...


class Sessions:
    """Many texts that one model reads at the same time; all chunks of a call are one question.

    Each text costs what the model keeps of it: a row of numbers, and the bytes that wait.

    Args:
        model: with a signature `stream`: in memory, a SavedModel, or on a server.
        timeout: seconds after which a text that nothing more came of is forgotten; None: never.
        clock: gives the seconds of now.

    Raises:
        ValueError: the model has no signature `stream`.

    Example:
        >>> import zoo
        >>> calls = Sessions(zoo.load("ner_demo_forward"))
        >>> answers = calls.send({"line 1": "Harry Pot", "line 2": "He said, "})
        >>> answers["line 1"]["tokens"].tolist(), answers["line 2"]["tokens"].tolist()
        (['Harry'], ['He', 'said', ','])
        >>> calls.end(["line 1"])["line 1"]["tokens"].tolist(), list(calls)
        (['Pot'], ['line 2'])
    """

    def __init__(
        self,
        model: Asked,
        timeout: float | None = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        if SIGNATURE not in model.signatures:
            raise ValueError(
                "expected a model of one direction, which has a signature 'stream'. Received: "
                f"{model}, with {sorted(model.signatures)}. A model that looks at the words to "
                "come cannot answer before they are there: train taggers and classifiers with "
                "--nobidirectional, translators never do; one that was saved before there were "
                "streams gets the signature from `python -m zoo resave`"
            )
        inputs = model.signatures[SIGNATURE].inputs
        if "text" not in inputs:
            raise ValueError(
                f"expected a model of texts. Received: {model}, whose signature {SIGNATURE!r} "
                f"takes {sorted(inputs)}: ask that"
            )
        if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
            raise ValueError(f"expected timeout > 0, in seconds, or None. Received: {timeout!r}")
        self._model, self._timeout, self._clock = model, timeout, clock
        signature = model.signatures[SIGNATURE]
        specs = {n: s for n, s in signature.inputs.items() if n in signature.outputs}
        self._of_tokens = {
            n
            for n, s in signature.outputs.items()
            if s.shape is not None and s.shape[1:] == (None,)
        }
        self._kept = {
            name: np.full([0, *(spec.shape or (None,))[1:]], _nothing(spec.dtype), spec.dtype)
            for name, spec in specs.items()
        }
        self._rows: dict[Hashable, int] = {}
        self._used: dict[Hashable, float] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._rows))

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    @property
    def nbytes(self) -> int:
        """What is kept of all texts, in bytes, but for the characters that wait."""
        return sum(values.nbytes for values in self._kept.values())

    def send(
        self, chunks: Mapping[Hashable, str | bytes], last: bool = False
    ) -> dict[Hashable, Answer]:
        """Reads on.

        Args:
            chunks: by any name for a text, what has come of it, cut anywhere; a name that is not
                known is a new text, and so is one that was forgotten.
            last: whether these texts end here; their names are free then.

        Returns:
            By name, what the model says of what it could read: the outputs of its signature,
            without the axis of the batch, and of tokens as many as there are.

        Raises:
            ValueError, ServerError, TimeoutError: as the model's `ask` raises them; what is kept is
                as it was before.
        """
        if not isinstance(chunks, Mapping):
            raise ValueError(
                "expected chunks of texts by their names, such as {'line 1': 'He said, '}. "
                f"Received: {chunks!r}"
            )
        self.forget_idle()
        if not chunks:
            return {}
        names = list(chunks)
        known = np.array([name in self._rows for name in names])
        rows = np.array([self._rows.get(name, 0) for name in names])
        kept = {name: _chosen(values, rows, known) for name, values in self._kept.items()}
        asked = {"text": list(chunks.values()), "last": np.full(len(names), last), **kept}
        answer = self._model.ask(SIGNATURE, asked)
        if last:
            for name in names:
                self.forget(name)
        else:
            rows = np.array([self._row(name) for name in names])
            for name, values in self._kept.items():
                values[rows] = answer[name]
            self._used.update(dict.fromkeys(names, self._clock()))
        return {name: self._row_of(answer, i) for i, name in enumerate(names)}

    def end(self, names: Iterable[Hashable]) -> dict[Hashable, Answer]:
        """Ends texts; returns what `send` does, for what had to wait until now.

        Args:
            names: of the texts; of one that is not known, nothing waits, and nothing is said.

        Raises:
            ValueError: `names` is one name in place of several, as in `end("line 1")`.
        """
        if isinstance(names, str | bytes):
            raise ValueError(f"expected names, such as [{names!r}]. Received: {names!r}")
        return self.send(dict.fromkeys(names, ""), last=True)

    def forget(self, name: Hashable) -> None:
        """Drops what is kept of a text, if anything is."""
        row = self._rows.pop(name, None)
        if row is not None:
            del self._used[name]
            self._free.append(row)
            for values in self._kept.values():
                values[row] = _nothing(values.dtype)

    def forget_idle(self) -> None:
        """Drops texts of which nothing came for longer than `timeout`; `send` does so too."""
        if self._timeout is not None:
            latest = self._clock() - self._timeout
            for name in [name for name, used in self._used.items() if used < latest]:
                self.forget(name)

    def _row_of(self, answer: Mapping[str, np.ndarray], row: int) -> Answer:
        """What is said of one text: of each of its tokens, as many as it has."""
        count = answer["lengths"][row] if "lengths" in answer else None
        return {
            name: values[row][:count] if name in self._of_tokens else values[row]
            for name, values in answer.items()
            if name != "lengths" and not name.startswith(_HIDDEN)
        }

    def _row(self, name: Hashable) -> int:
        if name not in self._rows:
            if not self._free:
                size = len(self._rows)
                self._free = list(range(max(2 * size, _FEWEST)))[size:]
                self._kept = {
                    name: np.concatenate([v, _zeros(v, len(self._free))])
                    for name, v in self._kept.items()
                }
            self._rows[name] = self._free.pop()
        return self._rows[name]


class Session:
    """One text that is read as it comes.

    Args:
        model: as in `Sessions`.

    Example:
        >>> import zoo
        >>> with zoo.session("ner_demo_forward") as session:
        ...     session.send("He said, Ted")["tokens"].tolist()
        ...     session.send("dy ")["tokens"].tolist()
        ['He', 'said', ',']
        ['Teddy']
    """

    def __init__(self, model: Asked):
        self._sessions = Sessions(model, timeout=None)

    def send(self, text: str | bytes) -> Answer:
        """What the model says of what it can read now, see `Sessions.send`."""
        return self._sessions.send({None: text})[None]

    def end(self) -> Answer:
        """What it says of what had to wait until now; what is sent next is a new text."""
        return self._sessions.end([None])[None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._sessions.forget(None)


def _nothing(dtype: np.dtype) -> Any:
    return b"" if dtype.kind == "O" else 0


def _zeros(like: np.ndarray, rows: int) -> np.ndarray:
    return np.full([rows, *like.shape[1:]], _nothing(like.dtype), like.dtype)


def _chosen(values: np.ndarray, rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Rows of what is kept; nothing where they are not known."""
    found = _zeros(values, len(rows))
    found[known] = values[rows[known]]
    return found
