"""Questions that are larger than what a server takes at once: parts of them."""

from __future__ import annotations

from collections.abc import Mapping

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
