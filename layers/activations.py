"""Activation functions together with their slopes, which back-propagation by hand needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from layers.arguments import Identifier
from layers.engine.compiling import in_xla

# Slopes written with the value a = g(z), so that nothing has to be computed twice.
_SLOPE_FROM_VALUE: dict[Callable, Callable] = {
    keras.activations.linear: tf.ones_like,
    keras.activations.tanh: lambda a: 1 - a * a,
    keras.activations.sigmoid: lambda a: a * (1 - a),
    keras.activations.relu: lambda a: tf.cast(a > 0, a.dtype),
}

# Their output at one unit depends on other units: they have no slope for each unit.
_NOT_ELEMENT_WISE = ("softmax", "log_softmax", "glu", "sparsemax")


@dataclasses.dataclass(frozen=True)
class Activation:
    """An element-wise function g and its derivative.

    `activation(z)` is g(z); `activation.slope(z, a)` is g'(z), where `a` is g(z).
    tanh, logistic, relu and identity have written-out slopes; any other element-wise function is
    differentiated automatically, one step at a time. Arguments and results are tensors of one
    shape, such as `[batch, units]`.

    Example:
        >>> tanh = Activation.of("tanh")
        >>> a = tanh(tf.constant([0.0]))
        >>> float(tanh.slope(None, a)[0])
        1.0
    """

    function: Callable

    @classmethod
    def of(cls, identifier: Identifier) -> Activation:
        """The activation that Keras knows by this identifier; `None` is the identity.

        Raises:
            ValueError: the function mixes the units, as softmax does.
        """
        function = keras.activations.get(identifier)
        name = getattr(function, "__name__", str(function))
        if name in _NOT_ELEMENT_WISE:
            raise ValueError(
                "A recurrent layer needs an element-wise activation, such as 'tanh' or 'relu'. "
                f"Received: {name!r}, which mixes the units."
            )
        return cls(function)

    def __call__(self, z: tf.Tensor) -> tf.Tensor:
        return self.function(z)

    def slope(self, z: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
        """g'(z), where `a` is g(z); of the shape of both."""
        from_value = _SLOPE_FROM_VALUE.get(self.function)
        if from_value is not None:
            return from_value(a)
        with tf.GradientTape() as tape:
            tape.watch(z)
            a = self.function(z)
        return tape.gradient(a, z, unconnected_gradients="zero")

    def is_(self, name: str) -> bool:
        """Whether it is the function that Keras calls so."""
        return self.function is keras.activations.get(name)

    @property
    def config(self) -> str | dict:
        """What `Activation.of` makes the same activation of."""
        return keras.activations.serialize(self.function)


def activate_columns(z: tf.Tensor, activations: Sequence[Activation]) -> list[tf.Tensor]:
    """Splits the columns of `z` into blocks, and activates each block.

    Where XLA compiles and all are σ or tanh, σ(z) = ½ tanh(½ z) + ½ makes them one tanh over all
    columns: one pass over the memory instead of one for each block.

    Args:
        z: `[batch, blocks * units]`.
        activations: one for each block.

    Returns:
        The blocks, each `[batch, units]`.

    Example:
        >>> gates = activate_columns(tf.zeros([1, 4]), [Activation.of("sigmoid")] * 2)
        >>> [gate.numpy().tolist() for gate in gates]
        [[[0.5, 0.5]], [[0.5, 0.5]]]
    """
    if in_xla() and all(
        activation.is_("sigmoid") or activation.is_("tanh") for activation in activations
    ):
        units = z.shape[-1] // len(activations)
        logistic = [activation.is_("sigmoid") for activation in activations for _ in range(units)]
        scale = tf.constant([0.5 if block else 1.0 for block in logistic], z.dtype)
        offset = tf.constant([0.5 if block else 0.0 for block in logistic], z.dtype)
        return tf.split(scale * tf.tanh(scale * z) + offset, len(activations), axis=-1)
    blocks = tf.split(z, len(activations), axis=-1)
    return [activation(block) for activation, block in zip(activations, blocks, strict=True)]
