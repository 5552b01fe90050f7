"""What is saved of a tagger: everything from raw text to tags, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo import text
from zoo.models import Tagger
from zoo.saving.parts import Untracked
from zoo.saving.weights import StoredWeights


class TaggerModule(tf.Module):
    """A tagger with everything from raw text to tags in the graph.

    Args:
        model: a built `Tagger`.
        vocabulary: of its words.
        tags: path of a text file with the names of the tags, one a line.
        weights: how the weights are stored, one of `stored.KINDS`.
    """

    signature_names = ("serving_default", "tokens")

    def __init__(
        self, model: Tagger, vocabulary: text.Vocabulary, tags: str, weights: str = "float32"
    ):
        super().__init__()
        # Tracking the Keras model would save every weight twice.
        self.weights = StoredWeights(model, weights)
        self.vocabulary = vocabulary
        self.tags = tf.saved_model.Asset(tags)
        self.tag_names = text.lines_of_numbers(self.tags)
        self._model = Untracked(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serving_default(self, text_):
        """Tags raw text. `text` string[B] → tokens, tags string[B, T], confidence float[B, T],
        lengths int32[B]."""
        return self._tag(text.tokenize(text_))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ],
        autograph=False,
    )
    def tokens(self, tokens, lengths):
        """Tags sentences that are split already: `tokens` string[B, T], `lengths` int32[B]."""
        lengths = tf.clip_by_value(lengths, 0, tf.shape(tokens)[1])
        return self._tag(tf.RaggedTensor.from_tensor(tokens, lengths))

    def _tag(self, words: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        inputs = {
            name: words.with_flat_values(values).to_tensor()
            for name, values in text.features(words.flat_values, self.vocabulary).items()
        }
        with self.weights.reading():
            tags, confidence = self._model.value.decode(inputs)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        real = tf.sequence_mask(lengths, tf.shape(tags)[1])
        names = self.tag_names.lookup(tf.cast(tags, tf.int64))
        return {
            "tokens": words.to_tensor(shape=[None, None]),
            "tags": tf.where(real, names, ""),
            "confidence": tf.cast(confidence, tf.float32),
            "lengths": lengths,
        }
