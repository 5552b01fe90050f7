"""What the models share."""

from __future__ import annotations

import keras
import tensorflow as tf

import layers
from zoo import text

CELLS = ("none", *layers.CELLS)


@keras.saving.register_keras_serializable("zoo")
class WordDropout(keras.layers.Layer):
    """Reads a share of the words as `<UNK>` in training, so that `<UNK>` is trained.

    Word ids of any shape in and out; padding stays padding.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, words, training=False):
        if not training or not self.rate:
            return words
        dropped = keras.random.uniform(tf.shape(words), seed=self.seed_generator) < self.rate
        return tf.where((words > text.PADDING) & dropped, text.UNKNOWN, words)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
