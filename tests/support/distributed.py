"""Prints the losses of a few epochs on two logical devices: `python tests/support/distributed.py`

A program of its own, since logical devices are set before TensorFlow starts.
"""

import json

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.engine.compiling import compiles


def losses(scope):
    keras.utils.set_random_seed(0)
    with scope:
        model = keras.Sequential(
            [
                keras.layers.Embedding(5, 3, mask_zero=True),
                layers.GRU(4, return_sequences=True, go_backwards=True),
                layers.LSTM(4),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.SGD(0.3), "mse")
    ids = np.random.default_rng(0).integers(0, 5, [8, 6])
    targets = np.float32(ids[:, :1] > 2)
    history = model.fit(ids, targets, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return history.history["loss"]


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    compiled = []
    tf.function(lambda: strategy.run(lambda: compiled.append(compiles("auto", pays=True))))()
    assert compiled == [True, True]
    print(json.dumps(losses(strategy.scope())))


if __name__ == "__main__":
    main()
