"""Our Adam is Keras' Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.framework.optimizers import by_one_kernel


def _trained(optimizer: keras.optimizers.Optimizer, sparse: bool) -> list[np.ndarray]:
    """The weights and all variables of the optimizer after some steps in a graph."""
    random = np.random.default_rng(0)
    weights = [keras.Variable(random.normal(size=shape)) for shape in ((4, 3), (5,))]
    optimizer.build(weights)

    @tf.function(autograph=False)
    def step(first: tf.Tensor, second: tf.Tensor) -> None:
        if sparse:
            first = tf.IndexedSlices(first[:2], tf.constant([1, 3]), tf.constant([4, 3]))
        optimizer.apply([first, second], weights)

    for _ in range(10):
        step(*(tf.constant(random.normal(size=w.shape), "float32") for w in weights))
        optimizer.learning_rate = float(optimizer.learning_rate) * 0.9
    return [v.numpy() for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("sparse", (False, True))
@pytest.mark.parametrize(
    "arguments",
    (
        {"beta_1": 0.8, "beta_2": 0.98, "epsilon": 1e-3, "global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.9, "weight_decay": 0.1},
        {"amsgrad": True},
    ),
)
def test_it_changes_weights_as_keras_does(sparse, arguments):
    ours = _trained(by_one_kernel(keras.optimizers.Adam(0.05, **arguments)), sparse)
    stock = _trained(keras.optimizers.Adam(0.05, **arguments), sparse)
    for one, other in zip(ours, stock, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_files_hold_keras_own():
    given = by_one_kernel(keras.optimizers.Adam(0.05, beta_1=0.7, global_clipnorm=2.0))
    config = keras.saving.serialize_keras_object(given)
    assert config["module"] == "keras.optimizers"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is keras.optimizers.Adam and again.get_config() == given.get_config()
