"""What is saved of a language model: from raw text to a probability, and back, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo.decoding import sampling
from zoo.models import LanguageModel
from zoo.saving.parts import Untracked, of_batch, of_texts
from zoo.saving.weights import StoredWeights
from zoo.text.tokens import PADDING, UNKNOWN, Tokens


class LanguageModule(tf.Module):
    """A language model with everything from raw text to a probability, and back, in the graph.

    Beside the signatures it has `read` and `draw`, which `generate` is made of: who keeps what they
    return can show a text while it is drawn.

    Args:
        model: a built `LanguageModel`.
        tokens: how it reads and writes text.
        weights: how the weights are stored, one of `stored.KINDS`.
    """

    signature_names = ("serving_default", "tokens", "generate")

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
                of_batch(tf.int32, "count"),
                of_batch(tf.float32, "temperature"),
                of_batch(tf.int32, "top_k"),
                of_batch(tf.float32, "top_p"),
                tf.TensorSpec([None, None], tf.float32, name="uniform"),
                tf.TensorSpec([], tf.bool, name="allow_unknown"),
            ],
        )

    @tf.function(input_signature=[of_texts()], autograph=False)
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

    @tf.function(input_signature=[of_texts()], autograph=False)
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
            of_texts("prompt"),
            of_batch(tf.int32, "max_length"),
            of_batch(tf.float32, "temperature"),
            of_batch(tf.int32, "top_k"),
            of_batch(tf.float32, "top_p"),
            of_batch(tf.int32, "seed"),
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

    @tf.function(input_signature=[of_texts("prompt")], autograph=False)
    def read(self, prompt):
        """Reads prompts, without <EOS>: what `draw` goes on from."""
        with self.weights.reading():
            return sampling.read(self._model.value, self.reader.ids(prompt)[:, :-1])

    @tf.function(
        input_signature=[of_texts("prompt"), tf.TensorSpec([None, None], tf.int32, name="ids")],
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
