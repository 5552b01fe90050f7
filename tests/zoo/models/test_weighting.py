"""Weights of examples and classes in the losses, against NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from zoo import text
from zoo.configuration import (
    ClassifierConfig,
    LanguageModelConfig,
    TaggerConfig,
    WordPredictorConfig,
)
from zoo.models import Classifier, LanguageModel, Tagger, WordPredictor

RNG = np.random.default_rng(0)
SMALL = {"units": 4, "embedding_dim": 3, "dropout": 0.0, "word_dropout": 0.0, "jit": False}
LENGTHS = np.array([3, 5, 0, 1, 2, 4])
BATCH, TIME = len(LENGTHS), 5
REAL = np.arange(TIME) < LENGTHS[:, None]
WORDS = (RNG.integers(2, 20, REAL.shape) * REAL).astype(np.int32)
OF_TEXTS = RNG.uniform(0, 3, [BATCH]).astype(np.float32)
OF_WORDS = RNG.uniform(0, 3, REAL.shape).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 1], np.int32)
TAGS = RNG.integers(0, 3, REAL.shape).astype(np.int32)
BY_CLASS = {0: 0.5, 2: 4.0}
CLASS_WEIGHTS = np.array([0.5, 1.0, 4.0])


def classifier():
    return Classifier(ClassifierConfig(vocabulary_size=20, labels=("a", "b", "c"), **SMALL))


def tagger(crf):
    config = TaggerConfig(
        vocabulary_size=20, tags=("A", "B", "C"), crf=crf, character_dim=2, **SMALL
    )
    return Tagger(config)


def language_model(**options):
    return LanguageModel(LanguageModelConfig(vocabulary_size=20, **SMALL, **options))


def log_softmax(scores):
    return scores - np.log(np.sum(np.exp(scores), axis=-1, keepdims=True))


def chosen(scores, right):
    return -np.take_along_axis(log_softmax(np.asarray(scores, float)), right[..., None], -1)[..., 0]


def case(name, eagerly=True):
    """A compiled model, x, y, the loss of each example, and what divides the sum."""
    letters = RNG.integers(0, 256, [*REAL.shape, text.WORD_BYTES]) * REAL[:, :, None]
    x, y = {"words": WORDS}, LABELS
    if name == "classifier":
        model = classifier()
    elif name.startswith("tagger"):
        model, y = tagger(crf=name == "tagger with a CRF"), TAGS
        x |= {"shapes": np.minimum(WORDS, 5), "bytes": letters.astype(np.int32)}
    else:
        model = language_model(tied=name == "tied language model")
        x = {
            "targets": WORDS,
            "before": np.zeros(BATCH, np.int32),
            "fresh": np.ones(BATCH, bool),
        }
    model.build()
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(0, 0.5, variable.shape))
    model.compile(optimizer="sgd", jit_compile=False, run_eagerly=eagerly)
    model.optimizer.learning_rate = 0.0
    scores = model({key: tf.constant(value) for key, value in x.items()})
    if name == "classifier":
        return model, x, y, chosen(scores, LABELS) * (LENGTHS > 0), np.sum(LENGTHS > 0)
    if name == "tagger with a CRF":
        return model, x, y, model.crf.loss(scores, TAGS, REAL).numpy(), BATCH
    if name == "tagger":
        return model, x, y, chosen(scores, TAGS) * REAL, BATCH
    scores = model.scores(scores).numpy()
    return model, x, np.zeros(BATCH, np.int32), chosen(scores, WORDS) * REAL, REAL.sum()


CASES = ["classifier", "tagger", "tagger with a CRF", "language model", "tied language model"]


def losses_of(model, x, y, weights):
    """By `fit`, `evaluate` and `train_on_batch`, none of which learns."""
    arguments = {"sample_weight": weights}
    yield model.train_on_batch(x, y, **arguments)
    yield model.evaluate(x, y, verbose=0, batch_size=BATCH, **arguments)
    whole = {"verbose": 0, "batch_size": BATCH, "shuffle": False}
    yield model.fit(x, y, **whole, **arguments).history["loss"][0]
    batch = (x, y) if weights is None else (x, y, weights)
    data = tf.data.Dataset.from_tensor_slices(batch).batch(BATCH)
    yield model.fit(data, verbose=0, shuffle=False).history["loss"][0]
    yield model.evaluate(data, verbose=0)


@pytest.mark.parametrize(
    ("name", "eagerly"), [*((name, True) for name in CASES), ("language model", False)]
)
def test_weights_of_examples(name, eagerly):
    model, x, y, losses, count = case(name, eagerly)
    most = OF_TEXTS if losses.ndim == 1 else OF_WORDS
    for weights in [None, OF_TEXTS, OF_TEXTS[:, None], most] if eagerly else [most]:
        weighted = 1.0 if weights is None else weights
        if weights is not None and losses.ndim > weights.ndim:
            weighted = weights[:, None]
        if weights is not None and losses.ndim < weights.ndim:
            weighted = weights[:, 0]
        expected = np.sum(losses * weighted) / count
        ways = losses_of(model, x, y, weights)
        # Graphs take long to trace: one to fit and one to evaluate.
        for found in ways if eagerly else itertools.islice(ways, 2):
            assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "eagerly"), [("classifier", True), ("tagger", True), ("classifier", False)]
)
def test_weights_of_classes(name, eagerly):
    model, x, y, losses, count = case(name, eagerly)
    expected = np.sum(losses * CLASS_WEIGHTS[y]) / count
    plain = np.sum(losses) / count
    names = model.weighted_classes()
    by_name = {names[number]: weight for number, weight in BY_CLASS.items()}
    whole = {"verbose": 0, "batch_size": BATCH, "shuffle": False}
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)
    for weights, loss in ((BY_CLASS, expected), (None, plain), (by_name, expected)):
        fitted = model.fit(x, y, class_weight=weights, validation_data=(x, y), **whole).history
        assert fitted["loss"][0] == pytest.approx(loss, rel=1e-5)
        assert fitted["val_loss"][0] == pytest.approx(plain, rel=1e-5)
        if not eagerly:  # a graph takes long to trace
            continue
        found = [
            model.fit(data, class_weight=weights, verbose=0, shuffle=False).history["loss"][0],
            model.train_on_batch(x, y, class_weight=weights),
            model.train_on_batch(x, y, None, weights),
        ]
        assert found == pytest.approx([loss] * 3, rel=1e-5)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(plain, rel=1e-5)
    if not eagerly:
        return
    both = model.train_on_batch(x, y, sample_weight=OF_TEXTS, class_weight=BY_CLASS)
    of_texts = OF_TEXTS.reshape([-1, *[1] * (losses.ndim - 1)])
    expected = np.sum(losses * CLASS_WEIGHTS[y] * of_texts) / count
    assert both == pytest.approx(expected, rel=1e-5)


@without_graphs
def test_a_weight_is_learnt_with():
    """A step down the gradient is as long as the weight is large."""
    model, x, y, *_ = case("classifier")
    model.optimizer.learning_rate = 0.1
    before, steps = model.get_weights(), []
    one = {key: value[:1] for key, value in x.items()}
    for weights in ({}, {"sample_weight": np.array([3.0])}, {"class_weight": {"a": 3.0}}):
        model.set_weights(before)
        model.train_on_batch(one, y[:1], **weights)
        steps.append(model.scores.bias.numpy() - before[-1])
    np.testing.assert_allclose(steps[1], 3 * steps[0], rtol=1e-4)
    np.testing.assert_allclose(steps[2], 3 * steps[0], rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
@without_graphs
def test_numbers_of_classes_may_be_integers_of_any_size(name):
    model, x, y, losses, count = case(name)
    for kind in (np.uint8, np.int16, np.uint32, np.int64):
        found = model.evaluate(x, y.astype(kind), verbose=0)
        assert found == pytest.approx(np.sum(losses) / count, rel=1e-5)


@pytest.mark.parametrize("name", ["tagger", "tagger with a CRF"])
@without_graphs
def test_numbers_of_tags_are_no_floating_ones(name):
    model, x, y, *_ = case(name)
    with pytest.raises(ValueError, match=r"^y: expected the numbers of tags, .* Received: float32"):
        model.train_on_batch(x, y.astype(np.float32))


@pytest.mark.parametrize("name", ["tagger with a CRF", "language model"])
@without_graphs
def test_classes_that_weigh_nothing_are_refused(name):
    model, x, y, *_ = case(name)
    for method in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match=r"^class_weight: expected none, .*sample_weight"):
            method(x, y, class_weight={0: 2.0})


@pytest.mark.parametrize("given", [{3: 1.0}, {-1: 1.0}, {"d": 1.0}, {0: -1.0}, {0: np.nan}])
@without_graphs
def test_weights_that_are_none(given):
    model, x, y, *_ = case("classifier")
    with pytest.raises(ValueError, match=r"^class_weight: expected weights .*\['a', 'b', 'c'\]"):
        model.fit(x, y, class_weight=given)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("classifier", [BATCH, TIME]),
        ("tagger with a CRF", [BATCH, TIME]),
        ("tagger", [BATCH, TIME + 1]),
        ("tagger", [BATCH, TIME, 1]),
        ("language model", [BATCH, TIME - 1]),
    ],
)
@without_graphs
def test_weights_of_another_shape_are_refused(name, shape):
    model, x, y, *_ = case(name)
    weights = np.ones(shape, np.float32)
    for method in (model.fit, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match=r"sample_weight: expected one weight for each"):
            method(x, y, sample_weight=weights)


@pytest.mark.parametrize("bidirectional", [True, False])
@without_graphs
def test_words_before_and_after_are_weighted_where_they_are_predicted(bidirectional):
    config = WordPredictorConfig(
        vocabulary_size=20, samples=20, bidirectional=bidirectional, **SMALL
    )
    model = WordPredictor(config)
    model.build()
    x = {"words": tf.constant(WORDS)}
    states = model(x)

    def loss(weights):
        tf.random.set_seed(0)  # the words that are compared with
        return float(model.compute_loss(x, y_pred=states, sample_weight=weights))

    plain = loss(None)
    assert loss(np.full([BATCH], 2.0)) == pytest.approx(2 * plain, rel=1e-5)
    each = [loss(np.eye(BATCH)[row]) for row in range(BATCH)]
    assert sum(each) == pytest.approx(plain, rel=1e-5)
    assert sum(w * e for w, e in zip(OF_TEXTS, each, strict=True)) == pytest.approx(
        loss(OF_TEXTS), rel=1e-5
    )
    first = np.zeros(REAL.shape)
    first[:, 0] = 1  # predicted from behind alone
    assert (loss(first) > 0) == bidirectional


@without_graphs
def test_sampled_softmax_is_weighted_too():
    model = language_model(sampled_softmax=20)
    model.build()
    x = {"targets": tf.constant(WORDS), "before": tf.zeros([BATCH], tf.int32)}
    a = model(x | {"fresh": tf.ones([BATCH], tf.bool)})

    def loss(weights):
        tf.random.set_seed(0)
        return float(model.compute_loss(x, y_pred=a, sample_weight=weights))

    each = [loss(np.eye(BATCH)[row]) for row in range(BATCH)]
    total = sum(w * e for w, e in zip(OF_TEXTS, each, strict=True))
    assert total == pytest.approx(loss(OF_TEXTS), rel=1e-5)


@pytest.mark.parametrize("adversarial", [0.0, 0.1])
@without_graphs
def test_classes_may_be_probabilities(adversarial):
    model = Classifier(
        ClassifierConfig(
            vocabulary_size=9, labels=("a", "b", "c"), units=4, embedding_dim=3, dropout=0.0,
            word_dropout=0.0, jit=False, adversarial=adversarial, cell="none",
        )
    )  # fmt: skip
    x, y = {"words": tf.constant([[2, 3], [4, 0], [0, 0]])}, np.array([2, 0, 1])
    model.build()
    scores = model(x)

    def loss(targets):
        return float(model.compute_loss(x, tf.constant(targets), scores))

    whole = np.eye(3, dtype=np.float32)[y]
    assert loss(whole) == pytest.approx(loss(y), rel=1e-5)
    if adversarial:
        return
    shares = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.1, 0.8, 0.1]], np.float32)
    log_p = np.log(model.probabilities(x).numpy())
    assert loss(shares) == pytest.approx(-np.sum((shares * log_p)[:2]) / 2, rel=1e-5)
    model.compile(keras.optimizers.SGD(0.0))
    found = model.fit(x, shares, class_weight={"a": 3.0, "c": 0.5}, verbose=0).history["loss"][0]
    weighted = shares * np.array([3.0, 1.0, 0.5], np.float32)
    assert found == pytest.approx(-np.sum((weighted * log_p)[:2]) / 2, rel=1e-5)
    # What a step learns is the gradient of that, also where only classes of no weight are left.
    before = model.get_weights()[-1]
    model.optimizer.learning_rate = 1.0
    model.train_on_batch(x, np.eye(3, dtype=np.float32)[[1, 1, 1]], class_weight={"b": 0.0})
    np.testing.assert_array_equal(model.get_weights()[-1], before)
    model.train_on_batch(x, shares, class_weight={"a": 3.0, "c": 0.5})
    p = np.exp(log_p)
    gradient = weighted.sum(axis=1, keepdims=True) * p - weighted
    np.testing.assert_allclose(
        before - model.get_weights()[-1], gradient[:2].sum(axis=0) / 2, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(([BATCH, *more], "float32") for more in ([], [1], [2], [3, 1])),
        *(([BATCH, *more], "int32") for more in ([1], [3])),
        ([BATCH], "bool"),
    ],
)
@without_graphs
def test_what_are_no_classes_is_refused(shape, dtype):
    model, x, *_ = case("classifier")
    expected = rf"^y: expected the numbers of .*\[batch, 3\]. Received: {dtype} of shape \({BATCH},"
    for method in (model.fit, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match=expected):
            method(x, np.ones(shape, dtype))
