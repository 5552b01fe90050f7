"""What stands for a word: embeddings, vectors of others."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from zoo.configuration import ClassifierConfig, TaggerConfig
from zoo.models import Classifier, Tagger, WordEmbedding
from zoo.text import UNKNOWN, WORD_BYTES

SIZES = {"vocabulary_size": 9, "units": 3, "embedding_dim": 2, "dropout": 0.0, "jit": False}
VECTORS = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
WORDS = np.array([[2, 4, 7, 8, 0]])
every_kind = pytest.mark.parametrize("kind", ["trained", "frozen"])


def config_of(kind, **options):
    return TaggerConfig(**{**SIZES, "vectors": kind, "tags": ("a", "b"), **options})


@every_kind
@without_graphs
def test_vectors_stand_for_all_words_of_the_vocabulary(kind):
    layer = WordEmbedding(config_of(kind), VECTORS)
    x = layer(WORDS).numpy()
    assert x.shape == (1, 5, layer.width)
    np.testing.assert_array_equal(x, VECTORS[WORDS])


@every_kind
@without_graphs
def test_word_dropout_reads_words_as_unknown(kind):
    layer = WordEmbedding(config_of(kind, word_dropout=0.99), VECTORS)
    x = layer(np.full([1, 50], 4), training=True).numpy()
    assert np.all(x == VECTORS[UNKNOWN], axis=-1).mean() > 0.8


def models(kind, **options):
    shape = {**SIZES, "vectors": kind, **options}
    letters = tf.ones([2, 3, WORD_BYTES], tf.int32)
    words = tf.constant([[2, 7, 4], [8, 3, 0]])
    tagger = Tagger(TaggerConfig(**shape, tags=("a", "b"), crf=False), VECTORS)
    classifier = Classifier(ClassifierConfig(**shape, labels=("x", "y")), VECTORS)
    return [
        (tagger, {"words": words, "shapes": tf.sign(words), "bytes": letters}, words * 0),
        (classifier, {"words": words}, tf.constant([0, 1])),
    ]


@every_kind
@without_graphs
def test_frozen_vectors_stay_as_they_are(kind):
    for model, inputs, answers in models(kind):
        model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
        model.build()
        model.train_on_batch(inputs, answers)
        embedding = getattr(model.reader, "word_embedding", model.reader)
        assert np.array_equal(embedding.embedding.embeddings, VECTORS) == (kind == "frozen")


@every_kind
def test_a_model_starts_from_the_vectors_of_another_and_is_whole_in_a_file(kind, tmp_path):
    for model, inputs, _ in models(kind):
        model.build()
        other = type(model)(model.config)
        other.build()
        assert not np.allclose(other(inputs), model(inputs))
        other.start_from(model)
        np.testing.assert_array_equal(other(inputs), model(inputs))
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(inputs), model(inputs))
