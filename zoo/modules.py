"""What is saved of a model: everything from raw text to its answer, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo import sampling, text
from zoo.language import LanguageModel
from zoo.models import Classifier, Tagger
from zoo.stored import StoredWeights
from zoo.tokens import PADDING, UNKNOWN, Tokens


class Untracked:
    """Keeps an object out of what `tf.Module` tracks and saves."""

    def __init__(self, value):
        self.value = value


class TaggerModule(tf.Module):
    """A tagger with everything from raw text to tags in the graph.

    Args:
        model: a built `Tagger`.
        vocabulary: of its words.
        tags: path of a text file with the names of the tags, one a line.
        weights: how the weights are stored, one of `stored.KINDS`.
    """

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


class ClassifierModule(tf.Module):
    """A classifier with everything from raw text to a label in the graph.

    Args:
        model: a built `Classifier`.
        vocabulary: of its words.
        labels: path of a text file with the names of the classes, one a line.
        max_length, keep: how long texts are cut, see `text.cut`.
        weights: how the weights are stored, one of `stored.KINDS`.
    """

    def __init__(
        self,
        model: Classifier,
        vocabulary: text.Vocabulary,
        labels: str,
        max_length: int,
        keep: str,
        weights: str = "float32",
    ):
        super().__init__()
        self.weights = StoredWeights(model, weights)
        self.vocabulary = vocabulary
        self.labels = tf.saved_model.Asset(labels)
        self.label_names = text.lines_of_numbers(self.labels)
        self._cut = (max_length, keep)
        self._model = Untracked(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serving_default(self, text_):
        """Classifies raw text. `text` string[B] → label string[B], probability float[B],
        probabilities float[B, C]."""
        ids = text.word_ids(text_, self.vocabulary, *self._cut)
        with self.weights.reading():
            probabilities = self._model.value.probabilities({"words": ids.to_tensor()})
        return {
            "label": self.label_names.lookup(tf.argmax(probabilities, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }


def _of_texts(name: str = "text") -> tf.TensorSpec:
    return tf.TensorSpec([None], tf.string, name=name)


def _of_batch(dtype: tf.DType, name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None], dtype, name=name)


class LanguageModule(tf.Module):
    """A language model with everything from raw text to a probability, and back, in the graph.

    Beside the signatures it has `read` and `draw`, which `generate` is made of: who keeps what they
    return can show a text while it is drawn.

    Args:
        model: a built `LanguageModel`.
        tokens: how it reads and writes text.
        weights: how the weights are stored, one of `stored.KINDS`.
    """

    def __init__(self, model: LanguageModel, tokens: Tokens, weights: str = "float32"):
        super().__init__()
        self.weights = StoredWeights(model, weights, left_out=model.carried)
        self.reader = tokens
        self.vocabulary = tokens.vocabulary.asset
        self._model = Untracked(model)
        states = [tf.TensorSpec([None, s.shape[1]], s.dtype) for s in model.zero_states(1)]
        width = model.output_weights()[0].shape[1]
        self.draw = tf.function(
            self._draw,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, width], states[0].dtype),
                states,
                _of_batch(tf.int32, "count"),
                _of_batch(tf.float32, "temperature"),
                _of_batch(tf.int32, "top_k"),
                _of_batch(tf.float32, "top_p"),
                tf.TensorSpec([None, None], tf.float32, name="uniform"),
                tf.TensorSpec([], tf.bool, name="allow_unknown"),
            ],
        )

    @tf.function(input_signature=[_of_texts()], autograph=False)
    def serving_default(self, text_):
        """log P of whole texts with their <EOS>. `text` string[B] → log_probability float[B],
        natural logarithm; token_count int32[B]; perplexity float[B]."""
        ids = self.reader.ids(text_)
        total = tf.reduce_sum(self._log_probabilities(ids), axis=1)
        count = tf.cast(ids.row_lengths(), tf.int32)
        return {
            "log_probability": total,
            "token_count": count,
            "perplexity": tf.exp(-total / tf.cast(count, tf.float32)),
        }

    @tf.function(input_signature=[_of_texts()], autograph=False)
    def tokens(self, text_):
        """Each token's own probability. `text` string[B] → tokens string[B, T], as the model reads
        them; log_probabilities float[B, T]; lengths int32[B]."""
        ids = self.reader.ids(text_)
        return {
            "tokens": self.reader.names(ids.to_tensor()),
            "log_probabilities": self._log_probabilities(ids),
            "lengths": tf.cast(ids.row_lengths(), tf.int32),
        }

    @tf.function(
        input_signature=[
            _of_texts("prompt"),
            _of_batch(tf.int32, "max_length"),
            _of_batch(tf.float32, "temperature"),
            _of_batch(tf.int32, "top_k"),
            _of_batch(tf.float32, "top_p"),
            _of_batch(tf.int32, "seed"),
        ],
        autograph=False,
    )
    def generate(self, prompt, max_length, temperature, top_k, top_p, seed):
        """Goes on from prompts, until <EOS> or `max_length` tokens; <UNK> is drawn again.

        prompt string[B]; max_length int32[B]; temperature float[B], 0 for greedy decoding; top_k
        int32[B], 0 for all tokens; top_p float[B], 1 for all; seed int32[B] → text string[B],
        prompt included; log_probability float[B] of what was drawn, at temperature 1. The same seed
        gives the same text, alone or in a batch."""
        a, states = self.read(prompt)
        uniform = sampling.uniforms(seed, tf.reduce_max(max_length))
        ids, total, _, _ = self._draw(
            a, states, max_length, temperature, top_k, top_p, uniform, tf.constant(False)
        )
        return {"text": self.write(prompt, ids), "log_probability": total}

    @tf.function(input_signature=[_of_texts("prompt")], autograph=False)
    def read(self, prompt):
        """Reads prompts, without <EOS>: what `draw` goes on from."""
        with self.weights.reading():
            return sampling.read(self._model.value, self.reader.ids(prompt)[:, :-1])

    @tf.function(
        input_signature=[_of_texts("prompt"), tf.TensorSpec([None, None], tf.int32, name="ids")],
        autograph=False,
    )
    def write(self, prompt, ids):
        """The texts of prompts and of what was drawn for them."""
        drawn = tf.RaggedTensor.from_tensor(ids, tf.reduce_sum(tf.cast(ids > 0, tf.int32), axis=1))
        whole = tf.concat([self.reader.ids(prompt)[:, :-1], drawn], axis=1)
        return self.reader.write(whole.to_tensor())

    def _draw(self, a, states, count, temperature, top_k, top_p, uniform, allow_unknown):
        """Draws up to `count` tokens, see `sampling.generate`."""
        numbers = tf.range(self.reader.size)
        forbidden = (numbers == PADDING) | ((numbers == UNKNOWN) & ~allow_unknown)
        with self.weights.reading():
            return sampling.generate(
                self._model.value,
                a,
                states,
                count,
                temperature,
                top_k,
                top_p,
                uniform,
                forbidden,
            )

    def _log_probabilities(self, ids: tf.RaggedTensor) -> tf.Tensor:
        padded, model = ids.to_tensor(), self._model.value
        batch = tf.shape(padded)[0]
        before = tf.zeros([batch], tf.int32)
        with self.weights.reading():
            return model.log_probabilities(padded, before, model.zero_states(batch))[0]
