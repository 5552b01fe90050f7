"""What the devices of this machine decide: in which precision loops run, and in how many shards."""

from __future__ import annotations

import tensorflow as tf


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU.

    Example:
        >>> has_gpu() == bool(tf.config.get_visible_devices("GPU"))
        True
    """
    return bool(tf.config.get_visible_devices("GPU"))


def precision_of_loops(dtype: tf.DType | str) -> tf.DType:
    """The type in which loops and their products compute, for values of a type.

    A GPU has units for numbers of 16 bits, a CPU has not: there XLA multiplies two matrices of
    bfloat16 in naive loops, and a training step of an LSTM took 137 times as long as in float32. So
    on CPUs float32 takes their place, and only what goes in and comes out has 16 bits.

    Args:
        dtype: of inputs and states; its name, or the type itself.

    Example:
        >>> precision_of_loops("float64").name, precision_of_loops("float32").name
        ('float64', 'float32')
        >>> precision_of_loops("bfloat16") == (tf.bfloat16 if has_gpu() else tf.float32)
        True
    """
    dtype = tf.as_dtype(dtype)
    if dtype in (tf.float16, tf.bfloat16) and not has_gpu():
        return tf.float32
    return dtype
