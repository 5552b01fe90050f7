"""Drawing tokens from a language model, the whole loop inside a graph."""

from __future__ import annotations

import tensorflow as tf

from zoo.models.language_model import LanguageModel
from zoo.text import tokens

# Uniform numbers are drawn in blocks of this size, so that the t-th of a seed is always the same.
_BLOCK = 256


def draw(
    scores: tf.Tensor,
    uniform: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    forbidden: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws a token for each row from softmax(scores / temperature).

    Args:
        scores: W a<t> + b, `[batch, vocabulary]`.
        uniform: a number in [0, 1) for each row: the place in the cumulated probabilities at which
            the token lies. One number, one token: a row's draw does not depend on the others.
        temperature: `[batch]`; below 1 the likely tokens become likelier, and 0 takes the likeliest
            (greedy decoding); infinity makes all tokens equally likely.
        top_k: int32 `[batch]`: only the k likeliest tokens are drawn from; 0: all.
        top_p: `[batch]`: only the likeliest tokens that together have this probability; 1: all.
        forbidden: bool `[vocabulary]`, True for tokens that are never drawn; it is as if they were
            drawn again.

    Returns:
        Token ids `[batch]`, and log P of each at temperature 1, nothing forbidden.
    """
    log_p = tf.nn.log_softmax(scores)
    allowed = tf.where(forbidden, scores.dtype.min, scores)
    greedy = tf.argmax(allowed, axis=1, output_type=tf.int32)
    heat = tf.maximum(temperature, 1e-4)[:, None]
    p = tf.nn.softmax((allowed - tf.reduce_max(allowed, axis=1, keepdims=True)) / heat)
    p = tf.where(forbidden, 0.0, p)
    filters = tf.reduce_any(top_k > 0) | tf.reduce_any(top_p < 1)
    p = tf.cond(filters, lambda: _likeliest(p, top_k, top_p), lambda: p)
    cumulated = tf.cumsum(p, axis=1)
    place = uniform[:, None] * cumulated[:, -1:]
    drawn = tf.reduce_sum(tf.cast(cumulated <= place, tf.int32), axis=1)
    # Rounding may put the place at the very end: the last token that can be drawn.
    last = tf.shape(p)[1] - 1 - tf.argmax(tf.reverse(p > 0, [1]), axis=1, output_type=tf.int32)
    drawn = tf.where(temperature > 0, tf.minimum(drawn, last), greedy)
    return drawn, tf.gather(log_p, drawn, batch_dims=1)


def _likeliest(p: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Probabilities, 0 where top-k or top-p leave a token out; of equal ones, all stay."""
    size = tf.shape(p)[1]
    ordered = tf.sort(p, axis=1, direction="DESCENDING")
    k = tf.where(top_k > 0, tf.minimum(top_k, size), size)
    enough = tf.reduce_sum(tf.cast(tf.cumsum(ordered, axis=1) < top_p[:, None], tf.int32), axis=1)
    count = tf.minimum(k, tf.where(top_p < 1, tf.minimum(enough + 1, size), size))
    least = tf.gather(ordered, count - 1, batch_dims=1)
    return tf.where(p >= least[:, None], p, 0.0)


def uniforms(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The first `count` numbers, or some more, of each seed: `[batch, numbers]` in [0, 1)."""
    blocks = tf.range(tf.maximum(1, -(-count // _BLOCK)))

    def of_seed(seed):
        def block(number):
            return tf.random.stateless_uniform([_BLOCK], tf.stack([seed, number]))

        return tf.reshape(tf.map_fn(block, blocks, fn_output_signature=tf.float32), [-1])

    return tf.map_fn(of_seed, seeds, fn_output_signature=tf.float32)


def read(model: LanguageModel, ids: tf.RaggedTensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Reads prompts: a<t> at which each one's next token is predicted, and the states there."""
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    # x<1> = 0 and then the prompt; its last token is an input too, its mask one longer.
    padded = tf.pad(ids.to_tensor(), [[0, 0], [1, 0]])
    mask = tf.sequence_mask(lengths + 1, tf.shape(padded)[1])
    a, states = model.run(padded, model.zero_states(tf.shape(padded)[0]), mask=mask)
    return tf.gather(a, lengths, batch_dims=1), states


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
