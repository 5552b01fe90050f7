"""Networks of one recurrent layer, as experiments compare them, and one update of their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from layers import CELLS


def network(
    cell: str,
    units: int,
    seed: int,
    features: int,
    outputs: int = 1,
    dtype: str = "float32",
    **layer: Any,
) -> keras.Sequential:
    """A recurrent layer, and ŷ = W a<T> + b, built; W a<t> + b of all t with `return_sequences`.

    Args:
        cell: a name of `layers.CELLS`.
        units: of the layer.
        seed: of its weights.
        features: of x<t>.
        outputs: of ŷ.
        dtype: of all numbers.
        layer: further arguments of the layer.

    Example:
        >>> network("gru", units=8, seed=0, features=2)(tf.zeros([3, 5, 2])).shape
        TensorShape([3, 1])
    """
    keras.utils.set_random_seed(seed)
    kind, arguments = CELLS[cell]
    model = keras.Sequential(
        [
            kind(units, dtype=dtype, **arguments, **layer),
            keras.layers.Dense(outputs, dtype=dtype),
        ]
    )
    model.build((None, None, features))
    return model


def updating(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    clip_norm: float,
    loss_of: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """What changes the weights of a network by one batch.

    Args:
        model: as `network` makes it.
        optimizer: of Keras, new.
        clip_norm: largest norm of all gradients together; 0: any.
        loss_of: of ŷ and y.

    Returns:
        A function of x and y that gives the loss, and the norm of all gradients before clipping.

    Example:
        >>> model = network("rnn", units=4, seed=0, features=2)
        >>> squares = lambda y_hat, y: tf.reduce_mean((y_hat - y) ** 2)
        >>> update = updating(model, keras.optimizers.SGD(), 1.0, squares)
        >>> loss, norm = update(tf.ones([3, 5, 2]), tf.ones([3, 1]))
        >>> bool(loss > 0), bool(norm > 0)
        (True, True)
    """
    optimizer.build(model.trainable_variables)

    def update(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = loss_of(model(x, training=True), y)
        gradients = tape.gradient(loss, model.trainable_variables)
        norm = tf.linalg.global_norm(gradients)
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, norm)
        optimizer.apply(gradients, model.trainable_variables)
        return loss, norm

    return update
