"""Drawing one token for each row, by a number for each."""

from __future__ import annotations

import tensorflow as tf

# Uniform numbers are drawn in blocks of this size, so that the t-th of a seed is always the same.
BLOCK = 256
# Tokens whose probability is summed up before the one among them is looked for.
_TOGETHER = 256
# Bins of the filters: 32 powers of two of 128 each, as a float's first 16 bits order them, up to 1.
_BINS, _BIN_OF_ONE = 4096, 0x3F80
# Of the probability that top-p leaves, so that the likeliest token always stays.
_LEAST = 1e-30


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
        temperature: `[batch]`; below 1 the likely tokens become likelier, and what is not above 0,
            or no number, takes the likeliest (greedy decoding); infinity makes all equally likely.
        top_k: int32 `[batch]`: only the k likeliest tokens are drawn from; below 1: all.
        top_p: `[batch]`: only the likeliest tokens that together have this probability; 1 and more:
            all; 0 and less: the likeliest.
        forbidden: bool `[vocabulary]`, True for tokens that are never drawn; it is as if they were
            drawn again.

    Returns:
        Token ids `[batch]`, and log P of each at temperature 1, nothing forbidden.
    """
    # Few operations, each over the whole vocabulary: they take most of what a draw costs.
    heat = tf.where(temperature > 0, tf.maximum(temperature, 1e-4), 1.0)
    allowed = scores / heat[:, None] + tf.where(forbidden, -float("inf"), 0.0)
    p = tf.nn.softmax(allowed)
    filters = tf.reduce_any(top_k > 0) | tf.reduce_any(top_p < 1)
    p = tf.cond(filters, lambda: _likeliest(p, top_k, top_p), lambda: p)
    greedy = tf.argmax(allowed, axis=1, output_type=tf.int32)
    ids = tf.where(temperature > 0, _drawn(p, uniform), greedy)
    return ids, -tf.nn.sparse_softmax_cross_entropy_with_logits(ids, scores)


def _drawn(p: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """The token at each row's place, by the sums of blocks and then within one of them."""
    size = p.shape[1]
    if size <= _TOGETHER:
        return _at(p, uniform * tf.cumsum(p, axis=1)[:, -1])[0]
    blocks = tf.pad(p, [[0, 0], [0, -size % _TOGETHER]])
    blocks = tf.reshape(blocks, [tf.shape(p)[0], -1, _TOGETHER])
    sums = tf.reduce_sum(blocks, axis=2)
    block, rest = _at(sums, uniform * tf.cumsum(sums, axis=1)[:, -1])
    within, _ = _at(tf.gather(blocks, block, batch_dims=1), rest)
    return block * _TOGETHER + within


def _at(weights: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where a place lies in cumulated weights, and how far behind the beginning of that one."""
    before = tf.cumsum(weights, axis=1, exclusive=True)
    found = tf.reduce_sum(tf.cast(before + weights <= place[:, None], tf.int32), axis=1)
    # Rounding may put the place at the very end: the last that has a weight.
    numbers = tf.range(tf.shape(weights)[1])
    found = tf.minimum(found, tf.reduce_max(tf.where(weights > 0, numbers, 0), axis=1))
    return found, place - tf.gather(before, found, batch_dims=1)


def _likeliest(p: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """What of p top-k and top-p leave, 0 elsewhere; of equal ones, all stay.

    A token stays where fewer than k are likelier, which have less than the mass of top-p.
    """
    size = p.shape[1]
    filtered = (top_k > 0) | (top_p < 1)
    k = tf.where(top_k > 0, tf.minimum(top_k, size), size)
    mass = tf.where(top_p < 1, tf.maximum(top_p, _LEAST), float("inf"))
    sought, most = p, tf.constant(size)
    if size > _BINS:
        sought, most, k, mass = _last_bin(p, k, mass, filtered)
    ordered = tf.math.top_k(sought, most).values
    stays = tf.range(most) < k[:, None]
    stays &= tf.cumsum(ordered, axis=1, exclusive=True) < mass[:, None]
    least = tf.reduce_min(tf.where(stays, ordered, float("inf")), axis=1)
    return tf.where(p >= tf.where(filtered, least, 0.0)[:, None], p, 0.0)


def _last_bin(
    p: tf.Tensor, k: tf.Tensor, mass: tf.Tensor, filtered: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the last token that stays is to be sought, so that not all need be sorted.

    Tokens are counted in bins of like probability.

    Returns:
        p in each row's last bin, 0 elsewhere; how many tokens the largest one has; and what is left
        of k and mass for it.
    """
    bins = tf.bitwise.right_shift(tf.bitcast(p, tf.int32), 16) - (_BIN_OF_ONE - _BINS + 1)
    bins = tf.maximum(bins, 0)

    def in_bins(weights: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Sums of each bin, and of all likelier ones."""
        sums = tf.math.bincount(bins, weights, _BINS, _BINS, axis=-1)
        return sums, tf.cumsum(sums, axis=1, exclusive=True, reverse=True)

    counts, before = in_bins(None)
    masses, mass_before = in_bins(p)
    mass *= (masses + mass_before)[:, 0]  # 1, as it is rounded here
    begins = (before < k[:, None]) & (mass_before < mass[:, None])
    edge = tf.argmax(begins, axis=1, output_type=tf.int32)
    count, before, mass_before = (
        tf.gather(x, edge, batch_dims=1) for x in (counts, before, mass_before)
    )
    most = tf.reduce_max(tf.where(filtered, count, 1))
    sought = tf.where(bins == edge[:, None], p, 0.0)
    return sought, most, tf.minimum(k - before, count), mass - mass_before


def uniforms(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The first `count` numbers, or some more, of each seed: `[batch, numbers]` in [0, 1)."""
    blocks = tf.range(tf.maximum(1, -(-count // BLOCK)))
    found = tf.map_fn(lambda i: block_of_uniforms(seeds, i), blocks, fn_output_signature=tf.float32)
    return tf.reshape(tf.transpose(found, [1, 0, 2]), [tf.size(seeds), -1])


def block_of_uniforms(seeds: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """The block with this number, from 0 up, of each seed's numbers: `[batch, BLOCK]`."""

    def of_seed(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([BLOCK], tf.stack([seed, number]))

    return tf.map_fn(of_seed, seeds, fn_output_signature=tf.float32)
