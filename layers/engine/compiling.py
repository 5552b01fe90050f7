"""What the machine decides: when XLA compiles, for which lengths, and in which precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf
from tensorflow.python.ops import control_flow_util
from tensorflow.python.ops.control_flow_v2_func_graphs import ControlFlowFuncGraph

# Sequences of unknown length are padded to a multiple of this before XLA sees them, so that XLA
# compiles for few lengths; the recurrent layers never step through that padding.
TIME_BUCKET = 16


# Functions that stay on this machine: those that Keras makes for `fit`, `evaluate` and `predict`,
# which are left out where a model is saved, and those of `function_here`.
STAYING = (
    "one_step_on_data",
    "one_step_on_data_distributed",
    "multi_step_on_data",
    "multi_step_on_iterator",
    "stays_here",
)


class Compilable(Protocol):
    """What `shared_function` needs of a plan. It has to be hashable."""

    @property
    def compiled(self) -> bool:
        """Whether XLA compiles."""

    def __hash__(self) -> int: ...


@functools.lru_cache(maxsize=512)
def shared_function(body: Callable, plan: Compilable) -> Callable:
    """`body(plan, ...)` as a `tf.function`, shared by all layers with the same plan.

    So XLA compiles it once for all of them, and once for each shape.

    Example:
        >>> plan = engine.Plan(RNN(2).cell, 2)
        >>> shared_function(len, plan) is shared_function(len, engine.Plan(RNN(2).cell, 2))
        True
    """
    return tf.function(
        functools.partial(body, plan),
        jit_compile=plan.compiled or None,
        autograph=False,
        reduce_retracing=True,
    )


def compiles(jit: bool | str, pays: bool) -> bool:
    """Whether a layer lets XLA compile.

    Args:
        jit: the argument of the layer: True, False, or `"auto"`: where it pays, but only in a
            graph. Under a distribution strategy too: what XLA compiles is given weights as
            tensors, since variables of several replicas are none that it can read.
        pays: whether it would pay in a graph.

    Example:
        >>> compiles(True, pays=False), compiles("auto", pays=True)  # this runs eagerly
        (True, False)
    """
    if jit != "auto":
        return bool(jit)
    return bool(pays) and not tf.executing_eagerly()


def in_xla() -> bool:
    """Whether XLA compiles what is computed here, since a function around it says so.

    Example:
        >>> seen = []
        >>> tf.function(lambda: seen.append(in_xla()), jit_compile=True)()
        >>> seen, in_xla()
        ([True], False)
    """
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def is_for_here() -> bool:
    """Whether what is computed here is computed on this machine, and on no other one.

    So it is without a graph, in the functions that Keras makes for `fit`, `evaluate` and `predict`,
    and in those of `function_here`. Any other function, one inside of those too, may be exported.

    Example:
        >>> is_for_here(), bool(tf.function(is_for_here)())
        (True, False)
    """
    if tf.executing_eagerly():
        return True
    graph = tf.compat.v1.get_default_graph()
    while isinstance(graph, ControlFlowFuncGraph):
        graph = graph.outer_graph
    return getattr(graph, "name", None) in STAYING


def function_here(body: Callable) -> Callable:
    """`body` as a `tf.function` that runs on this machine and is never exported.

    It may hold what only this machine can run. Its arguments are tensors.

    Example:
        >>> bool(function_here(is_for_here)())
        True
    """

    def stays_here(*arguments: Any) -> Any:
        return body(*arguments)

    return tf.function(stays_here, autograph=False, reduce_retracing=True)


def padding_to_bucket(time: tf.Tensor) -> tf.Tensor:
    """How many steps are missing to a multiple of `TIME_BUCKET`, at least one bucket.

    Example:
        >>> [int(padding_to_bucket(tf.constant(time))) for time in (0, 1, 16, 17)]
        [16, 15, 0, 15]
    """
    return tf.maximum(-(-time // TIME_BUCKET), 1) * TIME_BUCKET - time


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU.

    Example:
        >>> has_gpu() == bool(tf.config.get_visible_devices("GPU"))
        True
    """
    return bool(tf.config.get_visible_devices("GPU"))


def precision_of_loops(dtype: tf.DType | str) -> tf.DType:
    """The type in which loops compute, and what is served, for values of a type.

    A GPU has units for numbers of 16 bits. On a CPU, XLA multiplies two matrices of
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


def precision_of_products(dtype: tf.DType | str) -> tf.DType:
    """The type of the products over all steps in training, for values of a type.

    That of the loops; but for bfloat16 on a CPU that has instructions for it, bfloat16: TensorFlow
    multiplies large matrices of it twice as fast there and adds up in float32. XLA does not, see
    `precision_of_loops`.

    Args:
        dtype: of inputs and states; its name, or the type itself.

    Example:
        >>> precision_of_products("float32").name
        'float32'
        >>> precision_of_products("bfloat16") == tf.bfloat16 or not multiplies_bfloat16()
        True
    """
    if tf.as_dtype(dtype) == tf.bfloat16 and multiplies_bfloat16() and not in_xla():
        return tf.bfloat16
    return precision_of_loops(dtype)


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16, as far as Linux says.

    Example:
        >>> multiplies_bfloat16() in (True, False)
        True
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            words = set(file.read().split())
    except OSError:
        return False
    return not words.isdisjoint(("avx512_bf16", "amx_bf16"))


def multiply(
    a: tf.Tensor, b: tf.Tensor, precision: tf.DType | str | None = None, **transposed: bool
) -> tf.Tensor:
    """`tf.matmul`, computed in another precision; the product has the type of `a`.

    Example:
        >>> a = tf.constant([[1 + 2**-10]])
        >>> multiply(a, a, tf.bfloat16).numpy().tolist()  # it has 8 binary digits
        [[1.0]]
    """
    if precision in (None, a.dtype):
        return tf.matmul(a, b, **transposed)
    product = tf.matmul(tf.cast(a, precision), tf.cast(b, precision), **transposed)
    return tf.cast(product, a.dtype)
