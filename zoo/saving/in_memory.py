"""A model in memory, asked as its SavedModel would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.inputs import MAX_CHARACTERS, Spec
from zoo.predictor import Predictor, Signature


class InMemory(Predictor):
    """A module of signatures around a Keras model, without going through the disk.

    Args:
        module: such as a `zoo.saving.TaggerModule`.
        names: of its functions that are signatures; by default its `signature_names`.
        max_characters: most characters of a text that it may be asked about; None for any number.

    Attributes:
        module: as it was given.

    Example:
        >>> class Lengths(tf.Module):
        ...     signature_names = ("serving_default",)
        ...
        ...     @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        ...     def serving_default(self, text):
        ...         return {"bytes": tf.strings.length(text)}
        >>> InMemory(Lengths())(["a", "text"])
        {'bytes': array([1, 4], dtype=int32)}
    """

    _by_length = True

    def __init__(
        self,
        module: Any,
        names: Sequence[str] | None = None,
        max_characters: int | None = MAX_CHARACTERS,
    ):
        self.module, self.max_characters = module, max_characters
        self._functions = Functions(module, module.signature_names if names is None else names)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        return self._functions

    @property
    def _place(self) -> str:
        return f"{type(self.module).__name__} in memory"

    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return call(self._functions.function(signature), inputs)


class Functions(Mapping[str, Signature]):
    """The signatures of a module, each traced when it is first looked at."""

    def __init__(self, module: Any, names: Sequence[str]):
        self._module, self._names = module, tuple(names)
        self._known: dict[str, tuple[Any, Signature]] = {}

    def function(self, name: str) -> Any:
        """The concrete function of a signature."""
        return self._traced(name)[0]

    def _traced(self, name: str) -> tuple[Any, Signature]:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            function = getattr(self._module, name).get_concrete_function()
            self._known[name] = (function, signature_of(function))
        return self._known[name]

    def __getitem__(self, name: str) -> Signature:
        return self._traced(name)[1]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def signature_of(function: Any) -> Signature:
    """Inputs and outputs of a concrete function whose outputs are a dict."""
    outputs = function.structured_outputs
    return Signature(
        {spec.name: _spec(spec) for spec in _input_specs(function)},
        {name: _spec(spec) for name, spec in outputs.items()},
    )


def call(function: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a concrete function on arrays, texts as bytes, and gives arrays."""
    tensors = {
        spec.name: tf.constant(inputs[spec.name], spec.dtype, inputs[spec.name].shape)
        for spec in _input_specs(function)
    }
    if function.structured_input_signature[1]:  # of a SavedModel: by name
        outputs = function(**tensors)
    else:
        outputs = function(*tensors.values())
    return {name: value.numpy() for name, value in outputs.items()}


def _input_specs(function: Any) -> list[tf.TensorSpec]:
    by_place, by_name = function.structured_input_signature
    return [*by_place, *by_name.values()]


def _spec(spec: tf.TensorSpec) -> Spec:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Spec(np.dtype(spec.dtype.as_numpy_dtype), shape)
