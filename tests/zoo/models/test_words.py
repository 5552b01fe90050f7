"""What stands for a word: embeddings, vectors of others, both side by side."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs

from zoo.configuration import ClassifierConfig, TaggerConfig
from zoo.models import Classifier, Tagger, WordEmbedding
from zoo.text import UNKNOWN, WORD_BYTES

SIZES = {"vocabulary_size": 9, "units": 3, "embedding_dim": 4, "dropout": 0.0, "jit": False}
BESIDE = {"vectors": "beside", "vectors_dim": 2, "trained_size": 5}
OF_KIND = {
    "trained": {"embedding_dim": 2},
    "frozen": {"vectors": "frozen", "embedding_dim": 2},
    "beside": BESIDE,
}
VECTORS = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
WORDS = np.array([[2, 4, 7, 8, 0]])
every_kind = pytest.mark.parametrize("kind", OF_KIND)


def config_of(kind, **options):
    return TaggerConfig(**{**SIZES, **OF_KIND[kind], "tags": ("a", "b"), **options})


@every_kind
@without_graphs
def test_vectors_stand_for_all_words_of_the_vocabulary(kind):
    layer = WordEmbedding(config_of(kind), VECTORS)
    x = layer(WORDS).numpy()
    assert x.shape == (1, 5, layer.width)
    np.testing.assert_array_equal(x[..., -2:], VECTORS[WORDS])


@without_graphs
def test_beside_vectors_words_that_training_did_not_see_are_unknown():
    layer = WordEmbedding(config_of("beside"), VECTORS)
    own = layer(WORDS).numpy()[0, :, :4]
    unknown = layer(np.array([[UNKNOWN]])).numpy()[0, 0, :4]
    assert [np.array_equal(one, unknown) for one in own] == [False, False, True, True, False]


@without_graphs
def test_word_dropout_makes_words_unknown_to_the_embedding_alone():
    layer = WordEmbedding(config_of("beside", word_dropout=0.99), VECTORS)
    words = np.full([1, 50], 4)
    x = layer(words, training=True).numpy()
    unknown = layer(np.full([1, 50], UNKNOWN)).numpy()
    assert np.all(x[..., :4] == unknown[..., :4], axis=-1).mean() > 0.8
    np.testing.assert_array_equal(x[..., -2:], VECTORS[words])


def models(kind, **options):
    shape = {**SIZES, **OF_KIND[kind], **options}
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
        of_others = (embedding.beside or embedding.embedding).embeddings.numpy()
        assert np.array_equal(of_others, VECTORS) == (kind != "trained")
        if kind == "beside":
            assert len(embedding.trainable_variables) == 1


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
