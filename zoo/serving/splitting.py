"""Questions that are larger than what a server takes at once: parts of them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# The server's `max_batch_size`, as `python -m zoo serve-config` writes it.
MAX_BATCH_SIZE = 256


def parts(inputs: Mapping[str, np.ndarray], most: int) -> list[dict[str, np.ndarray]]:
    """The inputs cut along the batch.

    Args:
        inputs: by name, `[batch, ...]`.
        most: rows of a part.

    Returns:
        The parts in order, at least one. What is not larger than `most` is returned as it is.

    Raises:
        ValueError: there is more than one part, and not all inputs have the batch as first axis.

    Example:
        >>> [part["n"].tolist() for part in parts({"n": np.arange(5)}, 2)]
        [[0, 1], [2, 3], [4]]
    """
    rows = max((len(array) for array in inputs.values() if array.ndim), default=0)
    if rows <= most:
        return [dict(inputs)]
    others = {name: array.shape for name, array in inputs.items() if array.shape[:1] != (rows,)}
    if others:
        raise ValueError(
            f"expected all inputs with the batch as first axis, {rows} rows, since more than "
            f"{most} are sent in parts. Received: shapes {others}"
        )
    starts = range(0, rows, most)
    return [{name: array[i : i + most] for name, array in inputs.items()} for i in starts]


def joined(answers: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The answers to parts as the answer to the whole: rows in order, padded to the widest.

    Args:
        answers: outputs by name, `[rows, ...]`, where the parts may differ in further sizes, such
            as that of time.

    Returns:
        Outputs by name, `[batch, ...]`. Padding is 0, False or the empty text, as in the models.

    Raises:
        ValueError: an output has no batch.

    Example:
        >>> joined([{"n": np.array([[1, 2]])}, {"n": np.array([[3]])}])["n"].tolist()
        [[1, 2], [3, 0]]
    """
    if len(answers) == 1:
        return dict(answers[0])
    return {name: _rows([answer[name] for answer in answers], name) for name in answers[0]}


def _rows(arrays: Sequence[np.ndarray], name: str) -> np.ndarray:
    if not all(array.ndim for array in arrays):
        raise ValueError(f"{name}: expected an output with the batch as first axis. Received: none")
    widths = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
    whole = np.zeros([sum(map(len, arrays)), *widths], arrays[0].dtype)
    if whole.dtype.kind == "O":
        whole.fill("")
    start = 0
    for array in arrays:
        place = (slice(start, start + len(array)), *map(slice, array.shape[1:]))
        whole[place] = array
        start += len(array)
    return whole
