"""What answers to texts: a SavedModel, a model in memory, or a model on a server.

All are asked in the same way and refuse the same questions in the same words. NumPy is all that is
needed here.
"""

from __future__ import annotations

import abc
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import batches

# Characters of a text that a model in this process is asked about, if it is not told otherwise.
MAX_CHARACTERS = 1_000_000

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


@dataclass(frozen=True)
class Spec:
    """Type and shape of a tensor.

    Attributes:
        dtype: `object` for texts.
        shape: with None for a size that is not known; None where not even the rank is known.

    Example:
        >>> str(Spec(np.dtype(object), (None, 3)))
        'string[?, 3]'
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be meant."""
        if self.shape is None:
            return True
        pairs = zip(self.shape, shape, strict=False)
        return len(shape) == len(self.shape) and all(size in (None, n) for size, n in pairs)

    def __str__(self) -> str:
        name = "string" if self.dtype.kind == "O" else self.dtype.name
        shape = ("...",) if self.shape is None else self.shape
        return f"{name}[{', '.join('?' if size is None else str(size) for size in shape)}]"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a question that a model answers, by name."""

    inputs: dict[str, Spec]
    outputs: dict[str, Spec]


class Predictor(abc.ABC):
    """A model that takes texts and gives a dict of arrays, wherever it runs.

    Attributes:
        max_characters: most characters of a text, or of the words of a sentence, that may be asked
            about; None for any number. Time and memory grow with them.
    """

    max_characters: int | None = None
    # What is raised where a model has no such signature.
    _no_signature: type[ValueError] = ValueError
    # Whether questions are asked in batches of like length.
    _by_length = False

    @property
    @abc.abstractmethod
    def signatures(self) -> Mapping[str, Signature]:
        """The questions that the model answers, by name."""

    @property
    @abc.abstractmethod
    def _place(self) -> str:
        """Where the model is, for messages."""

    @abc.abstractmethod
    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs for inputs that fit; texts are arrays of bytes, and may be so in outputs."""

    def __call__(self, texts: object) -> dict[str, np.ndarray]:
        """The answers of `serving_default` for a text or several.

        Args:
            texts: whatever `as_texts` takes.

        Returns:
            Arrays by name, with the batch as first axis: `[batch]`, `[batch, time]`. What is said
            of each token is padded to the longest text of the question; `lengths` `[batch]` says
            how many tokens are real.

        Raises:
            ValueError: there are no texts in `texts`, or a text has more than `max_characters`.
        """
        return self.ask("serving_default", {"text": texts})

    def entities(self, texts: object) -> list:
        """The names that a tagger finds: of one text a list of `zoo.predictions.Entity`, of several
        a list of such lists.

        Raises:
            ValueError: there are no texts in `texts`, or the model finds no names.
        """
        from zoo.predictions import entities

        found = entities(self.ask("entities", {"text": texts}))
        return found[0] if isinstance(texts, str | bytes) else found

    def ask(self, signature: str, inputs: Mapping[str, object]) -> dict[str, np.ndarray]:
        """Asks a signature.

        Args:
            signature: its name, one of `signatures`.
            inputs: by name, each a tensor, an array, a list or a generator, with the batch as first
                axis. Texts are `str`, or `bytes` that need not be UTF-8.

        Returns:
            The signature's outputs by name; texts are `str`. A model that is in this process is
            asked in batches of texts of like length, and the answer is put together as if it had
            been asked at once.

        Raises:
            ValueError: there is no such signature, or its inputs are other ones, or an input cannot
                be made what the signature takes without loss, or a text has more than
                `max_characters`.
        """
        known = self.signatures
        if signature not in known:
            raise self._no_signature(
                f"{self._place}: signature {signature!r}: expected one of the signatures "
                f"{sorted(known)}. Received: {signature!r}"
            )
        specs = known[signature]
        by_name = isinstance(inputs, Mapping)
        if not by_name or inputs.keys() != specs.inputs.keys():
            received = sorted(inputs) if by_name else _shown(inputs)
            raise ValueError(
                f"{signature}: expected inputs {sorted(specs.inputs)}. Received: {received}"
            )
        arrays = {name: as_input(name, inputs[name], spec) for name, spec in specs.inputs.items()}
        for name, array in arrays.items():
            if array.dtype.kind == "O" and array.ndim and self.max_characters is not None:
                _check_characters(name, array, self.max_characters)
        lengths = batches.lengths_of(arrays) if self._by_length else None
        numbers = [] if lengths is None else batches.by_length(lengths)
        if len(numbers) < 2:
            return self._answer(signature, arrays)
        answers = []
        for some in numbers:
            answers.append(self._answer(signature, batches.part(arrays, some)))
            if any(value.shape[:1] != some.shape for value in answers[-1].values()):
                # Not all of its outputs have the batch as first axis.
                return self._answer(signature, arrays)
        return batches.joined(answers, numbers)

    def _answer(self, signature: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        specs = self.signatures[signature].outputs
        outputs = _without_company(self._run(signature, arrays), specs)
        return {name: _readable(values) for name, values in outputs.items()}


# --- What goes in --------------------------------------------------------------------------------


def as_texts(value: object, name: str = "text") -> np.ndarray:
    """Texts as an array of `str` and `bytes`, as they were given.

    Args:
        value: `str`, `bytes`, or a list, tuple, array, tensor, generator or other flat iterable of
            them.
        name: of the input, for the message.

    Returns:
        Objects `[texts]`.

    Raises:
        ValueError: `value` is anything else.

    Example:
        >>> as_texts("a text").tolist()
        ['a text']
        >>> as_texts(word for word in (b"a", "text")).tolist()
        [b'a', 'text']
    """
    given = _collected(value)
    texts = given.tolist() if isinstance(given, np.ndarray) and given.ndim < 2 else given
    texts = [_without_axes(text) for text in (texts if isinstance(texts, list) else [texts])]
    if not all(isinstance(text, str | bytes) for text in texts):
        raise ValueError(
            f"{name}: expected texts: str or bytes, or a flat list, array, tensor or generator of "
            f"them. Received: {_shown(given)}"
        )
    return _objects(texts)


def as_input(name: str, value: object, spec: Spec) -> np.ndarray:
    """An array that fits an input of a signature; texts as bytes.

    Args:
        name: of the input.
        value: a tensor, an array, a list or a generator; a single text or number for an input
            `[batch]` is a batch of one.
        spec: what the signature takes.

    Returns:
        An array of the type and rank of `spec`.

    Raises:
        ValueError: the value cannot be converted without loss. Numbers of higher precision are
            rounded to that of the input.

    Example:
        >>> as_input("lengths", (n for n in (2, 3)), Spec(np.dtype("int32"), (None,)))
        array([2, 3], dtype=int32)
    """
    given = _collected(value)
    if spec.dtype.kind == "O":
        kind = "texts of whole characters, in rows of one length: "
        array = _as_bytes(as_texts(given, name) if spec.rank == 1 else _as_array(given, object))
    else:
        kind, array = "", _as_numbers(_as_array(given), spec.dtype)
    if array is not None and spec.shape is not None:
        if array.ndim == 0 and spec.rank == 1:
            array = array[None]
        if array.shape == (0,):  # of a list, which says nothing of further axes
            array = array.reshape([0, *(size or 0 for size in spec.shape[1:])])
    if array is None or not spec.fits(array.shape):
        raise ValueError(f"{name}: expected {kind}{spec}. Received: {_shown(given)}")
    return array


def _check_characters(name: str, array: np.ndarray, most: int) -> None:
    for number, row in enumerate(array.reshape([len(array), -1]) if array.size else (), start=1):
        if sum(map(len, row)) <= most:  # there are no more characters than bytes
            continue
        count = sum(len(text.decode("utf-8", "replace")) for text in row)
        if count > most:
            raise ValueError(
                f"{name}: expected texts of at most {most:,} characters. Received: {count:,} in "
                f"text number {number} of {len(array)}. Cut it, or set max_characters: to a larger "
                "number, or to None for texts of any length"
            )


def _collected(value: Any) -> Any:
    """Tensors as arrays; generators and other flat iterables as lists; all else as it is."""
    if hasattr(value, "numpy"):
        value = value.numpy()
    flat = isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1
    known = isinstance(value, str | bytes | list | np.ndarray | Mapping)
    return list(value) if flat and not known else value


def _without_axes(value: Any) -> Any:
    """What an array or tensor without axes holds; all else as it is."""
    value = _collected(value) if hasattr(value, "numpy") else value
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _as_array(value: object, dtype: type | None = None) -> np.ndarray:
    """An array of nested lists; of None, where their rows differ in length."""
    try:
        return np.array(value, dtype)
    except ValueError:
        return np.array(None, object)


def _objects(values: list) -> np.ndarray:
    """`[values]`, whatever they are; NumPy alone would look inside of them."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _as_bytes(array: np.ndarray) -> np.ndarray | None:
    try:
        texts = [text.encode() if isinstance(text, str) else text for text in array.ravel()]
    except UnicodeEncodeError:  # half a character, as of a text that was cut in UTF-16
        return None
    known = all(isinstance(text, bytes) for text in texts)
    return _objects(texts).reshape(array.shape) if known else None


def _as_numbers(array: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    if array.dtype.kind not in "biuf":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(dtype)
    return converted if dtype.kind == "f" or np.array_equal(converted, array) else None


def _shown(value: object) -> str:
    """A value as it would be typed, in one line, and cut where it is long."""
    return " ".join(_SHORT.repr(value).split())


# --- What comes out ------------------------------------------------------------------------------


def _without_company(
    outputs: dict[str, np.ndarray], specs: Mapping[str, Spec]
) -> dict[str, np.ndarray]:
    """Without the steps that only another client's texts have, which ran in the same batch."""
    counted = next((name for name in ("lengths", "count") if name in outputs), None)
    if counted is None:
        return outputs
    longest = int(np.max(outputs[counted], initial=0))

    def over_time(name: str) -> bool:
        shape = specs[name].shape if name in specs else None
        return outputs[name].ndim > 1 and (shape is None or shape[1] is None)

    return {name: v[:, :longest] if over_time(name) else v for name, v in outputs.items()}


def _readable(values: np.ndarray) -> np.ndarray:
    """Numbers as they are; texts as an array of `str`."""
    if values.dtype.kind != "O":
        return values
    texts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in values.ravel()]
    return _objects(texts).reshape(values.shape)
