"""From what is asked about to arrays: texts and numbers in whatever Python holds them.

NumPy is all that is needed here.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Characters of a text that a model is asked about, if it is not told otherwise.
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
            f"them. Received: {shown(given)}"
        )
    return as_objects(texts)


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
        kind = "texts of whole characters"
        kind += ": " if spec.rank == 1 else ", in rows of one length: "
        array = _as_bytes(as_texts(given, name) if spec.rank == 1 else _as_array(given, object))
    else:
        kind, array = "", _as_numbers(_as_array(given), spec.dtype)
    if array is not None and spec.shape is not None:
        if array.ndim == 0 and spec.rank == 1:
            array = array[None]
        if array.shape == (0,):  # of a list, which says nothing of further axes
            array = array.reshape([0, *(size or 0 for size in spec.shape[1:])])
    if array is None or not spec.fits(array.shape):
        raise ValueError(f"{name}: expected {kind}{spec}. Received: {shown(given)}")
    return array


def is_single(value: object) -> bool:
    """Whether a value is one text or number, and no batch of them."""
    return (
        isinstance(value, str | bytes)
        or getattr(value, "ndim", 0 if np.isscalar(value) else 1) == 0
    )


def spread(arrays: dict[str, np.ndarray], single: set[str]) -> dict[str, np.ndarray]:
    """Inputs with as many rows each; those that were given as a single value have it in every row.

    Raises:
        ValueError: others have different numbers of rows.

    Example:
        >>> given = {"prompt": np.array(["a", "b"]), "seed": np.array([7])}
        >>> spread(given, {"seed"})["seed"].tolist()
        [7, 7]
    """
    rows = {name: len(array) for name, array in arrays.items() if array.ndim and name not in single}
    if len({*rows.values()}) > 1:
        raise ValueError(
            f"expected inputs with as many rows each. Received: {dict(sorted(rows.items()))}"
        )
    count = next(iter(rows.values()), 1)
    return {
        name: np.repeat(array, count, axis=0) if name in single and array.ndim else array
        for name, array in arrays.items()
    }


def check_characters(name: str, array: np.ndarray, most: int) -> None:
    """Looks at how long texts are.

    Args:
        name: of the input.
        array: bytes, `[batch]`, or of words `[batch, words]`, which count together.
        most: characters that a text may have.

    Raises:
        ValueError: a text has more.
    """
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


def as_objects(values: list) -> np.ndarray:
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
    return as_objects(texts).reshape(array.shape) if known else None


def _as_numbers(array: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    if array.dtype.kind not in "biuf":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(dtype)
    return converted if dtype.kind == "f" or np.array_equal(converted, array) else None


def shown(value: object) -> str:
    """A value as it would be typed, in one line, and cut where it is long."""
    return " ".join(_SHORT.repr(value).split())
