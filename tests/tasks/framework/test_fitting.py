"""Training: learning rates, averaged weights, memory."""

import contextlib
import math
import platform
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.data.batching import Batches
from tasks.data.errors import UserError
from tasks.framework import checkpoints, fitting, stages
from tasks.framework.configuration import TrainingConfig


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("inverse", [1, 1 / 1.5, 1 / 2, 1 / 2.5]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_falls_as_told(schedule, expected):
    training = TrainingConfig(schedule=schedule, decay=0.5, learning_rate=2.0)
    rates = [fitting.learning_rate(training, epoch, 4) for epoch in range(4)]
    np.testing.assert_allclose(rates, 2 * np.array(expected), atol=1e-5)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what only this C library can do")
def test_memory_that_is_freed_stays_with_the_program():
    """32 MB twenty times: pages are asked of the kernel once, not twenty times."""
    script = (
        "import resource; from tasks.framework import memory; assert memory.keep_freed()\n"
        "for _ in range(20): b'x' * 2**25\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)\n"
        "for _ in range(20): b'x' * 2**25\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(int, run.stdout.split())
    assert after - before < 2**25 // resource.getpagesize()


class Square(keras.Model):
    """A weight w with the loss w²."""

    def build(self, shape=None):
        self.w = self.add_weight(shape=(1,), initializer="ones", name="w")

    def call(self, inputs):
        return inputs["x"] * self.w

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return tf.reduce_sum(tf.square(y_pred))


def ones(steps):
    one = ({"x": np.ones([1, 1], "float32")}, np.zeros([1, 1], "float32"))
    return lambda _: Batches([()] * steps, lambda: one)


def test_weights_that_are_no_numbers_any_more_end_it_and_what_was_before_is_kept(tmp_path):
    training = TrainingConfig(optimizer="sgd", learning_rate=1e20, clip_norm=0.0, epochs=4)
    for _ in range(2):  # it is no other when it is resumed
        model = Square()
        fitting.compile_model(model, training)
        with pytest.raises(UserError, match=r"epoch 2: expected weights .* in another --model_dir"):
            fitting.fit(model, ones(1), lambda: 0.0, "score", str(tmp_path), training)
        (row,) = checkpoints.restore(str(tmp_path), stages.CHECKPOINT, all_of(model))
        assert row["epoch"] == 1 and np.isfinite(row["loss"])
        checkpoints.restore_best(model, str(tmp_path))
        assert np.isfinite(model.w.numpy()).all()


def all_of(model):
    return [*model.variables, *model.optimizer.variables]


def test_a_run_of_before_a_column_goes_on_with_it(tmp_path):
    training = TrainingConfig(epochs=2)
    model = Square()
    fitting.compile_model(model, training)
    old = {"epoch": 1, "loss": 1.0, "score": 0.0, "seconds": 1.0, "learning_rate": 0.1}
    checkpoints.save(str(tmp_path), stages.CHECKPOINT, all_of(model), [old])
    fitting.fit(model, ones(1), lambda: 1.0, "score", str(tmp_path), training, lambda: 2.5)
    header, first, second = (tmp_path / fitting.LOG).read_text().splitlines()
    assert header == "epoch,loss,score,seconds,learning_rate,validation_loss,scoring_seconds"
    assert first == "1,1.0,0.0,1.0,0.1,,"
    assert second.split(",")[5] == "2.5" and float(second.split(",")[6]) > 0


def test_the_average_is_scored_and_kept_and_training_goes_on_from_the_weights(tmp_path):
    """Step by step by hand."""
    w, momentum, average, averages, weights = 1.0, 0.0, 0.0, [], []
    for t in range(6):
        momentum = 0.9 * momentum - 0.1 * 2 * w
        w += momentum
        kept = min(0.5, t / (t + 9))  # it warms up
        average = kept * average + (1 - kept) * w
        averages.append(average)
        weights.append(w)

    training = TrainingConfig(
        optimizer="sgd", learning_rate=0.1, decay=0.0, clip_norm=0.0, average=0.5, patience=9,
        epochs=2,
    )  # fmt: skip
    model, scored = Square(), []
    fitting.compile_model(model, training)

    def score():
        scored.append(float(model.w.numpy()[0]))
        return -abs(scored[-1])

    history = fitting.fit(model, ones(3), score, "score", str(tmp_path), training)
    np.testing.assert_allclose(scored, [averages[2], averages[5]], rtol=1e-5)
    with np.load(tmp_path / stages.CHECKPOINT) as checkpoint:
        np.testing.assert_allclose(checkpoint["0"], weights[5], rtol=1e-5)
    best = min(range(2), key=lambda epoch: abs(scored[epoch]))
    np.testing.assert_allclose(model.w.numpy(), scored[best], rtol=1e-6)
    assert [row["epoch"] for row in history] == [1, 2]


def test_a_score_that_is_no_number_is_the_worst(tmp_path):
    """Weights that are numbers may overflow in 16 bits where they are scored."""
    training = TrainingConfig(
        optimizer="sgd", learning_rate=0.1, decay=0.0, clip_norm=0.0, patience=3, epochs=6
    )
    model, scored = Square(), []
    fitting.compile_model(model, training)

    def score():
        scored.append(float(model.w.numpy()[0]))
        return [math.nan, 0.6, 0.7, math.nan, 0.7, 0.1][len(scored) - 1]

    history = fitting.fit(model, ones(3), score, "score", str(tmp_path), training)
    assert len(history) == 6
    assert model.w.numpy()[0] == pytest.approx(scored[2])
    assert fitting.is_over([math.nan, math.nan], 1)


@pytest.mark.parametrize("fails", [False, True])
def test_the_log_for_tensorboard_is_closed(tmp_path, fails, monkeypatch):
    """A notebook that trains often would hold a file and a thread for each."""
    closed = []

    class Writer:
        def close(self):
            closed.append(self)

        def flush(self):
            pass

        def as_default(self, step):
            return contextlib.nullcontext()

    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    one = (np.ones([1, 1], "float32"), np.ones([1, 1], "float32"))

    def score():
        if fails:
            raise RuntimeError("no score")
        return 0.0

    monkeypatch.setattr(tf.summary, "create_file_writer", lambda folder: Writer())
    monkeypatch.setattr(tf.summary, "scalar", lambda *_: None)
    with pytest.raises(RuntimeError) if fails else contextlib.nullcontext():
        fitting.fit(
            model, lambda _: Batches([()], lambda: one), score, "score", str(tmp_path),
            TrainingConfig(epochs=1),
        )  # fmt: skip
    assert len(closed) == 1
