"""Layer normalization of what a recurrent layer adds up, with its derivative by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from layers.engine import Step, WrappedCell

EPSILON = 1e-3  # as in Keras' LayerNormalization


def normalize(z: tf.Tensor) -> tf.Tensor:
    """norm(z) = (z - mean(z)) / √(var(z) + ε), over the last axis, ε = 0.001.

    Source: Ba, Kiros and Hinton 2016, "Layer normalization", equation 4.

    Args:
        z: `[..., columns]`.

    Returns:
        The same shape.

    Example:
        >>> normalize(tf.constant([[1.0, 3.0]])).numpy().round(2).tolist()
        [[-1.0, 1.0]]
    """
    return _normalized(z)[0]


def _normalized(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """norm(z), and the factor that made it of z - mean(z), `[..., 1]`.

    Squares of 16 bits would overflow, so they are taken of 32.
    """
    precise = tf.cast(z, tf.float32) if z.dtype.size < 4 else z
    centered = precise - tf.reduce_mean(precise, axis=-1, keepdims=True)
    scale = tf.math.rsqrt(tf.reduce_mean(centered * centered, axis=-1, keepdims=True) + EPSILON)
    return tf.cast(centered * scale, z.dtype), tf.cast(scale, z.dtype)


class _Product:
    """γ * norm(a @ U) where a cell writes `a @ U`, and on the way back its derivative.

    A cell writes both with the operator `@`, and so stays the lecture's.

    Args:
        matrix: U, `[units, columns]`.
        gain: γ, `[columns]`.

    Attributes:
        plain: a @ U, `[batch, columns]`.
    """

    def __init__(self, matrix: tf.Tensor, gain: tf.Tensor):
        self.matrix = matrix
        self.gain = gain

    def __rmatmul__(self, a: tf.Tensor) -> tf.Tensor:
        self.plain = a @ self.matrix
        return self.gain * normalize(self.plain)


class _ProductBack:
    """The derivative by a of γ * norm(a @ U), where a cell writes `d @ Uᵀ`.

    Args:
        transposed: Uᵀ, `[columns, units]`.
        gain: γ, `[columns]`.
        plain: a @ U of this step, `[batch, columns]`.

    Attributes:
        d_plain: the derivative by a @ U, `[batch, columns]`.
        d_gain: by γ, `[batch, columns]`, row by row.
    """

    def __init__(self, transposed: tf.Tensor, gain: tf.Tensor, plain: tf.Tensor):
        self.transposed = transposed
        self.gain = gain
        self.normal, self.scale = _normalized(plain)

    def __rmatmul__(self, d: tf.Tensor) -> tf.Tensor:
        self.d_gain = d * self.normal
        d_normal = d * self.gain
        mean = tf.reduce_mean(d_normal, axis=-1, keepdims=True)
        along = tf.reduce_mean(d_normal * self.normal, axis=-1, keepdims=True)
        self.d_plain = self.scale * (d_normal - mean - self.normal * along)
        return self.d_plain @ self.transposed


@dataclasses.dataclass(frozen=True)
class NormalizedCell(WrappedCell):
    """The equations of a cell with γ * norm(a_prev @ U) wherever they have a_prev @ U.

    The columns of one product are normalized together: those of all gates; in the lecture's GRU
    those of Γu and Γr, and those of c̃, whose product is another one.

    Source: Ba, Kiros and Hinton 2016, equations 20 and 21. Their LSTM also normalizes c<t> on its
    way to a<t>; here the memory cell is left as it is.

    Weights: those of the cell; the vector beside the recurrent kernel has all γ first, `[gates *
    units]`, in the order of the kernel's columns. Slopes: those of the cell, and each gate's
    columns of a_prev @ U.

    Example:
        >>> cell, zeros = NormalizedCell(RNN(2).cell), tf.zeros([1, 2])
        >>> weights = cell.arrange(tf.eye(2), tf.constant([1.0, 2.0]))
        >>> step = cell.step(zeros, (zeros,), tf.constant([[5.0, 1.0]]), weights)
        >>> np.arctanh(step.states[0]).round(2).tolist()  # norm(z) is [1, -1], γ is [1, 2]
        [[1.0, -2.0]]
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        cell, own = self.cell, self.cell.block_widths
        # The product with each factor, in units: of these widths are its derivative, and that by γ.
        widths = tuple(
            sum(own[block] for factor, block in cell.recurrent_products if factor == k)
            for k in range(len(cell.factors))
        )
        by_product = range(len(own), len(own) + len(widths))
        by_gain = range(by_product.stop, by_product.stop + len(widths))
        self._have(
            slopes=(*cell.slopes, *(f"plain_{gate}" for gate in cell.gates)),
            blocks=(*own, *widths, *widths),
            recurrent_products=tuple(enumerate(by_product)),
            recurrent_bias_blocks=(*by_gain, *cell.recurrent_bias_blocks),
        )

    def arrange(
        self, recurrent_kernel: tf.Tensor, recurrent_bias: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        assert recurrent_bias is not None  # it has γ
        gains, bias = tf.split(recurrent_bias, [recurrent_kernel.shape[1], -1])
        weights = self.cell.arrange(
            recurrent_kernel, bias if self.cell.recurrent_bias_blocks else None
        )
        matrices = [name for name, w in weights.items() if w.shape.rank == 2]
        cut = tf.split(gains, [weights[name].shape[1] for name in matrices])
        return weights | {f"gain_{name}": gain for name, gain in zip(matrices, cut, strict=True)}

    def step(
        self,
        z_x: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        previous: tf.Tensor,
        weights: Mapping[str, tf.Tensor],
    ) -> Step:
        products = {
            name: _Product(w, weights[f"gain_{name}"])
            for name, w in weights.items()
            if f"gain_{name}" in weights
        }
        step = self.cell.step(z_x, states, previous, {**weights, **products})

        plain = tf.concat([product.plain for product in products.values()], axis=-1)
        columns = tf.split(plain, len(self.cell.gates), axis=-1)
        return Step(step.states, lambda: (*step.slopes, *columns), step.factors, step.quantities)

    def step_back(
        self,
        d_states: tuple[tf.Tensor, ...],
        slopes: tuple[tf.Tensor, ...],
        transposed: Mapping[str, tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tuple[tf.Tensor | int, ...]]:
        count = len(self.cell.slopes)
        names = [name for name in transposed if f"gain_{name}" in transposed]
        sizes = [transposed[name].shape[0] for name in names]
        plain = tf.split(tf.concat(slopes[count:], axis=-1), sizes, axis=-1)
        products = {
            name: _ProductBack(transposed[name], transposed[f"gain_{name}"], p)
            for name, p in zip(names, plain, strict=True)
        }
        d_z, d_previous, d_direct = self.cell.step_back(
            d_states, slopes[:count], {**transposed, **products}
        )
        d_plain = [product.d_plain for product in products.values()]
        d_gains = [product.d_gain for product in products.values()]
        return (*d_z, *d_plain, *d_gains), d_previous, d_direct
