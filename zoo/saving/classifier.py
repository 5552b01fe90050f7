"""What is saved of a classifier: everything from raw text to a label, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo import text
from zoo.models import Classifier
from zoo.saving.parts import Untracked, of_texts
from zoo.saving.weights import StoredWeights


class ClassifierModule(tf.Module):
    """A classifier with everything from raw text to a label in the graph.

    Args:
        model: a built `Classifier`.
        vocabulary: of its words.
        labels: path of a text file with the names of the classes, one a line.
        keep: which words are read of a text with more than the model's `max_length`, see
            `text.cut`.
        weights: how the weights are stored, one of `zoo.saving.weights.KINDS`.
    """

    signature_names = ("serving_default", "labels")

    def __init__(
        self,
        model: Classifier,
        vocabulary: text.Vocabulary,
        labels: str,
        keep: str,
        weights: str = "float32",
    ):
        super().__init__()
        self.weights = StoredWeights(model, weights)
        self.vocabulary = vocabulary
        self.labels_file = tf.saved_model.Asset(labels)
        self.label_names = text.lines_of_numbers(self.labels_file)
        self._classes = len(model.config.labels)
        self._cut = (model.config.max_length, keep)
        self._model = Untracked(model)

    @tf.function(input_signature=[of_texts()], autograph=False)
    def serving_default(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies raw text. `text` string[B] → label string[B], probability float[B],
        probabilities float[B, C]."""
        ids = text.word_ids(text_, self.vocabulary, *self._cut)
        with self.weights.reading():
            probabilities = self._model.value.classify_texts(ids)
        return {
            "label": self.label_names.lookup(tf.argmax(probabilities, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }

    @tf.function(input_signature=[of_texts()], autograph=False)
    def labels(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """The names of the classes, in the order of `probabilities`: labels string[B, C], the same
        for every text. A server that batches runs no signature without an input, and none whose
        outputs have another batch than its inputs."""
        names = self.label_names.lookup(tf.range(self._classes, dtype=tf.int64))
        return {"labels": tf.tile(names[None], [tf.size(text_), 1])}

    @tf.function(input_signature=[of_texts()], autograph=False)
    def words(self, text_: tf.Tensor) -> tf.Tensor:
        """The words that the model reads of texts: string[B, T], "" behind the last one."""
        return text.words_read(text_, *self._cut).to_tensor()
