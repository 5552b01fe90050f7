"""Pooling over time against its formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import POOLINGS, Pooling

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 6, 3))
LENGTHS = np.array([6, 1, 4, 0])
MASK = np.arange(6) < LENGTHS[:, None]


def expected(layer, a):
    if layer.kind == "max":
        return a.max(axis=0)
    if layer.kind == "mean":
        return a.mean(axis=0)
    (w, b), (v,) = layer.hidden.get_weights(), layer.score.get_weights()
    scores = np.exp(np.tanh(a @ w + b) @ v)
    return (scores / scores.sum() * a).sum(axis=0)


@pytest.mark.parametrize("kind", ["max", "mean", "attention"])
def test_a_padded_step_takes_no_part(kind):
    layer = Pooling(kind, dtype="float64")
    pooled = layer(A, mask=tf.constant(MASK)).numpy()
    for row, length in enumerate(LENGTHS[:3]):
        np.testing.assert_allclose(pooled[row], expected(layer, A[row, :length]), atol=1e-12)
    np.testing.assert_array_equal(pooled[3], 0)
    np.testing.assert_allclose(layer(A)[0], pooled[0], atol=1e-12)


@pytest.mark.parametrize("kind", ["max", "mean", "attention"])
def test_step_by_step_gives_what_all_steps_at_once_give(kind):
    layer, a = Pooling(kind), tf.constant(A - 9, tf.float32)  # all below what states begin with
    whole = layer(a)
    states = layer.zero_states(len(A), A.shape[2])
    np.testing.assert_array_equal(layer.pooled(states), 0)
    for t in range(A.shape[1]):
        states = layer.step(a[:, t], states, tf.fill([len(A)], t == 0))
    np.testing.assert_allclose(layer.pooled(states), whole, rtol=1e-5)


@pytest.mark.parametrize("kind", ["max", "mean", "attention"])
def test_gradients_are_finite_and_none_goes_into_padding(kind):
    layer, a = Pooling(kind, dtype="float64"), tf.constant(A)
    with tf.GradientTape() as tape:
        tape.watch(a)
        loss = tf.reduce_sum(layer(a, mask=tf.constant(MASK)) ** 2)
    gradient = tape.gradient(loss, a).numpy()
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient[~MASK] == 0)
    assert np.all(np.any(gradient[:3] != 0, axis=(1, 2)))


def test_it_goes_where_keras_layers_go(tmp_path):
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, Pooling("attention", units=5)(keras.layers.Masking()(inputs)))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = np.where(MASK[:, :, None], A, 0).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    assert model.output_shape == (None, 3)
    with pytest.raises(ValueError, match="expected one of"):
        Pooling("sum")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", POOLINGS)
def test_numbers_of_16_bits_are_pooled_in_float32(kind, policy):
    layer, exact = Pooling(kind, dtype=policy), Pooling(kind)
    x = tf.random.normal([2, 300, 3])
    low = tf.cast(x, layer.compute_dtype)
    pooled = layer(x)
    exact.build(x.shape)
    exact.set_weights(layer.get_weights())
    assert pooled.dtype == layer.compute_dtype
    # Rounded at the end; weights before, as Keras gives them under the policy.
    expected = tf.cast(exact(tf.cast(low, tf.float32)), pooled.dtype)
    np.testing.assert_allclose(
        np.float32(pooled), np.float32(expected), rtol=0.01, atol=2e-3 if kind != "max" else 0
    )
    if kind != "max":
        weights = layer.weights_of(tf.cast(low, tf.float32), tf.ones([2, 300]))
        np.testing.assert_allclose(tf.reduce_sum(weights, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", POOLINGS)
def test_masks_of_numbers_are_masks(kind):
    layer, x = Pooling(kind), tf.random.normal([2, 4, 3])
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1]])
    np.testing.assert_array_equal(layer(x, mask=mask), layer(x, mask=mask != 0))
