"""Every model is whole in a `.keras` file, and in its configuration."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs
from programs import ROOT

from tasks.framework import fitting
from tasks.framework.configuration import TrainingConfig
from zoo import text
from zoo.configuration import (
    ClassifierConfig,
    EncoderDecoderConfig,
    LanguageModelConfig,
    MusicConfig,
    TaggerConfig,
    WordPredictorConfig,
)
from zoo.models import (
    Classifier,
    EncoderDecoder,
    LanguageModel,
    MusicModel,
    Tagger,
    WordPredictor,
)

RNG = np.random.default_rng(0)
SMALL = {"vocabulary_size": 9, "units": 4, "embedding_dim": 3, "jit": False}
TAGS = ("O", "B-PER", "I-PER")
WORDS = np.array([[4, 2, 1], [5, 0, 0]], np.int32)
LETTERS = RNG.integers(1, 200, [2, 3, text.WORD_BYTES]).astype(np.int32)
TAGGED = {"words": WORDS, "shapes": np.sign(WORDS), "bytes": LETTERS * np.sign(WORDS)[..., None]}
READ = {"words": WORDS}
TRANSLATED = {"source": WORDS, "targets": np.array([[3, 2], [2, 0]], np.int32)}
TOLD = {"targets": WORDS, "before": np.zeros(2, np.int32), "fresh": np.ones(2, bool)}

PLAYED = {
    "frames": RNG.integers(0, 2, [2, 3, 88]).astype(np.uint8),
    "before": np.zeros([2, 88], np.uint8),
    "real": WORDS > 0,
    "fresh": np.ones(2, bool),
}


def tagger(**options):
    options = {**SMALL, "character_dim": 2, "tags": TAGS, **options}
    return lambda: (Tagger(TaggerConfig(**options)), TAGGED, np.sign(WORDS))


def classifier(**options):
    options = {**SMALL, "labels": ("bad", "good"), "max_length": 3, **options}
    return lambda: (Classifier(ClassifierConfig(**options)), READ, np.array([0, 1]))


def language_model(**options):
    config = LanguageModelConfig(**{**SMALL, **options})
    return lambda: (LanguageModel(config), TOLD, np.zeros(2))


def encoder_decoder(**options):
    config = EncoderDecoderConfig(**{**SMALL, **options})
    return lambda: (EncoderDecoder(config), TRANSLATED, np.zeros(2))


def music(**options):
    config = MusicConfig(**{"units": 4, "chain_units": 3, "jit": False, **options})
    return lambda: (MusicModel(config), PLAYED, np.zeros(2))


def word_predictor(**options):
    config = WordPredictorConfig(**{**SMALL, "samples": 2, **options})
    return lambda: (WordPredictor(config), READ, np.zeros(2))


MAKERS = {
    "tagger": tagger(),
    "tagger_deep": tagger(depth=2, cell="gru", bidirectional=False, recurrent_dropout=0.1),
    "tagger_of_neither": tagger(crf=False, cell="none"),
    "classifier": classifier(),
    "classifier_last": classifier(pooling="last", depth=2, cell="gru_simplified"),
    "classifier_max": classifier(pooling="max", cell="rnn", inputs="one_hot"),
    "classifier_mean": classifier(pooling="mean", cell="gru_reset_after"),
    "classifier_concatenated": classifier(cell="none", standard="concatenated"),
    "encoder_decoder": encoder_decoder(),
    "encoder_decoder_without_attention": encoder_decoder(attention="none", depth=2, cell="gru"),
    "encoder_decoder_fed": encoder_decoder(
        attention="additive", input_feeding=True, tied=False, depth=2, recurrent_dropout=0.1
    ),
    "encoder_decoder_dot": encoder_decoder(
        attention="dot", bidirectional=False, source_vocabulary_size=8, cell="rnn"
    ),
    "language_model": language_model(),
    "language_model_of_rows": language_model(rows=2, depth=2, dropout=0.3),
    "language_model_untied": language_model(
        tied=False, sampled_softmax=4, cell="gru", weight_dropout=0.2
    ),
    "music": music(),
    "music_of_rows": music(output="independent", rows=2, depth=2, cell="gru", key_dropout=0.1),
    "word_predictor": word_predictor(),
    "classifier_in_bfloat16": classifier(cell="rnn", dropout=0.0),
}


# One of each class.
TRAINED = {"tagger", "classifier", "encoder_decoder", "language_model", "music", "word_predictor"}


def make(name):
    """A compiled model, which may have been trained for a step, its inputs and what is right."""
    with fitting.precision("mixed_bfloat16" if "bfloat16" in name else "float32"):
        model, inputs, answers = MAKERS[name]()
    fitting.compile_model(model, TrainingConfig(learning_rate=0.1))
    if name in TRAINED:
        model.train_on_batch(inputs, answers)
    return model, inputs, answers


def outputs(model, inputs):
    return keras.ops.convert_to_numpy(keras.ops.cast(model(inputs, training=False), "float32"))


# What a user does, who has these two packages and the files.
ELSEWHERE = """
import json, sys
import keras, zoo
import numpy as np
import tensorflow as tf
tf.config.run_functions_eagerly(True)  # faster than graphs for a single call
folder = sys.argv[1]
said = {}
for name in sys.argv[2:]:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    inputs = dict(np.load(f"{folder}/{name}.npz"))
    answers = inputs.pop("answers")
    found = keras.ops.cast(model(inputs, training=False), "float32")
    np.save(f"{folder}/{name}.npy", keras.ops.convert_to_numpy(found))
    steps = int(model.optimizer.iterations)
    loss = float(model.train_on_batch(inputs, answers)) if steps else 0.0
    said[name] = [model.config.as_dict(), model.dtype_policy.name, loss, steps, len(model.weights)]
assert "tasks" not in sys.modules
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def models():
    tf.config.run_functions_eagerly(True)
    made = {name: make(name) for name in MAKERS}
    tf.config.run_functions_eagerly(False)
    return made


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    for name, (model, inputs, answers) in models.items():
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", answers=answers, **inputs)
    return folder


@pytest.fixture(scope="module")
def elsewhere(folder):
    """All of them loaded in one fresh process."""
    command = [sys.executable, "-c", ELSEWHERE, str(folder), *MAKERS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", MAKERS)
@without_graphs
def test_a_fresh_process_loads_the_file_and_gives_the_same_outputs(name, models, folder, elsewhere):
    model, inputs, _ = models[name]
    config, policy, loss, iterations, weights = elsewhere[name]
    assert type(model).configuration.from_dict(config) == model.config
    assert policy == model.dtype_policy.name
    assert np.isfinite(loss)
    assert (iterations, weights) == (int(name in TRAINED), len(model.weights))
    np.testing.assert_allclose(np.load(folder / f"{name}.npy"), outputs(model, inputs), atol=1e-6)


@pytest.mark.parametrize("name", MAKERS)
@without_graphs
def test_a_configuration_is_all_that_a_copy_needs(name, models):
    model, inputs, _ = models[name]
    described = json.loads(json.dumps(model.get_config()))
    assert described["config"] == model.config.as_dict()
    copy = type(model).from_config(described)
    copy.build()
    assert copy.config == model.config
    assert copy.dtype_policy.name == model.dtype_policy.name
    shapes = [[tuple(w.shape) for w in one.weights] for one in (model, copy)]
    assert shapes[0] == shapes[1]
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(outputs(copy, inputs), outputs(model, inputs), atol=1e-6)


@pytest.mark.parametrize("name", ["tagger", "classifier_concatenated", "language_model_of_rows"])
@without_graphs
def test_weights_alone_are_in_a_file_too(name, models, tmp_path):
    model, inputs, _ = models[name]
    model.save_weights(tmp_path / "a.weights.h5")
    other = make(name)[0]
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(outputs(other, inputs), outputs(model, inputs), atol=1e-6)


def test_what_a_configuration_lacks_is_named():
    with pytest.raises(ValueError, match=r"Tagger: expected a TaggerConfig\. Received: Cla"):
        Tagger(ClassifierConfig(vocabulary_size=9))
    with pytest.raises(ValueError, match="expected a configuration with vocabulary_size"):
        LanguageModel(LanguageModelConfig())
    with pytest.raises(ValueError, match="expected a configuration with tags"):
        Tagger(TaggerConfig(vocabulary_size=9))
    with pytest.raises(ValueError, match="expected a configuration with labels"):
        Classifier(ClassifierConfig(vocabulary_size=9))


def test_a_file_of_another_version_is_read_with_defaults(models):
    """A field that is not there yet, and one that is no more."""
    model, _, _ = models["tagger"]
    described = model.get_config()
    del described["config"]["recurrent_dropout"]
    described["config"]["of another version"] = 3
    assert Tagger.from_config(described).config == model.config
