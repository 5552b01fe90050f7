"""Drawing tokens from a language model, the whole loop inside a graph."""

from __future__ import annotations

import tensorflow as tf

from zoo.decoding.drawing import BLOCK, block_of_uniforms, draw, uniforms
from zoo.models.language_model import LanguageModel
from zoo.text import tokens

__all__ = ["BLOCK", "block_of_uniforms", "draw", "generate", "generate_from_seeds", "uniforms"]


def generate_from_seeds(
    model: LanguageModel,
    a: tf.Tensor,
    states: list[tf.Tensor],
    max_length: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    seeds: tf.Tensor,
    forbidden: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What `generate` draws with the numbers of seeds, which are drawn as they are needed.

    Args:
        seeds: int32 `[batch]`.
        model, a, states, max_length, temperature, top_k, top_p, forbidden: see `generate`.

    Returns:
        Ids `[batch, longest]`, 0 behind the last one drawn, and the sum of log P of each row's.
    """
    batch = tf.size(max_length)

    def block(number, left, total, drawn, a, *states):
        ids, more, a, new_states = generate(
            model,
            a,
            list(states),
            tf.minimum(left, BLOCK),
            temperature,
            top_k,
            top_p,
            block_of_uniforms(seeds, number),
            forbidden,
        )
        ended = tf.reduce_any(ids == tokens.END, axis=1)
        left = tf.where(ended, 0, tf.maximum(left - BLOCK, 0))
        drawn = drawn.write(number + 1, tf.transpose(ids))
        return number + 1, left, total + more, drawn, a, *new_states

    # A first, empty piece, since there may be no other.
    drawn = tf.TensorArray(
        tf.int32, 1, dynamic_size=True, infer_shape=False, element_shape=[None, None]
    ).write(0, tf.zeros([0, batch], tf.int32))
    _, _, total, drawn, *_ = tf.while_loop(
        lambda number, left, *_: tf.reduce_any(left > 0),
        block,
        (tf.constant(0), tf.maximum(max_length, 0), tf.zeros([batch]), drawn, a, *states),
        parallel_iterations=1,
    )
    return tf.transpose(drawn.concat()), total


def generate(
    model: LanguageModel,
    a: tf.Tensor,
    states: list[tf.Tensor],
    max_length: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    uniform: tf.Tensor,
    forbidden: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Draws y<t> and feeds it back as x<t+1>, until `<EOS>` or `max_length` tokens.

    Args:
        a, states: as `read` or an earlier call returned them.
        max_length: int32 `[batch]`, most tokens to draw.
        uniform: `[batch, numbers]`, one for each token at least.
        temperature, top_k, top_p, forbidden: see `draw`.

    Returns:
        Ids `[batch, longest]`, 0 behind the last one drawn; the sum of log P of each row's tokens;
        and a and states to go on from.
    """
    batch, count = tf.shape(a)[0], tf.reduce_max(tf.maximum(max_length, 0))

    def body(t, a, states, total, going, drawn):
        ids, log_p = draw(model.scores(a), uniform[:, t], temperature, top_k, top_p, forbidden)
        ids = tf.where(going, ids, tokens.PADDING)
        total += tf.where(going, log_p, 0.0)
        going &= (ids != tokens.END) & (t + 1 < max_length)
        a, states = model.step(ids, states)
        return t + 1, a, states, total, going, drawn.write(t, ids)

    drawn = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=a.shape[:1])
    going = max_length > 0
    t, a, states, total, _, drawn = tf.while_loop(
        lambda t, a, states, total, going, drawn: (t < count) & tf.reduce_any(going),
        body,
        (tf.constant(0), a, states, tf.zeros([batch]), going, drawn),
        parallel_iterations=1,
    )
    ids = tf.cond(
        t > 0, lambda: tf.transpose(drawn.stack()), lambda: tf.zeros([batch, 0], tf.int32)
    )
    return ids, total, a, states
