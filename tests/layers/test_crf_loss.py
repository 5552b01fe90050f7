"""The loss of a CRF in models that Keras compiles."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import CRF, CRFLoss, Stack
from layers.crf import field_of

TAGS = 3
RNG = np.random.default_rng(0)
LENGTHS = np.array([5, 3, 1, 4, 2, 5])
REAL = np.arange(5) < LENGTHS[:, None]
WORDS = np.where(REAL, RNG.integers(1, 9, [6, 5]), 0)
LABELS = np.where(REAL, RNG.integers(0, TAGS, [6, 5]), 7)  # 7 is no tag: padding is not read


def make(mask_zero=True, **arguments):
    """A model and its CRF, with random transitions."""
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=mask_zero)(words)
    crf = CRF(TAGS, **arguments)
    model = keras.Model(words, crf(keras.layers.Dense(TAGS)(x)))
    for i, weight in enumerate(crf.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model, crf


def losses_of(model, crf, mask=REAL):
    return crf.loss(model(WORDS), np.where(REAL, LABELS, 0), mask).numpy()


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_evaluate_and_fit_give_the_likelihood_of_the_crf(run_eagerly):
    model, crf = make()
    model.compile(keras.optimizers.SGD(0.1), CRFLoss(), run_eagerly=run_eagerly)
    expected = losses_of(model, crf).mean()
    assert model.evaluate(WORDS, LABELS, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(losses_of(model, crf, None).mean(), rel=1e-2)

    by_hand = keras.models.clone_model(model)
    by_hand.set_weights(model.get_weights())
    with tf.GradientTape() as tape:
        emissions = by_hand(WORDS, training=True)
        loss = tf.reduce_mean(
            by_hand.layers[-1].loss(emissions, np.where(REAL, LABELS, 0), REAL, training=True)
        )
    gradients = tape.gradient(loss, [w.value for w in by_hand.trainable_weights])
    assert model.train_on_batch(WORDS, LABELS) == pytest.approx(expected, rel=1e-5)
    for after, before, gradient in zip(
        model.trainable_weights, by_hand.trainable_weights, gradients, strict=True
    ):
        expected = np.asarray(before) - 0.1 * np.asarray(tf.convert_to_tensor(gradient))
        np.testing.assert_allclose(after, expected, atol=1e-5)


def test_fit_learns_and_finds_the_tags():
    model, crf = make()
    model.compile(keras.optimizers.Adam(0.05), CRFLoss())
    labels = np.where(REAL, WORDS % TAGS, 0)
    model.fit(WORDS, labels, epochs=40, verbose=0)
    best, _ = crf.decode(model.predict(WORDS, verbose=0), mask=REAL)
    np.testing.assert_array_equal(best, labels)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_other_precisions(policy):
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True, dtype=policy)(words)
    crf = CRF(TAGS, dtype=policy)
    model = keras.Model(words, crf(keras.layers.Dense(TAGS, dtype=policy)(x)))
    loss = CRFLoss(dtype="float64" if policy == "float64" else None)
    model.compile("sgd", loss)
    expected = losses_of(model, crf).mean()
    assert model.evaluate(WORDS, LABELS, verbose=0) == pytest.approx(expected, rel=1e-4)


# --- Weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [np.arange(6.0), np.arange(6.0)[:, None]])
def test_weights_of_sequences(weights):
    model, crf = make()
    model.compile("sgd", CRFLoss(), run_eagerly=True)
    expected = (losses_of(model, crf) * np.arange(6)).mean()
    loss = model.evaluate(WORDS, LABELS, sample_weight=weights, batch_size=6, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_zeros_in_weights_of_steps_are_padding_too():
    model, crf = make(mask_zero=False)
    model.compile("sgd", CRFLoss(), run_eagerly=True)
    expected = losses_of(model, crf).mean()
    loss = model.evaluate(WORDS, LABELS, sample_weight=REAL.astype("float32"), verbose=0)
    assert loss == pytest.approx(expected, rel=1e-5)

    model, crf = make()
    model.compile("sgd", CRFLoss(), run_eagerly=True)
    seen = RNG.random([6, 5]) < 0.7
    expected = losses_of(model, crf, REAL & seen).mean()
    loss = model.evaluate(WORDS, LABELS, sample_weight=np.float32(seen), verbose=0)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_weights_of_steps_other_than_0_and_1_are_refused():
    model, _ = make()
    model.compile("sgd", CRFLoss(), run_eagerly=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one for a sequence"):
        model.evaluate(WORDS, LABELS, sample_weight=np.full([6, 5], 0.5), verbose=0)


# --- Keras ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size", None])
def test_reductions_and_tags_with_one_column_more(reduction):
    model, crf = make()
    loss = CRFLoss(reduction=reduction)
    expected = losses_of(model, crf)
    expected = {"sum": expected.sum(), "sum_over_batch_size": expected.mean()}.get(
        reduction, expected
    )
    for labels in (LABELS, LABELS[:, :, None], LABELS.astype("float32")):
        np.testing.assert_allclose(loss(labels, model(WORDS)), expected, rtol=1e-5)


def test_a_compiled_model_is_saved_and_trains_on(tmp_path):
    model, _ = make()
    model.compile("adam", CRFLoss(reduction="sum"))
    model.fit(WORDS, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.reduction == "sum"
    expected = model.evaluate(WORDS, LABELS, verbose=0)
    assert again.evaluate(WORDS, LABELS, verbose=0) == pytest.approx(expected, rel=1e-6)
    assert again.train_on_batch(WORDS, LABELS) == pytest.approx(expected, rel=1e-5)


def test_one_of_two_outputs():
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(words)
    crf = CRF(TAGS, name="tags")
    tags = crf(keras.layers.Dense(TAGS)(x))
    length = keras.layers.Dense(1, name="length")(Stack("gru", 4, return_sequences=False)(x))
    model = keras.Model(words, {"tags": tags, "length": length})
    model.compile("sgd", {"tags": CRFLoss(), "length": "mse"}, run_eagerly=True)
    results = model.evaluate(
        WORDS, {"tags": LABELS, "length": LENGTHS[:, None]}, return_dict=True, verbose=0
    )
    expected = crf.loss(model(WORDS)["tags"], np.where(REAL, LABELS, 0), REAL)
    assert results["tags_loss"] == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)


def test_predictions_from_elsewhere_are_refused_with_advice():
    words = keras.Input((None,), dtype="int32")
    model = keras.Model(words, keras.layers.Dense(TAGS)(keras.layers.Embedding(9, 4)(words)))
    model.compile("sgd", CRFLoss(), run_eagerly=True)
    with pytest.raises(ValueError, match=r"predictions that a layers\.CRF layer returned"):
        model.train_on_batch(WORDS, LABELS)
    with pytest.raises(ValueError, match="Received a tensor from elsewhere"):
        field_of(tf.zeros([1, 2, 3]))
    model, _ = make()
    with pytest.raises(ValueError, match=r"sample_weight of shape \[batch\]"):
        CRFLoss()(LABELS, model(WORDS), np.ones([6, 5, 1], "float32"))
