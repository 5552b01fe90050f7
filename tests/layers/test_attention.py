"""Attention against its equations, one query at a time and all at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import SCORES, Attention

RNG = np.random.default_rng(0)
QUERIES, KEYS, VALUES = (RNG.normal(size=s) for s in ([4, 3, 5], [4, 6, 5], [4, 6, 2]))
LENGTHS = np.array([6, 1, 4, 0])
MASK = np.arange(6) < LENGTHS[:, None]

every_score = pytest.mark.parametrize("score", SCORES)


def make(score, **arguments):
    layer = Attention(score, dtype="float64", **arguments)
    layer.build(QUERIES.shape, KEYS.shape)
    return layer


def expected(layer, q, h, values):
    """One query `[features]`, keys and values of the real steps alone."""
    weights = {w.name: w.numpy() for w in layer.weights}
    if layer.score == "additive":
        e = np.tanh(q @ weights["query_kernel"] + h @ weights["key_kernel"]) @ weights["scale"]
    elif layer.score == "general":
        e = h @ weights["key_kernel"] @ q
    else:
        e = h @ q
    alpha = np.exp(e) / np.exp(e).sum()
    return alpha @ values, alpha


@every_score
def test_it_is_its_equations(score):
    layer = make(score, units=3)
    context, weights = layer(QUERIES, KEYS, VALUES, keys_mask=MASK)
    for row, length in enumerate(LENGTHS[:3]):
        for t in range(3):
            h, values = KEYS[row, :length], VALUES[row, :length]
            one, alpha = expected(layer, QUERIES[row, t], h, values)
            np.testing.assert_allclose(context[row, t], one, atol=1e-12)
            np.testing.assert_allclose(weights[row, t, :length], alpha, atol=1e-12)
            np.testing.assert_array_equal(weights[row, t, length:], 0)
    np.testing.assert_array_equal(context[3], 0)
    np.testing.assert_array_equal(weights[3], 0)


@every_score
def test_one_query_is_one_of_all(score):
    layer = make(score)
    together = layer(QUERIES, KEYS, VALUES, keys_mask=MASK)
    memory = layer.project(KEYS)
    for t in range(3):
        alone = layer.attend(QUERIES[:, t], memory, VALUES, MASK)
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, all_of_them[:, t], atol=1e-14)


@every_score
def test_without_values_the_keys_are_averaged_and_without_a_mask_all_of_them(score):
    layer = make(score)
    context, weights = layer(QUERIES, KEYS)
    np.testing.assert_allclose(context, weights.numpy() @ KEYS, atol=1e-12)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1)
    masked = layer(QUERIES, KEYS, keys_mask=np.ones_like(MASK))
    np.testing.assert_allclose(masked[0], context, atol=1e-12)


@every_score
def test_what_stands_in_padding_does_not_matter(score):
    layer = make(score)
    clean = layer(QUERIES, KEYS, VALUES, keys_mask=MASK)
    other = [np.where(MASK[:, :, None], x, np.nan) for x in (KEYS, VALUES)]
    for one, another in zip(clean, layer(QUERIES, *other, keys_mask=MASK), strict=True):
        np.testing.assert_array_equal(one, another)
    gradients = []
    for some in ((KEYS, VALUES), other):
        queries = tf.constant(QUERIES)
        with tf.GradientTape() as tape:
            tape.watch(queries)
            loss = tf.reduce_sum(layer(queries, *some, keys_mask=MASK)[0] ** 2)
        gradients.append(tape.gradient(loss, [queries, *layer.trainable_variables]))
    for one, another in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, another)


@every_score
@pytest.mark.parametrize("mask", [None, MASK])
def test_the_gradient_is_that_of_numeric_differences(score, mask):
    layer = make(score, units=3)
    seen = [RNG.normal(size=s) for s in ([4, 3, 2], [4, 3, 6])]

    def loss(q, h, values, *weights):
        for variable, value in zip(layer.weights, weights, strict=True):
            variable.assign(value)
        found = layer(q, h, values, keys_mask=mask)
        return sum(tf.reduce_sum(one * given) for one, given in zip(found, seen, strict=True))

    given = [QUERIES, KEYS, VALUES, *[w.numpy() for w in layer.weights]]
    tensors = [tf.constant(x) for x in given[:3]]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        found = loss(*tensors, *given[3:])
    gradients = tape.gradient(found, [*tensors, *[w.value for w in layer.weights]])
    for k, gradient in enumerate(gradients):
        # Where a score has no part in a value, as the keys' in a row of padding, it is zeros.
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.all(np.isfinite(gradient))
        direction = RNG.normal(size=given[k].shape)
        ends = []
        for step in (1e-6, -1e-6):
            moved = list(given)
            moved[k] = given[k] + step * direction
            ends.append(float(loss(*moved)))
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(
            np.sum(gradient * direction), rel=1e-6, abs=1e-8
        )


@every_score
def test_under_mixed_precision_the_softmax_is_in_float32(score):
    exact, layer = make(score), Attention(score, dtype="mixed_bfloat16")
    layer.build(QUERIES.shape, KEYS.shape)
    layer.set_weights(exact.get_weights())
    context, weights = layer(QUERIES.astype("float32"), KEYS.astype("float32"), keys_mask=MASK)
    assert context.dtype == weights.dtype == tf.bfloat16
    wanted = exact(QUERIES, KEYS, keys_mask=MASK)
    np.testing.assert_allclose(tf.cast(weights, tf.float64), wanted[1], atol=0.02)
    np.testing.assert_allclose(tf.cast(context, tf.float64), wanted[0], atol=0.05)
    # Far beyond what 16 bits tell apart: still no NaN.
    assert np.all(np.isfinite(tf.cast(layer(1e3 * QUERIES, 1e3 * KEYS)[1], tf.float32)))


@every_score
def test_it_goes_where_keras_layers_go(score, tmp_path):
    words, queries = keras.Input((None,), dtype="int32"), keras.Input((None, 5))
    keys = keras.layers.Embedding(9, 5, mask_zero=True)(words)
    model = keras.Model([queries, words], Attention(score)(queries, keys))
    assert [tuple(one.shape) for one in model.outputs] == [(None, None, 5), (None, None, None)]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    given = [QUERIES.astype("float32"), np.array([[3, 4, 0], [5, 0, 0], [1, 2, 3], [0, 0, 0]])]
    found = model.predict(given, verbose=0)
    for one, other in zip(found, loaded.predict(given, verbose=0), strict=True):
        np.testing.assert_allclose(one, other)
    np.testing.assert_array_equal(found[1][0, :, 2], 0)  # the mask came with the keys
    assert Attention.from_config(model.layers[-1].get_config()).score == score


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="score: expected one of"):
        Attention("none")
    with pytest.raises(ValueError, match="expected keys as wide as the queries, 5"):
        Attention("dot")(tf.ones([1, 2, 5]), tf.ones([1, 2, 4]))
