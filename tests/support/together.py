"""Trains small models in float64, alone or together: `python tests/support/together.py FOLDER A B`

A program of its own, since a process has one strategy, from its start on. `TF_CONFIG` says whether
it is a worker; without, it trains on two logical devices.
"""

# ruff: noqa: E402 - TensorFlow is imported quietly, before what needs it

import contextlib
import os
import sys

from zoo import quiet

quiet.import_tensorflow()

import keras
import numpy as np
import tensorflow as tf

from tasks.data import running
from tasks.data.batching import Batches
from tasks.framework import cluster, distribution, fitting
from tasks.framework.configuration import TrainingConfig
from zoo import text
from zoo.configuration import (
    ClassifierConfig,
    LanguageModelConfig,
    MusicConfig,
    TaggerConfig,
    WordPredictorConfig,
)
from zoo.models import Classifier, LanguageModel, MusicModel, Tagger, WordPredictor

ROWS, TIME, STEPS = 8, 5, 3
# More words than an embedding has that is sent whole.
WORDS = cluster.SENT_DENSE + 4
SMALL = {"units": 3, "embedding_dim": 2, "jit": False, "dropout": 0.0}


def words(random, step, highest=WORDS):
    """Sequences of any length, one of them empty; the last batch has one row, which is all that
    its first replica gets."""
    lengths = random.integers(1, TIME + 1, ROWS)
    lengths[1], lengths[5:] = 0, 1
    if step == STEPS - 1:
        lengths[1:] = 0
    return np.where(
        np.arange(TIME) < lengths[:, None], random.integers(1, highest, [ROWS, TIME]), 0
    ).astype(np.int32)


def tagger(random):
    config = TaggerConfig(
        vocabulary_size=WORDS, tags=("O", "B-X", "I-X"), character_dim=2, word_dropout=0.0, **SMALL
    )

    def batch(step):
        ids = words(random, step)
        letters = random.integers(1, 9, [ROWS, TIME, text.WORD_BYTES]).astype(np.uint8)
        letters[:4] = letters[4:]  # what one replica spells, another one does too
        inputs = {"words": ids, "shapes": np.sign(ids), "bytes": letters}
        return inputs, random.integers(0, 2, [ROWS, TIME]).astype(np.int32)

    return lambda: Tagger(config), [batch(step) for step in range(STEPS)]


def classifier(random, **options):
    config = ClassifierConfig(
        vocabulary_size=WORDS, labels=("a", "b"), max_length=TIME,
        **{"word_dropout": 0.0, **SMALL, **options},
    )  # fmt: skip

    def batch(step):
        return {"words": words(random, step)}, random.integers(0, 2, [ROWS]).astype(np.int32)

    return lambda: Classifier(config), [batch(step) for step in range(STEPS)]


def dropping(random):
    """What each replica drops is its own: it is compared with another run alone."""
    return classifier(random, dropout=0.5, word_dropout=0.5)


def predictor(random):
    """A sampled softmax, whose words all replicas draw alike."""
    config = WordPredictorConfig(vocabulary_size=WORDS, samples=9, **SMALL)
    answers = np.zeros([ROWS], np.int32)
    batches = [({"words": words(random, step)}, answers) for step in range(STEPS)]
    return lambda: WordPredictor(config), batches


def language(random):
    config = LanguageModelConfig(
        vocabulary_size=30, rows=ROWS, tied=False, word_dropout=0.0, recurrent_dropout=0.0, **SMALL
    )
    texts = [random.integers(1, 30, size).astype(np.int32) for size in (40, 9, 30, 21)]
    windows = running.windows(running.rows_of(texts, ROWS), TIME, random)
    answers = np.zeros([ROWS], np.int32)
    return lambda: LanguageModel(config), [(running.batch(w, TIME), answers) for w in windows]


def music(random):
    config = MusicConfig(units=3, jit=False, dropout=0.0, rows=ROWS, key_dropout=0.0, chain_units=2)

    def batch(fresh):
        frames = random.integers(0, 2, [ROWS, TIME, 88]).astype(np.uint8)
        inputs = {
            "frames": frames,
            "before": frames[:, 0] * np.uint8(not fresh),
            "real": random.integers(0, 2, [ROWS, TIME]) > 0,
            "fresh": np.full([ROWS], fresh),
        }
        return inputs, np.zeros([ROWS], np.int32)

    return lambda: MusicModel(config), [batch(step == 0) for step in range(STEPS)]


CASES = {
    "tagger": tagger,
    "classifier": classifier,
    "predictor": predictor,
    "language": language,
    "music": music,
}
# Clipping is active, and SGD, unlike Adam, would show a gradient of another length.
TRAININGS = {
    "tagger": TrainingConfig(clip_norm=0.01, average=0.5),
    "classifier": TrainingConfig(optimizer="sgd", clip_norm=0.01, learning_rate=1.0),
    "predictor": TrainingConfig(optimizer="sgd", clip_norm=0.01, learning_rate=1.0),
    "dropping": TrainingConfig(optimizer="sgd"),
    "language": TrainingConfig(optimizer="sgd", clip_norm=0.01, learning_rate=1.0),
    "music": TrainingConfig(clip_norm=0.0),
}
# Trained as if they had been stopped after the first epoch.
STOPPED = {"dropping", "language", "predictor"}


def train(team, folder, name, epochs=2):
    """Trains a case, or resumes it; what came of it is in its checkpoint."""
    make, whole = (dropping if name == "dropping" else CASES[name])(np.random.default_rng(0))
    training = TRAININGS[name].replace(epochs=epochs, batch_size=ROWS)
    keras.utils.set_random_seed(0)
    with fitting.precision("float64" if name != "music" else "float32"), team.scope():
        model = make()
        fitting.compile_model(model, training)
    part = team.part(ROWS)
    batches = Batches(
        [(batch,) for batch in whole], lambda batch: tf.nest.map_structure(part.of_rows, batch)
    )
    where = os.path.join(folder, name)
    os.makedirs(where, exist_ok=True)
    fitting.fit(model, lambda _: batches, lambda: 0.0, "score", where, training, team=team)
    return model


def main(folder, *names):
    # Each case has a function of its own, which TensorFlow takes for one that is traced again.
    tf.get_logger().setLevel("ERROR")
    # To optimize graphs takes longer than these run.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    kind = "multi_worker" if "TF_CONFIG" in os.environ else "mirrored"
    if kind == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    training = TrainingConfig(distribute=kind, batch_size=ROWS)
    with distribution.joined(training, "together", folder) as team:
        where = distribution.folder_of(team, folder, "together")
        for name in names:
            if name == "dropping":
                train(team, os.path.join(where, "in one go"), name)
            if name in STOPPED:
                train(team, where, name, epochs=1)
            train(team, where, name)
        distribution.end_with_the_chief(team)
        print(f"{team.replicas} replicas")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
