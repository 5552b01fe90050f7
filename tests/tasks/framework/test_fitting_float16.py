"""Averaged weights in float16, where Keras wraps the optimizer in one that scales the loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.data.batching import Batches
from tasks.framework import fitting, stages
from tasks.framework.configuration import TrainingConfig

STEPS, EPOCHS = 3, 2


class Square(keras.Model):
    """A weight w with the loss factor * w²."""

    def __init__(self, factor):
        super().__init__(dtype="mixed_float16")
        self.factor = factor

    def build(self, shape=None):
        self.w = self.add_weight(shape=(1,), initializer="ones", name="w")

    def call(self, inputs):
        return inputs["x"] * tf.cast(self.w, self.compute_dtype)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.factor * tf.reduce_sum(tf.square(tf.cast(y_pred, tf.float32)))


def batches(_):
    one = ({"x": np.ones([1, 1], "float32")}, np.zeros([1, 1], "float32"))
    return Batches([()] * STEPS, lambda: one)


def fit(model, folder):
    training = TrainingConfig(
        optimizer="sgd", learning_rate=0.1, decay=0.0, clip_norm=0.0, average=0.5, patience=9,
        epochs=EPOCHS,
    )  # fmt: skip
    scored = []
    fitting.compile_model(model, training)
    assert isinstance(model.optimizer, keras.mixed_precision.LossScaleOptimizer)

    def score():
        scored.append(float(model.w.numpy()[0]))
        return -abs(scored[-1])

    fitting.fit(model, batches, score, "score", str(folder), training)
    return scored


def test_the_average_is_scored_and_training_goes_on_from_the_weights(tmp_path):
    """Step by step by hand, in float32."""
    w, momentum, average, averages, weights = 1.0, 0.0, 0.0, [], []
    for t in range(STEPS * EPOCHS):
        momentum = 0.9 * momentum - 0.1 * 0.5 * w
        w += momentum
        kept = min(0.5, t / (t + 9))  # it warms up
        average = kept * average + (1 - kept) * w
        averages.append(average)
        weights.append(w)

    model = Square(0.25)
    scored = fit(model, tmp_path)
    assert scored == pytest.approx([averages[2], averages[5]], rel=2e-3)
    with np.load(tmp_path / stages.CHECKPOINT) as checkpoint:
        assert checkpoint["0"] == pytest.approx(weights[5], rel=2e-3)
    assert abs(weights[5] / averages[5] - 1) > 0.05  # they could be told apart
    best = min(scored, key=abs)
    np.testing.assert_allclose(model.w.numpy(), best, rtol=1e-6)


def test_an_epoch_whose_steps_all_overflow_does_not_end_in_zeros(tmp_path):
    """The loss scale starts at 2¹⁵: gradients above 2 overflow, until it has been halved enough."""
    model = Square(8.0)
    assert fit(model, tmp_path)[0] == 1.0
    assert int(model.optimizer.inner_optimizer.iterations) < STEPS * EPOCHS
