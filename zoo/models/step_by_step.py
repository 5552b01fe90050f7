"""The loop over time of models that go on where they were: a step after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

# From the inputs of a step, tensors `[rows, ...]`, and the states before it to what is seen at it,
# `[rows, width]`, and the states after it.
Step = Callable[[list[tf.Tensor], list[tf.Tensor]], tuple[tf.Tensor, list[tf.Tensor]]]


def step_by_step(
    step: Step, inputs: Sequence[tf.Tensor], real: tf.Tensor, states: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Takes steps from given states.

    Args:
        step: takes one.
        inputs: of all steps, each `[rows, time, ...]`.
        real: bool `[rows, time]`; a padded step leaves a row's states as they are.
        states: before the first step, each `[rows, width]`.

    Returns:
        What is seen at each step, `[rows, time, width]`, and the states after the last one.

    Example:
        >>> def add(inputs, states):
        ...     return states[0] + inputs[0], [states[0] + inputs[0]]
        >>> seen, _ = step_by_step(
        ...     add, [tf.ones([1, 3, 1])], tf.ones([1, 3], tf.bool), [tf.zeros([1, 1])]
        ... )
        >>> seen[0, :, 0].numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    of_time = [tf.transpose(x, [1, 0, *range(2, x.shape.rank)]) for x in inputs]
    is_real = tf.transpose(real)

    def turn(t: tf.Tensor, seen: tf.TensorArray, *before: tf.Tensor) -> tuple:
        here, after = step([x[t] for x in of_time], list(before))
        kept = [
            tf.where(is_real[t][:, None], new, old) for new, old in zip(after, before, strict=True)
        ]
        return t + 1, seen.write(t, here), *kept

    time = tf.shape(real)[1]
    _, seen, *states = tf.while_loop(
        lambda t, *_: t < time,
        turn,
        (tf.constant(0), tf.TensorArray(tf.float32, size=time), *states),
        parallel_iterations=1,
    )
    return tf.transpose(seen.stack(), [1, 0, 2]), list(states)
