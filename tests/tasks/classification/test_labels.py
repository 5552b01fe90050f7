"""A classification task knows a model's classes wherever the model is."""

import pytest
import tensorflow as tf

import zoo
from tasks.classification.sentiment import Sentiment
from zoo import text
from zoo.configuration import ClassifierConfig
from zoo.models import Classifier
from zoo.saving import ClassifierModule, InMemory, export

NAMES = ("bad", "so so", "good")


@pytest.fixture
def module(tmp_path):
    words = text.write_lines(str(tmp_path / "words.txt"), [text.UNKNOWN_WORD, "good"])
    names = text.write_lines(str(tmp_path / "labels.txt"), NAMES)
    vocabulary = text.Vocabulary(words)
    size = {"vocabulary_size": vocabulary.size, "units": 2, "embedding_dim": 2, "jit": False}
    model = Classifier(ClassifierConfig(labels=NAMES, **size))
    model({"words": tf.ones([1, 2], tf.int32)})
    return ClassifierModule(model, vocabulary, names, "start")


def check(model):
    one, two = Sentiment().predict(model, ["good", ""])
    assert tuple(one.probabilities) == NAMES
    assert [one.label, two.label] == model(["good", ""])["label"].tolist()


def test_predictions_of_a_model_in_memory(module):
    check(InMemory(module))


def test_predictions_of_a_saved_model_without_the_signature(module, tmp_path):
    export.save(module, {"serving_default": module.serving_default}, str(tmp_path / "old"))
    model = zoo.load(tmp_path / "old")
    assert "labels" not in model.signatures
    check(model)
