"""Composing: frames drawn one after the other, the whole loop inside a graph."""

from __future__ import annotations

import tensorflow as tf

from zoo.configuration import LOWEST_KEY
from zoo.models.music import MusicModel

# Frames of a block: behind each, pieces that are done drop out of the batch, so that a batch costs
# what is still being composed.
BLOCK = 16


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
    keys = model.config.vocabulary_size
    numbers = tf.range(LOWEST_KEY, LOWEST_KEY + keys)
    first = tf.reduce_any(notes[:, :, None] == numbers, axis=1)
    given = tf.reduce_any(first, axis=1)
    batch, longest = tf.size(length), tf.maximum(tf.reduce_max(length), 0)

    def block(
        number: tf.Tensor, live: tf.Tensor, pieces: tf.TensorArray, a: tf.Tensor, *states: tf.Tensor
    ) -> tuple:
        """The next frames of the pieces that are not done, `live` by their numbers."""
        start = number * BLOCK
        uniform = _uniforms(tf.gather(seeds, live), number, keys)
        heat, seed_frame = tf.gather(temperature, live), tf.gather(first, live)
        seeded = tf.gather(given, live)[:, None]

        def turn(t: tf.Tensor, frames: tf.TensorArray, a: tf.Tensor, *states: tf.Tensor) -> tuple:
            y = model.keys.draw(a, uniform[:, t], heat)
            y = tf.where((start + t == 0) & seeded, seed_frame, y)
            a, new_states = model.step(y, list(states))
            return t + 1, frames.write(t, y), a, *new_states

        turns = tf.minimum(longest - start, BLOCK)
        frames = tf.TensorArray(tf.bool, turns, element_shape=[None, keys])
        _, frames, a, *states = tf.while_loop(
            lambda t, *_: t < turns,
            turn,
            (tf.constant(0), frames, a, *states),
            parallel_iterations=1,
        )
        # Time first, so that blocks can be put one behind the other.
        drawn = tf.cast(tf.transpose(frames.stack(), [1, 0, 2]), tf.int32)
        drawn = tf.scatter_nd(live[:, None], drawn, [batch, turns, keys]) > 0
        pieces = pieces.write(number + 1, tf.transpose(drawn, [1, 0, 2]))
        left = tf.cast(tf.where(tf.gather(length, live) > start + BLOCK)[:, 0], tf.int32)
        return number + 1, *(
            pieces if x is pieces else tf.gather(x, left) for x in (live, pieces, a, *states)
        )

    # A first, empty block, since there may be no other.
    pieces = tf.TensorArray(
        tf.bool, 1, dynamic_size=True, infer_shape=False, element_shape=[None, None, keys]
    ).write(0, tf.zeros([0, batch, keys], tf.bool))
    live = tf.cast(tf.where(length > 0)[:, 0], tf.int32)
    a, states = model.step(tf.zeros([tf.size(live), keys]), model.zero_states(tf.size(live)))
    _, _, pieces, *_ = tf.while_loop(
        lambda number, live, *_: tf.size(live) > 0,
        block,
        (tf.constant(0), live, pieces, a, *states),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            tf.TensorShape(None),
            *(tf.TensorShape([None, *x.shape[1:]]) for x in (a, *states)),
        ),
        parallel_iterations=1,
    )
    found = tf.transpose(pieces.concat(), [1, 0, 2])
    return found & tf.sequence_mask(length, longest)[:, :, None]


def _uniforms(seeds: tf.Tensor, number: tf.Tensor, keys: int) -> tf.Tensor:
    """The numbers of a block of each seed, `[batch, BLOCK, keys]` in [0, 1)."""

    def of_seed(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([BLOCK, keys], tf.stack([seed, number]))

    return tf.map_fn(of_seed, seeds, fn_output_signature=tf.TensorSpec([BLOCK, keys]))
