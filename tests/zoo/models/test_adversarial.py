"""Classifiers that are trained on embeddings moved against them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from zoo.configuration import ClassifierConfig
from zoo.models import Classifier

SIZES = {"vocabulary_size": 9, "units": 3, "embedding_dim": 2, "labels": ("x", "y", "z")}
WORDS, Y = tf.constant([[2, 4, 7, 8, 0], [3, 0, 0, 0, 0], [5, 5, 6, 0, 0]]), tf.constant([2, 0, 1])
SHARE = 0.01
every_shape = pytest.mark.parametrize(
    "shape",
    [
        {"cell": "lstm"},
        {"cell": "gru", "pooling": "last", "bidirectional": False},
        {"cell": "rnn", "depth": 2, "pooling": "max"},
        {"cell": "none"},
    ],
    ids=lambda shape: shape["cell"],
)


def classifier(**options):
    keras.utils.set_random_seed(0)
    made_of = {"adversarial": SHARE, "jit": False, "dropout": 0.0, "word_dropout": 0.0, **options}
    model = Classifier(ClassifierConfig(**SIZES, **made_of))
    model.build()
    return model


def losses(model, x):
    """Of each text, from its embeddings."""
    scores = model._scores_of(x, WORDS > 0, training=False)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(Y, scores).numpy()


def moved(model, x, y=Y):
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = model._scores_of(x, WORDS > 0, training=False)
        both = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
    return model.moved(x, tape.gradient(both, x), WORDS > 0)


def norms(x):
    return np.sqrt((np.asarray(x) ** 2).sum(axis=(1, 2)))


@every_shape
@without_graphs
def test_embeddings_move_by_a_share_of_their_length_to_where_the_loss_rises_most(shape):
    model = classifier(**shape)
    real = (WORDS.numpy() > 0)[:, :, None]
    x = model.reader(WORDS)
    there = moved(model, x)
    r = (there - x).numpy()
    np.testing.assert_allclose(norms(r), SHARE * norms(x * real), rtol=1e-4)
    assert not np.any(r * ~real), "padding does not move"
    rise = losses(model, there) - losses(model, x)
    assert np.all(rise > 0)
    random = np.random.default_rng(0)
    for _ in range(20):
        other = random.normal(size=x.shape) * real
        other *= (norms(r) / norms(other))[:, None, None]
        assert np.all(losses(model, x + other) - losses(model, x) < rise * 1.01)


@every_shape
@without_graphs
def test_the_loss_is_the_mean_of_both_and_what_moved_is_a_constant(shape):
    model = classifier(**shape)
    inputs = {"words": WORDS}
    r = moved(model, model.reader(WORDS)) - model.reader(WORDS)
    with tf.GradientTape() as tape:
        total = model.compute_loss(inputs, Y, model(inputs, training=True), training=True)
    with tf.GradientTape() as wanted_tape:
        x = model.reader(WORDS)
        both = [
            tf.nn.sparse_softmax_cross_entropy_with_logits(
                Y, model._scores_of(vectors, WORDS > 0, training=True)
            )
            for vectors in (x, x + r)
        ]
        wanted = tf.reduce_mean(both)
    np.testing.assert_allclose(total, wanted, rtol=1e-5)
    variables = [variable.value for variable in model.trainable_variables]
    for one, other in zip(
        tape.gradient(total, variables), wanted_tape.gradient(wanted, variables), strict=True
    ):
        one, other = tf.convert_to_tensor(one), tf.convert_to_tensor(other)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@without_graphs
def test_only_training_moves_and_a_model_that_is_sure_stays_finite():
    model, plain = classifier(), classifier(adversarial=0.0)
    inputs = {"words": WORDS}
    scores = model(inputs, training=False)
    np.testing.assert_allclose(
        model.compute_loss(inputs, Y, scores, training=False),
        plain.compute_loss(inputs, Y, scores, training=False),
    )
    # Gradients whose squares are zeros, and those that are zeros themselves.
    for scale, least in ((60.0, 0.5), (1e4, 0.0)):
        sure = classifier()
        sure.scores.bias.assign(tf.one_hot(2, 3) * scale)
        x = sure.reader(WORDS)
        there = moved(sure, x, tf.constant([2, 2, 2]))
        assert np.all(np.isfinite(there))
        assert np.all(norms(there - x) >= least * SHARE * norms(x * (WORDS.numpy() > 0)[..., None]))


@pytest.mark.parametrize(
    "options", [{"inputs": "one_hot"}, {"cell": "none", "standard": "concatenated"}]
)
def test_one_hot_words_do_not_move(options):
    with pytest.raises(ValueError, match="adversarial: expected 0 where words are one-hot"):
        ClassifierConfig(**SIZES, adversarial=0.1, **options)


@without_graphs
def test_a_model_that_is_sure_has_a_gradient_in_float16():
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model, seen = classifier(), []
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    model.scores.bias.assign(tf.one_hot(2, 3) * 17)
    model.moved = lambda x, g, real: seen.append(g.numpy()) or x
    model.compute_loss({"words": WORDS}, tf.constant([2, 2, 2]), training=True)
    assert np.all(np.abs(seen[0]).max(axis=(1, 2)) > 0)


def test_a_compiled_step_is_adversarial():
    model, inputs = classifier(jit=True, adversarial=0.5), {"words": WORDS}
    model.scores.kernel.assign(model.scores.kernel * 10)
    plain, expected = (
        float(model.compute_loss(inputs, Y, model(inputs), training=training))
        for training in (False, True)
    )
    model.compile(keras.optimizers.SGD(0.0))
    found = model.fit(inputs, Y, verbose=0).history["loss"][0]
    assert found == pytest.approx(expected, rel=1e-4)
    assert found > plain * 1.01


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_it_trains_compiled_and_in_mixed_precision(precision):
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        model = classifier(jit=True, dropout=0.1)
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    model.compile(keras.optimizers.Adam(0.05))
    history = model.fit({"words": WORDS}, Y, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
