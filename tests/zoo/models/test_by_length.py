"""Texts in groups of like length give what each gives alone, in as little as they are long."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from zoo import text
from zoo.configuration import ClassifierConfig, LanguageModelConfig, TaggerConfig
from zoo.models import Classifier, LanguageModel, Tagger, by_length, language_model
from zoo.models.by_length import in_groups

pytestmark = pytest.mark.usefixtures("optimized_graphs")

RNG = np.random.default_rng(0)
SMALL = {"units": 4, "embedding_dim": 3, "jit": False}
LENGTHS = {
    "like": [3, 5, 4],
    "unlike": [2, 70, 0, 5, 1, 30, 0, 3],
    "one": [9],
    "one long": [90],
    "empty": [0, 0],
    "none": [],
}


@pytest.fixture(params=["as it is", "in groups"])
def small(request, monkeypatch):
    """Groups and windows of so few steps that there are several."""
    if request.param == "in groups":
        monkeypatch.setattr(by_length, "_FEW_STEPS", 0)
        monkeypatch.setattr(by_length, "_SHORT", 2)
        monkeypatch.setattr(by_length, "STEPS_AT_ONCE", 16)
        monkeypatch.setattr(language_model, "STEPS_AT_ONCE", 16)


def ragged(lengths, low=2, high=30):
    values = tf.constant(RNG.integers(low, high, sum(lengths)), tf.int32)
    return tf.RaggedTensor.from_row_lengths(values, tf.constant(lengths, tf.int64))


def randomized(model):
    model.build()
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(0, 0.5, variable.shape))
    return model


@pytest.mark.parametrize("case", LENGTHS)
def test_answers_are_in_the_order_of_the_rows(case, small):
    rows = ragged(LENGTHS[case])
    seen = []

    def answer(group):
        padded = group.padded(rows.flat_values)
        tf.py_function(lambda some: seen.append(some.shape), [padded], [])
        doubled = tf.gather_nd(2 * padded, tf.where(padded > 0))
        return [tf.reduce_sum(padded, axis=1), doubled]

    @tf.function(autograph=False)
    def run():
        zeros = tf.zeros([rows.nrows()], tf.int32), tf.zeros_like(rows.flat_values)
        return in_groups(
            rows.row_lengths(), answer, [zeros[0]], [zeros[1]], rows.row_splits, 3,
            steps_at_once=by_length.STEPS_AT_ONCE,
        )  # fmt: skip

    sums, doubled = run()
    np.testing.assert_array_equal(sums, tf.reduce_sum(rows, axis=1))
    np.testing.assert_array_equal(doubled, 2 * rows.flat_values)
    if by_length.STEPS_AT_ONCE == 16:
        assert all(rows == 1 or rows * time <= 16 for rows, time in seen)
        assert sum(rows * time for rows, time in seen) <= 3 * sum(LENGTHS[case]) + 16


def test_a_long_row_does_not_pad_the_others():
    lengths = tf.constant([20_000, *[10] * 999], tf.int64)
    seen = []

    def answer(group):
        size = tf.shape(group.of(lengths))
        tf.py_function(lambda n, t: seen.append((int(n), int(t))), [size[0], group.longest], [])
        return [group.of(lengths)]

    (found,) = tf.function(lambda: in_groups(lengths, answer, [tf.zeros([1000], tf.int64)]))()
    np.testing.assert_array_equal(found, lengths)
    assert seen == [(1, 20_000), (999, 10)]


def traced(function, *others):
    """One graph for ragged texts of any length, as a SavedModel has it."""
    spec = tf.RaggedTensorSpec([None, None], tf.int32, 1, tf.int64)
    return tf.function(function, [*others, spec], autograph=False)


# In groups for every number of states; as it is, in one go, for one.
of_cells = functools.partial(pytest.mark.parametrize, indirect=["small"])


@of_cells(
    ("small", "cell", "crf"),
    [
        ("as it is", "rnn", False),
        ("in groups", "none", True),
        ("in groups", "rnn", False),
        ("in groups", "lstm", True),
    ],
)
def test_sentences_are_tagged_as_padded_ones_are(cell, crf, small):
    config = TaggerConfig(
        cell=cell, vocabulary_size=30, tags=("O", "B-X", "I-X"), crf=crf, character_dim=3, **SMALL
    )
    model = randomized(Tagger(config))
    letters = RNG.integers(97, 120, [12, text.WORD_BYTES])
    letters *= np.arange(text.WORD_BYTES) < RNG.integers(0, text.WORD_BYTES, [12, 1])
    distinct = {
        "words": tf.constant(RNG.integers(1, 30, 12), tf.int32),
        "shapes": tf.constant(RNG.integers(1, 5, 12), tf.int32),
        "bytes": tf.constant(letters, tf.uint8),
    }
    specs = {n: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for n, v in distinct.items()}
    decode = traced(model.decode_sentences, specs)
    for lengths in LENGTHS.values():
        which = ragged(lengths, 0, 12)
        tags, confidence = decode(distinct, which)
        padded = {
            name: which.with_flat_values(tf.gather(values, which.flat_values)).to_tensor()
            for name, values in distinct.items()
        }
        mask = tf.sequence_mask(which.row_lengths())
        best, probability = model.decode(padded)
        np.testing.assert_array_equal(tags, tf.boolean_mask(best, mask))
        np.testing.assert_allclose(confidence, tf.boolean_mask(probability, mask), atol=1e-5)
        assert tags.dtype == tf.int32 and confidence.dtype == tf.float32


@of_cells(
    ("small", "cell"),
    [("as it is", "rnn"), ("in groups", "none"), ("in groups", "gru_reset_after")],
)
def test_texts_are_classified_as_padded_ones_are(cell, small):
    config = ClassifierConfig(cell=cell, vocabulary_size=30, labels=("a", "b", "c"), **SMALL)
    model = randomized(Classifier(config))
    classify = traced(model.classify_texts)
    for lengths in LENGTHS.values():
        words = ragged(lengths)
        expected = model.probabilities({"words": words.to_tensor()})
        np.testing.assert_allclose(classify(words), expected, atol=1e-6)


@of_cells(("small", "cell"), [("as it is", "rnn"), ("in groups", "rnn"), ("in groups", "lstm")])
def test_texts_are_scored_and_read_as_padded_ones_are(cell, small):
    config = LanguageModelConfig(cell=cell, vocabulary_size=30, depth=2, **SMALL)
    model = randomized(LanguageModel(config))
    score, read = traced(model.score_texts), traced(model.read_texts)
    for lengths in LENGTHS.values():
        ids, count = ragged(lengths), len(lengths)
        padded, before = ids.to_tensor(), tf.zeros([count], tf.int32)
        expected, _ = model.log_probabilities(padded, before, model.zero_states(count))
        np.testing.assert_allclose(score(ids), tf.boolean_mask(expected, padded > 0), atol=1e-5)

        a, states = read(ids)
        assert a.shape == [count, 3]
        for row in range(count):
            inputs = tf.concat([[0], ids[row]], axis=0)[None]
            whole, last = model.run(inputs, model.zero_states(1))
            np.testing.assert_allclose(a[row], whole[0, -1], atol=1e-5)
            for state, one in zip(states, last, strict=True):
                np.testing.assert_allclose(state[row], one[0], atol=1e-5)
