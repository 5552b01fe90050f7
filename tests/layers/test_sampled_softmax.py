"""The sampled softmax against TensorFlow's, on the same drawn words."""

import numpy as np
import pytest
import tensorflow as tf

from layers import sampled_softmax
from layers.sampled_softmax import summed_sampled_cross_entropy

RNG = np.random.default_rng(0)
SIZE, SAMPLES = 12, 5
A, W, B = (tf.constant(RNG.normal(size=size)) for size in ([7, 3], [SIZE, 3], [SIZE]))
# Some targets come twice, and some are among the drawn words.
TARGETS = tf.constant([0, 5, 2, 11, 0, 7, 3])
WEIGHTS = tf.constant([1.0, 0, 1, 2, 0.5, 1, 1], tf.float64)
DRAWN = tf.constant([3, 0, 8, 5, 10])


def ours(a, w, b):
    return 3 * summed_sampled_cross_entropy(a, w, b, TARGETS, WEIGHTS, DRAWN)


def stock(a, w, b):
    of_targets, of_drawn = (
        tf.cast(sampled_softmax.expected(ids, SAMPLES, SIZE), a.dtype) for ids in (TARGETS, DRAWN)
    )
    losses = tf.nn.sampled_softmax_loss(
        w, b, tf.cast(TARGETS[:, None], tf.int64), a, SAMPLES, SIZE,
        sampled_values=(tf.cast(DRAWN, tf.int64), of_targets[:, None], of_drawn),
    )  # fmt: skip
    return 3 * tf.reduce_sum(losses * WEIGHTS)


def gradients(function):
    with tf.GradientTape() as tape:
        tape.watch([A, W, B])
        value = function(A, W, B)
    return [value, *map(tf.convert_to_tensor, tape.gradient(value, [A, W, B]))]


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_values_and_gradients_are_tensorflows(mode, at_once, monkeypatch):
    monkeypatch.setattr(sampled_softmax, "_ROWS_AT_ONCE", at_once)

    def found():
        return gradients(ours)

    found = tf.function(found, autograph=False) if mode == "graph" else found
    for one, other in zip(found(), gradients(stock), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_large_scores_do_not_overflow():
    for one, other in zip(
        gradients(lambda a, w, b: ours(1000 * a, w, b)),
        gradients(lambda a, w, b: stock(1000 * a, w, b)),
        strict=True,
    ):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_gradients_are_of_the_rows_that_took_part():
    with tf.GradientTape() as tape:
        tape.watch(W)
        loss = ours(A, W, B)
    found = tape.gradient(loss, W)
    assert isinstance(found, tf.IndexedSlices)
    assert {*found.indices.numpy()} == {*DRAWN.numpy(), *TARGETS.numpy()}


def test_words_are_drawn_once_each_and_as_often_as_expected():
    drawn = [sampled_softmax.draw([7, seed], 20, 200).numpy() for seed in range(2000)]
    assert all(len({*some}) == 20 for some in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=200) / len(drawn)
    found = sampled_softmax.expected(np.arange(200), 20, 200).numpy()
    # Five standard deviations, and what the formula leaves out.
    np.testing.assert_allclose(counts, found, atol=5 * 0.5 / len(drawn) ** 0.5 + 0.01)
    assert found.sum() == pytest.approx(20) and found[0] > 10 * found[100]


def test_a_seed_draws_the_same_words_everywhere():
    one, again, other = (sampled_softmax.draw(s, 5, 50) for s in ([1, 2], [1, 2], [1, 3]))
    graph = tf.function(lambda: sampled_softmax.draw([1, 2], 5, 50))()
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one, graph)
    assert {*one.numpy()} != {*other.numpy()}


def test_no_rows_and_all_words():
    none = tf.zeros([0, 3])
    w, b = tf.ones([6, 3]), tf.ones([6])
    nothing = tf.zeros([0], tf.int32), tf.zeros([0])
    drawn = sampled_softmax.draw([0, 0], 2, 6)
    assert float(summed_sampled_cross_entropy(none, w, b, *nothing, drawn)) == 0
    one = tf.constant([4]), tf.ones([1])
    drawn = sampled_softmax.draw([0, 0], 6, 6)
    loss = summed_sampled_cross_entropy(tf.ones([1, 3]), w, b, *one, drawn)
    # Every word is drawn: the whole softmax.
    assert float(loss) == pytest.approx(np.log(6))


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_16_bits_are_close(dtype):
    def of(dtype):
        a, w, b = (tf.cast(value, dtype) for value in (A, W, B))
        weights = tf.cast(WEIGHTS, dtype)
        return summed_sampled_cross_entropy(a, w, b, TARGETS, weights, DRAWN)

    found = of(dtype)
    assert found.dtype == dtype
    np.testing.assert_allclose(tf.cast(found, tf.float64), of(tf.float64), rtol=0.02)
