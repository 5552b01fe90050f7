"""Questions of many texts, in batches of like length: what is padded costs time and memory.

NumPy is all that is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Arrays = dict[str, np.ndarray]

# Most texts of a batch and, where it has more than one, most bytes with their padding.
_MOST_TEXTS, _MOST_BYTES = 256, 2**16
# The shortest text of a batch has at least a third of the longest one's length, or lacks no more
# than this many bytes of it: one batch more would cost more than the padding.
_SHARE, _SHORT = 3, 128


def lengths_of(inputs: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """How long the texts of a question are: their bytes, or those of their words.

    Args:
        inputs: by name, `[batch, ...]`; texts and words are arrays of bytes.

    Returns:
        `[batch]`; None where there are no texts, or inputs of different batches.
    """
    texts = [array for array in inputs.values() if array.dtype.kind == "O"]
    batch = {array.shape[:1] for array in inputs.values()}
    if not texts or len(batch) != 1 or () in batch:
        return None
    size = np.frompyfunc(len, 1, 1)
    sizes = [size(array.reshape([len(array), -1])).sum(axis=1) for array in texts if array.size]
    return np.sum(sizes, axis=0).astype(np.int64) if sizes else np.zeros(len(texts[0]), np.int64)


def by_length(lengths: np.ndarray) -> list[np.ndarray]:
    """Batches of texts of like length: the numbers of the texts of each, ascending.

    Example:
        >>> [batch.tolist() for batch in by_length(np.array([9, 5000, 7, 0]))]
        [[1], [0, 2, 3]]
    """
    order, batches = np.argsort(-lengths, kind="stable"), []
    while len(order):
        longest = int(lengths[order[0]])
        least = min(longest // _SHARE, longest - _SHORT)
        like = int(np.searchsorted(-lengths[order], -least, side="right"))
        fitting = min(_MOST_TEXTS, max(1, _MOST_BYTES // max(1, longest)))
        batches.append(np.sort(order[: min(like, fitting)]))
        order = order[min(like, fitting) :]
    return batches


def part(inputs: Mapping[str, np.ndarray], numbers: np.ndarray) -> Arrays:
    """The rows of a batch; of rows of words, as many columns as one of them has words.

    An input `lengths` `[batch]` says how many words of each row are real.
    """
    rows = {name: array[numbers] for name, array in inputs.items()}
    if "lengths" not in rows or rows["lengths"].ndim != 1:
        return rows
    longest = max(0, int(rows["lengths"].max(initial=0)))
    words = {n: a[:, :longest] for n, a in rows.items() if a.dtype.kind == "O" and a.ndim == 2}
    return rows | words


def joined(
    answers: Sequence[Mapping[str, np.ndarray]], batches: Sequence[np.ndarray] | None = None
) -> Arrays:
    """The answers to batches as the answer to all texts: in their order, padded to the widest.

    Args:
        answers: outputs by name, `[rows, ...]`; they may differ in further sizes, such as time.
        batches: the numbers of the rows of each answer; by default they follow each other, and a
            single answer is the whole.

    Returns:
        Outputs by name, `[texts, ...]`. Padding is 0, False or the empty text, as in the models.

    Raises:
        ValueError: an output has no batch.

    Example:
        >>> answers = [{"n": np.array([[1, 2]])}, {"n": np.array([[3]])}]
        >>> joined(answers)["n"].tolist()
        [[1, 2], [3, 0]]
        >>> joined(answers, [np.array([1]), np.array([0])])["n"].tolist()
        [[3, 0], [1, 2]]
    """
    if batches is None and len(answers) == 1:
        return dict(answers[0])
    whole = dict[str, np.ndarray]()
    for name in answers[0]:
        arrays = [answer[name] for answer in answers]
        if not all(array.ndim for array in arrays):
            raise ValueError(
                f"{name}: expected an output with the batch as first axis. Received: none"
            )
        count = sum(map(len, arrays))
        widths = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
        empty = "" if arrays[0].dtype.kind == "O" else 0
        whole[name] = np.full([count, *widths], empty, arrays[0].dtype)
        ends = np.cumsum([len(array) for array in arrays])[:-1]
        places_of = np.split(np.arange(count), ends) if batches is None else batches
        for numbers, array in zip(places_of, arrays, strict=True):
            places: tuple = (numbers, *map(slice, array.shape[1:]))
            whole[name][places] = array
    return whole
