"""Dynamic evaluation: a language model that goes on learning from what it has just scored.

After each window of a text, the weights take a step down the gradient of that window's loss, so
that what a text is about makes its words likelier later on (Mikolov et al. 2010; Krause et al.
2018, without their decay towards the first weights). Nothing is read before it is scored.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from layers.engine import function_here
from tasks.data import running as running_text
from zoo.models import LanguageModel


def scorer(
    model: LanguageModel, window: int, rate: float, clip_norm: float
) -> Callable[[np.ndarray], float]:
    """From the ids of a text, `<EOS>` included, to its log P in nats, the states carried on.

    After each text, the weights are as before.

    Args:
        model: built.
        window: tokens between two steps.
        rate: learning rate on the mean loss of a window.
        clip_norm: global norm at which its gradient is clipped; 0: not at all.
    """

    @function_here
    def step(
        targets: tf.Tensor, token_before: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            a, states = model.run(model.inputs_of(targets, token_before), states)
            total, count = model.summed_loss(a, targets)
            loss = total / count
        variables = [v.value for v in model.trainable_variables]
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(rate * tf.cast(gradient, variable.dtype))
        return total, states

    def log_probability(ids: np.ndarray) -> float:
        before = model.get_weights()
        try:
            total, states = 0.0, model.zero_states(1)
            for inputs, _ in running_text.batches_of_text(ids, window):
                targets, token_before = (tf.constant(inputs[n]) for n in ("targets", "before"))
                loss, states = step(targets, token_before, states)
                total -= float(loss)
            return total
        finally:
            model.set_weights(before)

    return log_probability
