"""Composing: frames drawn one after the other, the whole loop inside a graph."""

from __future__ import annotations

import tensorflow as tf

from zoo.configuration import LOWEST_KEY
from zoo.decoding.drawing import block_of_uniforms
from zoo.models.music import MusicModel


def compose(
    model: MusicModel,
    notes: tf.Tensor,
    length: tf.Tensor,
    temperature: tf.Tensor,
    seeds: tf.Tensor,
) -> tf.Tensor:
    """Draws y<t> and feeds it back as x<t+1>.

    Args:
        model: built.
        notes: int32 `[batch, notes]`, MIDI numbers of the keys of the first frame; a number that no
            key has, such as 0, is none. Where a row has no key, its first frame is drawn as well.
        length: int32 `[batch]`, frames of each piece, the first among them; below 1: none.
        temperature: `[batch]`, see `zoo.models.frames`.
        seeds: int32 `[batch]`: the same seed gives the same piece, whatever else is in the batch.

    Returns:
        bool `[batch, longest, keys]`, silent behind the end of a piece.

    Example:
        >>> from zoo.configuration import MusicConfig
        >>> model = MusicModel(MusicConfig(units=8, chain_units=4))
        >>> model.build()
        >>> seed = tf.constant([[60, 64, 67]])
        >>> compose(model, seed, tf.constant([5]), tf.constant([1.0]), tf.constant([3])).shape
        TensorShape([1, 5, 88])
    """
    batch, keys = tf.size(length), model.config.vocabulary_size
    numbers = tf.range(LOWEST_KEY, LOWEST_KEY + keys)
    first = tf.reduce_any(notes[:, :, None] == numbers, axis=1)
    given = tf.reduce_any(first, axis=1)
    longest = tf.maximum(tf.reduce_max(length), 0)

    def turn(t: tf.Tensor, frames: tf.TensorArray, a: tf.Tensor, *states: tf.Tensor) -> tuple:
        uniform = block_of_uniforms(seeds, t)[:, :keys]
        y = model.keys.draw(a, uniform, temperature)
        y = tf.where(((t == 0) & given)[:, None], first, y)
        a, new_states = model.step(y, list(states))
        return t + 1, frames.write(t, y), a, *new_states

    # One turn at least: of no frames nobody knows how many rows they have.
    turns = tf.maximum(longest, 1)
    frames = tf.TensorArray(tf.bool, turns, element_shape=[None, keys])
    a, states = model.step(tf.zeros([batch, keys]), model.zero_states(batch))
    _, frames, *_ = tf.while_loop(
        lambda t, *_: t < turns,
        turn,
        (tf.constant(0), frames, a, *states),
        parallel_iterations=1,
    )
    found = tf.transpose(frames.stack()[:longest], [1, 0, 2])
    return found & tf.sequence_mask(length, longest)[:, :, None]
