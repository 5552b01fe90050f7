"""What the models share: how they are made from a configuration, saved and loaded."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.engine import precision_of_products
from zoo.configuration import RecurrentConfig
from zoo.models.weighting import class_weights

MakeStack = Callable[..., keras.layers.Layer]
# What a model reads, by name.
Inputs = Mapping[str, tf.Tensor]
# The names of tags or classes, and the variables that have numbers for each, with their axes.
Labelled = tuple[tuple[str, ...], list[tuple[keras.Variable, tuple[int, ...]]]]


# Random numbers that all replicas of a model draw alike, by the name of what draws them.
ALIKE = "drawing_words"


def drawing_words() -> keras.random.SeedGenerator:
    """Seeds of the words that a sampled softmax compares with: where several replicas train, those
    of a batch are the same in all of them, as they are on one device."""
    return keras.random.SeedGenerator(name=ALIKE)


class RecurrentModel(keras.Model):
    """Base of all models: made from a configuration, and whole in a `.keras` file.

    `keras.models.load_model` reads such a file where `zoo.models` has been imported.

    Args:
        config: with a `vocabulary_size`.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Raises:
        ValueError: the configuration is one of another model, or lacks a size.
    """

    configuration: ClassVar[type[RecurrentConfig]]
    config: RecurrentConfig

    def __init__(
        self, config: RecurrentConfig, make_stack: MakeStack = layers.Stack, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not isinstance(config, self.configuration):
            raise ValueError(
                f"{type(self).__name__}: expected a {self.configuration.__name__}. "
                f"Received: {config!r}"
            )
        self.config = config
        self._make_stack = make_stack
        # Weights of the classes `[classes]`, while something is trained with them.
        self._class_weights: np.ndarray | None = None
        self._traced_with: bytes | None = None
        self._require(config.vocabulary_size, "vocabulary_size=..., a positive number of words")

    def _require(self, value: object, what: str) -> None:
        if not value:
            raise ValueError(
                f"{type(self).__name__}: expected a configuration with {what}. "
                f"Received: {self.config!r}"
            )

    @property
    def products_of_softmax(self) -> tf.DType | None:
        """The type in which a softmax over the vocabulary multiplies in training: bfloat16, where
        the model and the processor are made for it; None for that of everything else.

        Never float16: what pushes rare words down would be too small for it.
        """
        fastest = precision_of_products(self.compute_dtype)
        return fastest if fastest == tf.bfloat16 else None

    def recurrent(
        self, units: int, layer: dict | None = None, **arguments: Any
    ) -> keras.layers.Layer:
        """A stack of the configuration's cell; `layer` and the rest as in `layers.Stack`."""
        return self._make_stack(
            self.config.cell,
            units,
            layer={"jit": self.config.layer_jit, **(layer or {})},
            dtype=self.dtype_policy,
            **arguments,
        )

    def dropout(self, **arguments: Any) -> keras.layers.Dropout:
        return keras.layers.Dropout(self.config.dropout, dtype=self.dtype_policy, **arguments)

    def dense(self, units: int, **arguments: Any) -> keras.layers.Dense:
        return keras.layers.Dense(units, dtype=self.dtype_policy, **arguments)

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """What every gate does at each step of what a model reads, by the lecture's names.

        Args:
            inputs: as those of the class.

        Returns:
            `[batch, time, units]` each, by the names of `layers.gate_activations` of a stack, such
            as `"layer_1/gate_u"` or `"layer_1/forward/gate_u"`. Padded steps are zeros.
        """
        raise NotImplementedError

    # --- Training in parts -----------------------------------------------------------------------

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """What the loss of a batch is divided by, a scalar: of how many it is the mean.

        Weighted by it, the losses of the parts of a batch add up to that of the whole.

        Args:
            inputs: as those of the class.
        """
        raise NotImplementedError

    # --- Training with weights -------------------------------------------------------------------

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Keras' `fit`; what `sample_weight` and `class_weight` weigh is said where the loss is,
        and how in `zoo.models.weighting`. A class may be called by its name."""
        arguments, weighted = self._without_class_weight(keras.Model.fit, args, kwargs)
        with weighted:
            return super().fit(**arguments)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Keras' `train_on_batch`, with weights as in `fit`."""
        arguments, weighted = self._without_class_weight(keras.Model.train_on_batch, args, kwargs)
        with weighted:
            return super().train_on_batch(**arguments)

    def weighted_classes(self) -> tuple[str, ...]:
        """The names of the classes that `class_weight` weighs.

        Raises:
            ValueError: it weighs none, as the message says.
        """
        raise ValueError(
            f"class_weight: expected none, since a {type(self).__name__} has no classes. "
            "Give sample_weight"
        )

    def _without_class_weight(
        self, method: Callable, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], contextlib.AbstractContextManager[None]]:
        """The other arguments by name, and a context in which losses are weighted."""
        arguments = inspect.signature(method).bind(self, *args, **kwargs).arguments
        del arguments["self"]
        given: Mapping | None = arguments.pop("class_weight", None)
        weights = None if given is None else class_weights(given, self.weighted_classes())
        return arguments, self._weighted(weights)

    @contextlib.contextmanager
    def _weighted(self, weights: np.ndarray | None) -> Iterator[None]:
        # Keras keeps the function of a training step, in whose graph the weights are constants.
        traced_with = None if weights is None else weights.tobytes()
        if traced_with != self._traced_with:
            self.train_function = None
        self._traced_with, self._class_weights = traced_with, weights
        try:
            yield
        finally:
            self._class_weights = None

    def _weights_of_classes(self, y: tf.Tensor, training: bool) -> tf.Tensor | float:
        """The weights of classes, of the shape of `y`; 1.0 out of training, or where there are
        none."""
        if self._class_weights is None or not training:
            return 1.0
        return tf.gather(tf.constant(self._class_weights), y)

    # --- Other models of the same shape ----------------------------------------------------------

    def of_labels(self) -> Labelled:
        """The names of tags or classes, and the variables that have numbers for each, with the axes
        along which these stand."""
        return (), []

    @property
    def parameters(self) -> list[keras.Variable]:
        """All that makes a model what it is, whether it is trained or frozen; states that are
        carried from batch to batch belong to a training run."""
        carried = {id(variable) for variable in getattr(self, "carried", ())}
        return [variable for variable in self.weights if id(variable) not in carried]

    def start_from(self, other: RecurrentModel) -> None:
        """Takes over the weights of a trained model of the same shape.

        Tags or classes may be other ones: the weights of those that both have are taken over by
        their names, those of new ones stay as they are.

        Args:
            other: built, of the same class.

        Raises:
            ValueError: the models are of different shapes.
        """
        names, labelled = self.of_labels()
        known, _ = other.of_labels()
        axes = {id(variable): along for variable, along in labelled}
        here = [names.index(name) for name in names if name in known]
        there = [known.index(name) for name in names if name in known]
        pairs = list(zip(self.parameters, other.parameters, strict=True))
        for mine, theirs in pairs:
            free = axes.get(id(mine), ())
            if len(mine.shape) != len(theirs.shape) or any(
                a != b
                for k, (a, b) in enumerate(zip(mine.shape, theirs.shape, strict=True))
                if k not in free
            ):
                raise ValueError(
                    f"expected weights of the shapes of {self.config!r}. Received: {mine.path} of "
                    f"shape {tuple(theirs.shape)} in place of {tuple(mine.shape)}"
                )
        for mine, theirs in pairs:
            value, taken = mine.numpy(), theirs.numpy()
            along = axes.get(id(mine), ())
            to = [here if k in along else range(n) for k, n in enumerate(value.shape)]
            out_of = [there if k in along else range(n) for k, n in enumerate(value.shape)]
            value[np.ix_(*to)] = taken[np.ix_(*out_of)]
            mine.assign(value)

    # --- Keras -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> Self:
        del custom_objects
        arguments = dict(config)
        made_of = cls.configuration.from_dict(arguments.pop("config"))
        if isinstance(arguments.get("dtype"), dict):
            arguments["dtype"] = keras.dtype_policies.deserialize(arguments["dtype"])
        return cls(made_of, **arguments)

    def get_build_config(self) -> dict[str, Any]:
        # All shapes follow from the configuration.
        return {"input_shape": None}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(config["input_shape"])
