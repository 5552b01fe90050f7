"""The softmax in turns against the whole one."""

import numpy as np
import pytest
import tensorflow as tf

from layers import softmax

RNG = np.random.default_rng(0)
A, W, B = (tf.constant(RNG.normal(size=size)) for size in ([5, 3], [6, 3], [6]))
TARGETS = tf.constant([0, 5, 2, 3, 1])
WEIGHTS = tf.constant([1.0, 0, 1, 2, 0.5], tf.float64)

in_turns = pytest.mark.parametrize("at_once", [1, 12, 1000])


def losses(a, w, b):
    scores = tf.matmul(a, w, transpose_b=True) + b
    return tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, scores)


def whole(a, w, b):
    return 3 * tf.reduce_sum(losses(a, w, b) * WEIGHTS)


def turns(a, w, b):
    return 3 * softmax.summed_cross_entropy(a, w, b, TARGETS, WEIGHTS)


def gradients(function):
    with tf.GradientTape() as tape:
        tape.watch([A, W, B])
        value = function(A, W, B)
    return [value, *tape.gradient(value, [A, W, B])]


def second_derivatives(function):
    with tf.GradientTape() as tape:
        tape.watch([A, W, B])
        size = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients(function)[1:]])
    return tape.gradient(size, [A, W, B])


@in_turns
@pytest.mark.parametrize("find", [gradients, second_derivatives])
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_values_and_derivatives_are_those_of_the_whole(mode, find, at_once, monkeypatch):
    monkeypatch.setattr(softmax, "_SCORES_AT_ONCE", at_once)

    def found():
        return find(turns)

    found = tf.function(found, autograph=False) if mode == "graph" else found
    for one, other in zip(found(), find(whole), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@in_turns
def test_log_probabilities_are_the_losses(at_once, monkeypatch):
    monkeypatch.setattr(softmax, "_SCORES_AT_ONCE", at_once)
    np.testing.assert_allclose(softmax.log_probabilities(A, W, B, TARGETS), -losses(A, W, B))


def test_no_rows_are_nothing():
    none = tf.zeros([0, 3])
    targets, weights = tf.zeros([0], tf.int32), tf.zeros([0])
    w, b = tf.ones([6, 3]), tf.ones([6])
    assert float(softmax.summed_cross_entropy(none, w, b, targets, weights)) == 0
    assert softmax.log_probabilities(none, w, b, targets).shape == [0]


@in_turns
def test_a_smooth_loss_is_that_of_targets_that_are_spread(at_once, monkeypatch):
    monkeypatch.setattr(softmax, "_SCORES_AT_ONCE", at_once)

    def smooth(a, w, b):
        return softmax.summed_cross_entropy(a, w, b, TARGETS, WEIGHTS, smoothing=0.3)

    def spread(a, w, b):
        y = 0.7 * tf.one_hot(TARGETS, 6, dtype=a.dtype) + 0.3 / 6
        log_p = tf.nn.log_softmax(tf.matmul(a, w, transpose_b=True) + b)
        return -tf.reduce_sum(y * log_p * WEIGHTS[:, None])

    for one, other in zip(gradients(smooth), gradients(spread), strict=True):
        one, other = (tf.convert_to_tensor(value) for value in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_numbers_of_16_bits_are_summed_in_float32(dtype):
    """Rounded once, at the end: a sum of 300 losses in 16 bits would be off by some hundredths."""
    rng = np.random.default_rng(0)
    a, w, b = (tf.cast(rng.normal(size=shape), dtype) for shape in ([300, 4], [10, 4], [10]))
    targets = tf.constant(rng.integers(0, 10, 300), tf.int32)
    weights = tf.ones([300], dtype)

    def results(*tensors):
        tensors = [tf.identity(tensor) for tensor in tensors]
        with tf.GradientTape() as tape:
            tape.watch(tensors[:3])
            loss = softmax.summed_cross_entropy(*tensors[:3], targets, tensors[3])
        return [loss, *tape.gradient(loss, tensors[:3])]

    found = results(a, w, b, weights)
    exact = results(*(tf.cast(tensor, "float32") for tensor in (a, w, b, weights)))
    likelihoods = softmax.log_probabilities(a, w, b, targets)
    assert {value.dtype.name for value in [*found, likelihoods]} == {dtype}
    for value, expected in zip(found, exact, strict=True):
        np.testing.assert_array_equal(np.float32(value), np.float32(tf.cast(expected, dtype)))
    exact_likelihoods = softmax.log_probabilities(
        *(tf.cast(t, "float32") for t in (a, w, b)), targets
    )
    np.testing.assert_array_equal(likelihoods, tf.cast(exact_likelihoods, dtype))
