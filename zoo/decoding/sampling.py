"""Drawing tokens from a language model, the whole loop inside a graph."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from zoo.decoding.drawing import BLOCK, block_of_uniforms, draw
from zoo.decoding.loop import Choice, loop
from zoo.models.language_model import LanguageModel
from zoo.text import tokens


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

    def block(
        number: tf.Tensor,
        left: tf.Tensor,
        total: tf.Tensor,
        drawn: tf.TensorArray,
        a: tf.Tensor,
        *states: tf.Tensor,
    ) -> tuple:
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
    drawing = _Drawing(uniform, temperature, top_k, top_p, forbidden)
    ended = loop(_Continuing(model), a, states, (), max_length, drawing, drops=False)
    return tf.transpose(ended.ids[:, :, 0]), ended.carry["total"], ended.a, ended.states


class _Continuing(NamedTuple):
    """A language model as the loop asks it: all that it looks back at is in its states."""

    model: LanguageModel

    def step(
        self, ids: tf.Tensor, states: list[tf.Tensor], memory: Any
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        del memory
        return self.model.step(ids, states)

    def scores(self, a: tf.Tensor) -> tf.Tensor:
        return self.model.scores(a)


@dataclasses.dataclass(frozen=True, eq=False)
class _Drawing:
    """Draws as `generate` says: a text may end without `<EOS>`, and then go on in another call."""

    uniform: tf.Tensor
    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    forbidden: tf.Tensor
    rows: int = dataclasses.field(default=1, init=False)
    forks: bool = dataclasses.field(default=False, init=False)

    def start(self, limits: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"limits": limits, "going": limits > 0, "total": tf.zeros([tf.size(limits)])}

    def choose(self, t: tf.Tensor, scores: tf.Tensor, carry: dict[str, tf.Tensor]) -> Choice:
        going = carry["going"]
        ids, log_p = draw(
            scores[:, 0],
            self.uniform[:, t],
            self.temperature,
            self.top_k,
            self.top_p,
            self.forbidden,
        )
        ids = tf.where(going, ids, tokens.PADDING)
        total = carry["total"] + tf.where(going, log_p, 0.0)
        going &= (ids != tokens.END) & (t + 1 < carry["limits"])
        return Choice(ids[:, None], None, ~going, {**carry, "going": going, "total": total})
