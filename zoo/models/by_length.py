"""Rows of unlike length, in groups of like length: time and memory follow what is real.

A batch that is padded to its longest row costs rows × longest. Here, inside the graph, rows are
ordered by their length and read in groups, one after the other. A batch with little padding is read
as it is: for it, the graph has a branch of its own, which costs a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Steps that are read at once, padding included, where they are of more than one row.
STEPS_AT_ONCE = 2**14
# A batch is read as it is if it has no more steps than twice the real ones and so many: reading
# them costs less than another loop over time.
_FEW_STEPS = 2**10
# Else, a group has rows of at least a third of its longest one, and all that are as short as this.
_SHARE, _SHORT = 3, 24


class Group:
    """Some rows of a batch, or all of them.

    Args:
        splits: where each row of the batch begins and ends among the steps of all rows, int64
            `[batch + 1]`; None where rows have no steps of their own.
        longest: length of the longest of the group's rows, a scalar, int64.
        numbers: of the group's rows, int32 `[rows]`; None for all of them, in their order.

    Attributes:
        longest: as given.

    Example:
        >>> splits = tf.constant([0, 2, 2, 5], tf.int64)
        >>> group = Group(splits, tf.constant(3, tf.int64), numbers=tf.constant([2, 0]))
        >>> group.padded(tf.constant([5, 6, 7, 8, 9])).numpy().tolist()
        [[7, 8, 9], [5, 6, 0]]
    """

    def __init__(
        self, splits: tf.Tensor | None, longest: tf.Tensor, numbers: tf.Tensor | None = None
    ):
        self.longest = longest
        self._splits, self._numbers = splits, numbers
        self._places: Any = None
        if splits is not None and numbers is not None:
            # What tf.gather does with a ragged tensor, without its checks.
            (self._splits,), self._places = tf.raw_ops.RaggedGather(
                params_nested_splits=[splits],
                params_dense_values=tf.range(splits[-1]),
                indices=numbers,
                OUTPUT_RAGGED_RANK=1,
            )

    def of(self, values: tf.Tensor) -> tf.Tensor:
        """What the group's rows have of values of all rows: `[batch, ...]` → `[rows, ...]`."""
        return values if self._numbers is None else tf.gather(values, self._numbers)

    def padded(self, values: tf.Tensor) -> tf.Tensor:
        """Numbers of all steps of all rows, `[steps of all rows]`, as `[rows, longest]`; 0 where
        there is padding."""
        return tf.raw_ops.RaggedTensorToTensor(
            shape=[-1, -1],
            values=values if self._places is None else tf.gather(values, self._places),
            default_value=tf.zeros([], values.dtype),
            row_partition_tensors=[self._splits],
            row_partition_types=["ROW_SPLITS"],
        )

    def put(self, whole: tf.Tensor, part: tf.Tensor, of_steps: bool) -> tf.Tensor:
        """The answers of the whole batch with those of the group in their places."""
        places: Any = self._places if of_steps else self._numbers
        return tf.tensor_scatter_nd_update(whole, places[:, None], part)


def in_groups(
    lengths: tf.Tensor,
    answer: Callable[[Group], Sequence[tf.Tensor]],
    of_rows: Sequence[tf.Tensor] = (),
    of_steps: Sequence[tf.Tensor] = (),
    splits: tf.Tensor | None = None,
    most_rows: int = STEPS_AT_ONCE,
    at_once: Callable[[Group], Sequence[tf.Tensor]] | None = None,
    steps_at_once: int = STEPS_AT_ONCE,
) -> list[tf.Tensor]:
    """Reads rows in groups of like length, and puts the answers together in the rows' order.

    Args:
        lengths: of the rows, integers `[batch]`.
        answer: what a group is answered: first a tensor `[rows, ...]` for each one in `of_rows`,
            then a tensor `[steps of these rows, ...]`, without padding, for each in `of_steps`.
        of_rows: zeros of the shape and type of the answers for rows, `[batch, ...]`.
        of_steps: zeros of the shape and type of the answers for steps, `[steps of all rows, ...]`.
        splits: where rows begin and end among the steps of all, int64 `[batch + 1]`; for
            `Group.padded` and `of_steps`.
        most_rows: of a group.
        at_once: answers a whole batch that has little padding; by default as `answer` does.
        steps_at_once: most steps of such a batch, padding included.

    Returns:
        The answers for rows, then those for steps, of the whole batch.

    Example:
        >>> ragged = tf.ragged.constant([[1, 2], [], [3, 4, 5, 6]])
        >>> def sums(group):
        ...     return [tf.reduce_sum(group.padded(ragged.flat_values), axis=1)]
        >>> (found,) = in_groups(
        ...     ragged.row_lengths(), sums, [tf.zeros([3], tf.int32)], splits=ragged.row_splits
        ... )
        >>> found.numpy().tolist()
        [3, 0, 18]
    """
    lengths = tf.cast(lengths, tf.int64)
    batch, real = tf.size(lengths, tf.int64), tf.reduce_sum(lengths)
    longest = tf.maximum(tf.reduce_max(lengths), 0)  # of no rows, it is the lowest number

    # A function that is not inlined: a branch that is not taken costs one operation.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def one_after_the_other() -> list[tf.Tensor]:
        ordered, order = tf.math.top_k(lengths, tf.size(lengths))

        def turn(start: tf.Tensor, *whole: tf.Tensor) -> tuple[tf.Tensor, ...]:
            longest = ordered[start]
            least = tf.minimum(longest // _SHARE, longest - _SHORT)
            fitting = tf.clip_by_value(STEPS_AT_ONCE // tf.maximum(longest, 1), 1, most_rows)
            end = tf.minimum(tf.math.count_nonzero(ordered >= least), start + fitting)
            group = Group(splits, longest, order[start:end])
            parts = zip(whole, answer(group), strict=True)
            put = [group.put(*pair, of_steps=i >= len(of_rows)) for i, pair in enumerate(parts)]
            return end, *put

        start = (tf.constant(0, tf.int64), *of_rows, *of_steps)
        ended = tf.while_loop(lambda i, *_: i < batch, turn, start, parallel_iterations=1)
        return list(ended[1:])

    most = tf.minimum(2 * real + _FEW_STEPS, steps_at_once)
    return tf.cond(
        batch * longest <= most,
        lambda: list((at_once or answer)(Group(splits, longest))),
        one_after_the_other,
    )
