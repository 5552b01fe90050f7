"""The signature `gates`: what every gate does at each word, by the lecture's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from zoo.models.parts import Inputs, RecurrentModel
from zoo.saving.parts import Untracked, of_texts
from zoo.saving.weights import StoredWeights

SIGNATURE = "gates"


def add_gates(
    module: Any,
    model: RecurrentModel,
    weights: StoredWeights,
    read: Callable[[tf.Tensor], tuple[tf.RaggedTensor, Inputs]],
) -> None:
    """Gives a module of texts the signature `gates`, where its model has gates.

    `text` string[B] → tokens string[B, T], as the model reads them; lengths int32[B]; and each gate
    and state of each layer that reads them, float[B, T, units], by the names of
    `layers.gate_activations`: `layer_1/gate_u`, or `layer_1/forward/gate_u` where there are two
    directions. Behind the last token of a text there are zeros.

    A server does not warm it up: it is there to look at, and its first answer may take longer.

    Args:
        module: a `tf.Module` with a list `signature_names`.
        model: whose gates they are.
        weights: of the model.
        read: from texts to their tokens, ragged string `[batch, (time)]`, and to what the model
            reads of them.
    """

    def read_texts(text_: tf.Tensor) -> tuple[dict[str, tf.Tensor], Inputs]:
        tokens, inputs = read(text_)
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        return {"tokens": tokens.to_tensor(shape=[None, None]), "lengths": lengths}, inputs

    add_gates_of(module, model, weights, read_texts, [of_texts()])


def add_gates_of(
    module: Any,
    model: RecurrentModel,
    weights: StoredWeights,
    read: Callable[..., tuple[dict[str, tf.Tensor], Inputs]],
    asked: Sequence[tf.TensorSpec],
) -> None:
    """Gives a module the signature `gates`, whatever it is asked with.

    Args:
        module, model, weights: as in `add_gates`.
        read: from what is asked to what is answered beside the gates, and to what the model reads.
        asked: the inputs of the signature.
    """
    if not model.config.has_gates:
        return
    kept = Untracked(model)  # else every weight would be saved twice

    def gates(*inputs_: tf.Tensor) -> dict[str, tf.Tensor]:
        said, inputs = read(*inputs_)
        with weights.reading():
            found = kept.value.gate_activations(inputs)
        return {**said, **{name: tf.cast(values, tf.float32) for name, values in found.items()}}

    module.gates = tf.function(gates, input_signature=asked, autograph=False)
    module.signature_names.append(SIGNATURE)
