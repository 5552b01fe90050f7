"""Small models that the stand-in of the server serves: one a task, and an odd one."""

import numpy as np
import tensorflow as tf

from zoo import text
from zoo.configuration import ClassifierConfig, LanguageModelConfig, TaggerConfig
from zoo.models import Classifier, LanguageModel, Tagger
from zoo.saving import ClassifierModule, LanguageModule, TaggerModule, export
from zoo.text.tokens import END_OF_TEXT, Tokens

WORDS = [text.UNKNOWN_WORD, "the", "cat", "smiled", ".", "teddy"]
ODD = """
  config {
    name: "odd"
    base_path: "/models/odd"
    model_platform: "tensorflow"
    model_version_policy { all { } }
    version_labels { key: "stable" value: 1 }
  }
"""
TASKS = "".join(
    f'config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" }}\n'
    for name in ("tagger", "classifier", "language")
)
TEXTS = ["Teddy smiled.", "", "the cat 👍🏽 é", "The cat smiled. " * 5]


class Odd(tf.Module):
    """What the models of the zoo have not: one output, all types, bytes, errors."""

    def __init__(self, version):
        super().__init__()
        self.version = version

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serving_default(self, text_):
        return {"length": self.version * tf.strings.length(text_)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="x"),
            tf.TensorSpec([None], tf.int64, name="n"),
            tf.TensorSpec([None], tf.bool, name="flag"),
        ]
    )
    def numbers(self, x, n, flag):
        return {
            "root": tf.sqrt(x),
            "double": tf.cast(x, tf.float64) / 3,
            "pairs": tf.stack([n, -n], axis=1),
            "flag": tf.logical_not(flag),
            "raw_bytes": tf.fill([tf.size(x)], b"\xff\x00a"),
            "raw": tf.fill([tf.size(x)], b"\xff\x01\xe2\x82"),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="n")])
    def fails(self, n):
        with tf.control_dependencies([tf.debugging.assert_positive(n, "n is to be positive")]):
            return {"n": tf.identity(n)}


def modules(folder):
    """A tagger, a classifier and a language model, before they are saved."""
    words = text.write_lines(str(folder / "vocabulary.txt"), WORDS)
    tokens = text.write_lines(str(folder / "tokens.txt"), [WORDS[0], END_OF_TEXT, *WORDS[1:]])
    names = ("O", "B-PER", "I-PER")
    lines = text.write_lines(str(folder / "names.txt"), names)
    vocabulary, one = text.Vocabulary(words), tf.ones([1, 2], tf.int32)
    size = {"vocabulary_size": vocabulary.size, "units": 4, "embedding_dim": 4, "cell": "rnn"}
    tagger = Tagger(TaggerConfig(tags=names, character_dim=2, **size))
    tagger({"words": one, "shapes": one, "bytes": tf.ones([1, 2, text.WORD_BYTES], tf.int32)})
    classifier = Classifier(ClassifierConfig(labels=names, max_length=8, **size))
    classifier({"words": one})
    reader = Tokens(tokens, "words")
    language = LanguageModel(LanguageModelConfig(**size | {"vocabulary_size": reader.size}))
    language({"targets": one, "before": one[0, :1], "fresh": one[0, :1] > 0})
    return {
        "tagger": TaggerModule(tagger, vocabulary, lines),
        "classifier": ClassifierModule(classifier, vocabulary, lines, "start"),
        "language": LanguageModule(language, reader),
    }


WARMUP = ("serving_default", {"text": tf.constant(["Teddy smiled."])})


def save(folder, name, module, names, warmup=(WARMUP,)):
    """Saves the next version where ODD and TASKS say."""
    signatures = {signature: getattr(module, signature) for signature in names}
    export.save(module, signatures, str(folder / "models" / name), warmup)


def save_odd(folder, version, warmup=()):
    save(folder, "odd", Odd(version), ("serving_default", "numbers", "fails"), warmup)


def check_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        if value.dtype == object:
            assert found[name].tolist() == value.tolist(), name
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-6)
