"""A language model whose weights a classifier or a tagger starts from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

import layers
from layers.sampled_softmax import draw, summed_sampled_cross_entropy
from layers.softmax import log_probabilities, summed_cross_entropy
from zoo import text
from zoo.configuration import WordPredictorConfig
from zoo.models.classifier import Classifier
from zoo.models.parts import Inputs, MakeStack, RecurrentModel, drawing_words
from zoo.models.spelled_words import SpelledWords
from zoo.models.tagger import Tagger
from zoo.models.weighting import weights_of_steps
from zoo.models.words import WordEmbedding


@keras.saving.register_keras_serializable("zoo")
class WordPredictor(RecurrentModel):
    """Predicts each word of a text from the words before it, and from the words after it.

        P(x<t+1> | x<1>, ..., x<t>) = softmax(W a→<t> + b)
        P(x<t-1> | x<T>, ..., x<t>) = softmax(W a←<t> + b)

    One layer of recurrent units on what stands for words, as a `Classifier` has them first, or with
    `config.character_dim` a `Tagger`; the second line holds for a bidirectional one. Both share W.

    Source: Dai and Le 2015, "Semi-supervised Sequence Learning" (forward only); in both directions,
    for taggers, Peters et al. 2017, whose taggers read the states of a model that is no longer
    trained; here it is their first layer, and goes on being trained.

    Args:
        config: what it is made of; a training step compares with `samples` words beside the right
            ones, drawn by their rank of frequency (sampled softmax, Jean et al. 2015). What the
            model predicts and is scored by is the whole softmax.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Input: a dict of `words`, int32 `[batch, time]`, 0 for padding, on the right, and if spellings
    are read what `SpelledWords` takes. Output: states
    `[batch, time, units]`, of both directions side by side.
    """

    configuration = WordPredictorConfig
    config: WordPredictorConfig

    def __init__(
        self, config: WordPredictorConfig, make_stack: MakeStack = layers.Stack, **kwargs: Any
    ):
        super().__init__(config, make_stack, **kwargs)
        size, units = config.vocabulary_size, config.units
        self.reader: WordEmbedding | SpelledWords
        if config.character_dim:
            self.reader = SpelledWords(config, None, self.recurrent, dtype=self.dtype_policy)
        else:
            self.reader = WordEmbedding(config, dtype=self.dtype_policy)
        self.stack = self.recurrent(units, depth=1, bidirectional=config.bidirectional)
        self.output_dropout = self.dropout()
        self.drawing = drawing_words()
        self.w = self.add_weight(shape=(size, units), name="W")
        self.b = self.add_weight(shape=(size,), initializer="zeros", name="b")

    def build(self, input_shape: object = None) -> None:
        self.reader.build()
        self.stack.build((None, None, self.reader.width))

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """States `[batch, time, units]`, twice as wide in both directions."""
        words = inputs["words"]
        x = self.reader(inputs if self.config.character_dim else words, training=training)
        x = self.output_dropout(x, training=training)
        x = self.stack(x, mask=words > text.PADDING, training=training)
        return self.output_dropout(x, training=training)

    def _predictions(
        self, words: tf.Tensor, states: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Iterator[tuple[tf.Tensor, ...]]:
        """(states `[n, units]`, the words to predict from them `[n]`, and their weights if there
        are any) of each direction."""
        # A pair of neighbours is real where the right one is: padding is on the right.
        real = words[:, 1:] > text.PADDING
        before, after = slice(None, -1), slice(1, None)
        ways = [(before, after, slice(None, self.config.units))]
        if self.config.bidirectional:
            ways.append((after, before, slice(self.config.units, None)))
        for here, there, columns in ways:
            some = [states[:, here, columns], words[:, there]]
            some += [] if weights is None else [weights[:, there]]
            yield tuple(tf.boolean_mask(values, real) for values in some)

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean of -log P over words, in nats; in training with sampled softmax.

        `sample_weight` weighs the words that are predicted, `[batch, time]`, or all of a text's,
        `[batch]`, see `zoo.models.weighting`.
        """
        del y
        w, b = tf.convert_to_tensor(self.w), tf.convert_to_tensor(self.b)
        samples = min(self.config.samples, self.config.vocabulary_size)
        total, count = tf.zeros([], w.dtype), tf.constant(0)
        for a, targets, weights in self._predictions(
            x["words"], y_pred, weights_of_steps(sample_weight, x["words"], "word")
        ):
            a, products = tf.cast(a, w.dtype), self.products_of_softmax
            if training:
                drawn = draw(self.drawing.next(), samples, self.config.vocabulary_size)
                total += summed_sampled_cross_entropy(a, w, b, targets, weights, drawn, products)
            else:
                total += summed_cross_entropy(a, w, b, targets, weights, products=products)
            count += tf.size(targets)
        return tf.math.divide_no_nan(total, tf.cast(count, total.dtype))

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Words with one before them, as many as there are in the other direction."""
        return tf.math.count_nonzero(inputs["words"][:, 1:])

    def log_likelihood(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum of log P over the words of a batch, in nats, and how many they are."""
        total, count = tf.constant(0.0), tf.constant(0)
        for a, targets in self._predictions(inputs["words"], self(inputs, training=False)):
            w, b = tf.convert_to_tensor(self.w), tf.convert_to_tensor(self.b)
            found = log_probabilities(tf.cast(a, tf.float32), w, b, targets)
            total += tf.reduce_sum(found)
            count += tf.size(targets)
        return total, count

    def take_words(self, model: Classifier | Tagger) -> None:
        """Starts from what stands for words in a built model: vectors of others may be in it."""
        self.reader.set_weights(model.reader.get_weights())

    def give_weights(self, model: Classifier | Tagger) -> None:
        """Starts what a built model reads, and its first recurrent layer, from this model's."""
        model.reader.set_weights(self.reader.get_weights())
        first = model.stack.recurrent_layers[0]
        first.set_weights(self.stack.recurrent_layers[0].get_weights())
