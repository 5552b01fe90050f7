"""What `sample_weight` and `class_weight` of Keras' `fit`, `evaluate` and `train_on_batch` weigh.

A weighted loss is Σ weight * loss over what there is, divided by its number, and not by the sum of
the weights: as in Keras, weights of 2 double the loss, and a batch of one example is not trained as
if its weight were 1. Padding never counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf


def exact(values: tf.Tensor) -> tf.Tensor:
    """Values in which a loss is computed: float32, or float64 where they have that.

    Example:
        >>> exact(tf.ones([], tf.bfloat16)).dtype.name, exact(tf.ones([], tf.float64)).dtype.name
        ('float32', 'float64')
    """
    return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)


def weights_of_rows(sample_weight: tf.Tensor | None, what: str) -> tf.Tensor | float:
    """Weights `[batch]`, float32, or 1.0 for none.

    Args:
        sample_weight: `[batch]` or `[batch, 1]`.
        what: is weighted, for the message.

    Raises:
        ValueError: they are of another shape.
    """
    if sample_weight is None:
        return 1.0
    weights = _by_rows(sample_weight)
    if weights is None or weights.shape[1] not in (None, 1):
        raise ValueError(
            f"sample_weight: expected one weight for each {what}, [batch]. "
            f"Received shape: {sample_weight.shape}"
        )
    return tf.ensure_shape(weights, [None, 1])[:, 0]


def weights_of_steps(sample_weight: tf.Tensor | None, steps: tf.Tensor, what: str) -> tf.Tensor:
    """Weights `[batch, time]`, float32.

    Args:
        sample_weight: `[batch, time]`, or one for all steps of a row: `[batch]`, `[batch, 1]`.
        steps: a tensor `[batch, time]`.
        what: a step is, for the message.

    Raises:
        ValueError: they are of another shape.
    """
    if sample_weight is None:
        return tf.ones_like(steps, tf.float32)
    weights, time = _by_rows(sample_weight), steps.shape[1]
    if weights is None or (time and weights.shape[1] not in (None, 1, time)):
        raise ValueError(
            f"sample_weight: expected one weight for each row or for each {what}, [batch] or "
            f"[batch, time] = {steps.shape}. Received shape: {sample_weight.shape}"
        )
    return tf.broadcast_to(weights, tf.shape(steps))


def _by_rows(sample_weight: tf.Tensor) -> tf.Tensor | None:
    """`[batch]` or `[batch, n]` as float32 `[batch, n]`; None for other ranks.

    Keras' graphs do not know the rank where one model was given several.
    """
    weights = tf.cast(tf.convert_to_tensor(sample_weight), tf.float32)
    if weights.shape.rank not in (None, 1, 2):
        return None
    if weights.shape.rank == 2:
        return weights
    return tf.reshape(weights, [tf.shape(weights)[0], -1 if weights.shape.rank is None else 1])


def class_weights(given: Mapping, names: Sequence[str]) -> np.ndarray:
    """The weight of each class, float32 `[classes]`.

    Args:
        given: weights by number or name of a class; what it leaves out has the weight 1.
        names: of the classes.

    Raises:
        ValueError: a class or a weight is none.

    Example:
        >>> class_weights({"good": 3.0}, ("bad", "good")).tolist()
        [1.0, 3.0]
    """
    weights = np.ones([len(names)], np.float32)
    for key, weight in given.items():
        number = names.index(key) if isinstance(key, str) and key in names else key
        known = isinstance(number, int | np.integer) and 0 <= number < len(names)
        if not known or not math.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight: expected weights of 0 and more by number or name of one of the "
                f"classes {list(names)}. Received: {key!r}: {weight!r}"
            )
        weights[number] = weight
    return weights
