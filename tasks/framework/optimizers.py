"""Adam by one kernel, gradients clipped as they are, averages of weights that warm up."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

# Steps after which the average of weights has a momentum of a half.
_WARM_UP = 9


def by_one_kernel(adam: keras.optimizers.Adam) -> keras.optimizers.Adam:
    """The optimizer, which from now on changes each weight by one kernel of TensorFlow.

    The kernel reads and writes each number once; Keras' own update is a dozen operations, each of
    which goes through memory. Up to rounding both do the same. It stays Keras' class: files of
    models that hold it are read without this one.

    Source: Kingma and Ba 2015, with epsilon as at the end of its section 2, as in Keras.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> by_one_kernel(keras.optimizers.Adam(0.1)).apply([tf.constant([5.0])], [weight])
        >>> round(float(weight[0]), 3)  # the first step is as long as the learning rate
        0.9
    """
    if not adam.amsgrad:
        adam.update_step = functools.partial(_update, adam)
    return adam


def clipped_as_a_whole(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer, which from now on clips by the norm of the gradients as they are.

    The gradient of an embedding comes as a row for each time that a word was looked up. Keras takes
    the norm over these rows, before those of a word are added up; so it would depend on how a batch
    is cut into parts.

    Example:
        >>> table = keras.Variable([0.0])
        >>> twice = tf.IndexedSlices([3.0, 3.0], [0, 0], [1])  # together 6
        >>> sgd = clipped_as_a_whole(keras.optimizers.SGD(1.0, global_clipnorm=5.0))
        >>> sgd.apply([twice], [table])
        >>> float(table[0])
        -5.0
    """
    clip = optimizer._clip_gradients

    def whole(gradients: list) -> list:
        return clip([g if g is None else tf.convert_to_tensor(g) for g in gradients])

    optimizer._clip_gradients = whole
    return optimizer


def with_warm_average(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer, whose moving average of the weights from now on forgets the first ones soon:
    after t steps its momentum is t / (t + 9), until that is more than `ema_momentum`.

    With a momentum of 0.999 from the start, the first weights would still be a third of the average
    after 1,000 steps, which may be an epoch or two.

    Source: `num_updates` of `tf.train.ExponentialMovingAverage`, which has (t + 1) / (t + 10).

    Example:
        >>> weight = keras.Variable([0.0])
        >>> sgd = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.999)
        >>> for _ in range(2):  # -1, and then -2 with a weight of 9 / 10
        ...     with_warm_average(sgd).apply([tf.constant([1.0])], [weight])
        >>> sgd.finalize_variable_values([weight])
        >>> round(float(weight[0]), 3)
        -1.9
    """

    def update(variables: list) -> None:
        steps = tf.cast(optimizer.iterations, tf.float32)
        momentum = tf.minimum(optimizer.ema_momentum, steps / (steps + _WARM_UP))
        for variable, average in zip(
            variables, optimizer._model_variables_moving_average, strict=True
        ):
            kept = tf.cast(momentum, average.dtype)
            average.assign(kept * average + (1 - kept) * tf.convert_to_tensor(variable))

    if optimizer.use_ema:
        optimizer._update_model_variables_moving_average = update
    return optimizer


def unscaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The one that changes weights; in float16, Keras wraps it in one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _update(
    adam: keras.optimizers.Adam, gradient: Any, variable: Any, learning_rate: tf.Tensor
) -> None:
    index, dtype = adam._get_variable_index(variable), variable.dtype
    step = tf.cast(adam.iterations + 1, dtype)
    beta_1, beta_2 = tf.cast(adam.beta_1, dtype), tf.cast(adam.beta_2, dtype)
    weight, mean, square = (
        v.value if isinstance(v, keras.Variable) else v
        for v in (variable, adam._momentums[index], adam._velocities[index])
    )
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=tf.cast(learning_rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.cast(adam.epsilon, dtype),
        grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
    )
