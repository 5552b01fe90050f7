"""The backward pass as the gradient of the forward pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NoReturn

import tensorflow as tf

from layers.engine.kernels import infer
from layers.engine.passes import Residuals, backward, forward
from layers.engine.plan import Plan
from layers.engine.sharding import Result, Tensors


def differentiable(plan: Plan, tensors: Tensors) -> Result:
    """The forward pass, with back-propagation through time as its gradient.

    Returns:
        Outputs `[batch, time, units]` or None, and the last states, each `[batch, units]`.
    """
    names = [name for name in tensors.DIFFERENTIABLE if getattr(tensors, name) is not None]

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable]:
        # Detached, so that no tape records the loop as well.
        detached = [tf.stop_gradient(argument) for argument in arguments]
        inputs = tensors.replace(
            states=tuple(detached[len(names) :]), **dict(zip(names, detached, strict=False))
        )
        residuals: Residuals | None = None
        if plan.keep == "nothing":
            outputs, states = infer(plan, inputs)
        else:
            outputs, states, residuals = forward(plan, inputs)

        results = (outputs, *states) if plan.sequences else tuple(states)

        def gradient(*d_results: tf.Tensor) -> list[tf.Tensor]:
            # The gradient of a gather, for one, does not know its shape.
            d_results = tuple(
                tf.ensure_shape(d, result.shape)
                for d, result in zip(d_results, results, strict=True)
            )
            d_outputs, d_states = (
                (d_results[0], d_results[1:]) if plan.sequences else (None, d_results)
            )
            kept = residuals
            if kept is None or plan.keep != "slopes":
                kept = forward(dataclasses.replace(plan, keep="slopes"), inputs)[2]
            d_named, d_first_states = backward(plan, inputs, kept, d_outputs, d_states)
            return refuse_second_derivatives(
                [*(d_named[name] for name in names), *d_first_states],
                arguments,
                "a recurrent layer",
            )

        return results, gradient

    results = run(*(getattr(tensors, name) for name in names), *tensors.states)
    return (results[0], tuple(results[1:])) if plan.sequences else (None, tuple(results))


def refuse_second_derivatives(
    gradients: Sequence[tf.Tensor], arguments: Sequence[tf.Tensor], what: str
) -> list[tf.Tensor]:
    """The gradients unchanged; differentiating them once more is an error, not a wrong number.

    Args:
        gradients: derivatives that were computed by hand.
        arguments: all tensors that they depend on.
        what: whose derivatives they are, for the error.

    Raises:
        NotImplementedError: when the result is differentiated.

    Example:
        >>> x = tf.constant(3.0)
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     (slope,) = refuse_second_derivatives([2 * x], [x], "a square")
        >>> tape.gradient(slope, x)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        NotImplementedError: Second derivatives of a square are not available ...
    """

    @tf.custom_gradient
    def once(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        def refuse(*_: tf.Tensor) -> NoReturn:
            raise NotImplementedError(
                f"Second derivatives of {what} are not available with the gradient by hand. "
                "Build the layer with gradient='automatic' for them."
            )

        return [tf.identity(tensor) for tensor in tensors[: len(gradients)]], refuse

    return list(once(*gradients, *arguments))
