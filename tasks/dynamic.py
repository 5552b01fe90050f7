"""Dynamic evaluation: a language model that goes on learning from what it has just scored.

After each window of a text, the weights take a step down the gradient of that window's loss, so
that what a text is about makes its words likelier later on (Mikolov et al. 2010; Krause et al.
2018, without their decay towards the first weights). Nothing is read before it is scored.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from layers.softmax import summed_cross_entropy
from tasks import streams
from zoo import tokens
from zoo.language import LanguageModel


def log_probability(
    model: LanguageModel, ids: np.ndarray, window: int, rate: float, clip_norm: float
) -> float:
    """log P of a text in nats, the states carried on. Afterwards the weights are as before.

    Args:
        model: built.
        ids: of the text, `<EOS>` included.
        window: tokens between two steps.
        rate: learning rate on the mean loss of a window.
        clip_norm: global norm at which its gradient is clipped; 0: not at all.
    """
    before = model.get_weights()

    @tf.function(autograph=False, reduce_retracing=True)
    def step(targets, token_before, states):
        with tf.GradientTape() as tape:
            weights = tf.cast(targets > tokens.PADDING, tf.float32)
            a, states = model.run(model.inputs_of(targets, token_before), states)
            rows = tf.cast(tf.reshape(a, [-1, a.shape[-1]]), tf.float32)
            flat = [tf.reshape(one, [-1]) for one in (targets, weights)]
            total = summed_cross_entropy(rows, *model.output_weights(), *flat)
            loss = total / tf.reduce_sum(weights)
        variables = [v.value for v in model.trainable_variables]
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(rate * tf.cast(gradient, variable.dtype))
        return total, states

    try:
        total, states = 0.0, model.zero_states(1)
        for start in range(0, len(ids), window):
            piece = (streams.Piece(ids, 0), start, min(start + window, len(ids)))
            inputs = streams.batch([piece], window)
            targets, token_before = (tf.constant(inputs[name]) for name in ("targets", "before"))
            loss, states = step(targets, token_before, states)
            total -= float(loss)
        return total
    finally:
        model.set_weights(before)
