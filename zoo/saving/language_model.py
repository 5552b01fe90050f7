"""What is saved of a language model: from raw text to a probability, and back, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo.decoding import sampling
from zoo.decoding.writing import continued
from zoo.models import LanguageModel
from zoo.models.parts import Inputs
from zoo.saving.gates import add_gates
from zoo.saving.parts import (
    Request,
    Untracked,
    named,
    of_batch,
    of_drawing,
    of_states,
    of_stream,
    of_texts,
    opening,
    plain_drawing,
    same_rows,
)
from zoo.saving.weights import StoredWeights
from zoo.text import streaming
from zoo.text.tokens import PADDING, UNKNOWN, Tokens


class LanguageModule(tf.Module):
    """A language model with everything from raw text to a probability, and back, in the graph.

    Beside the signatures it has what `generate` is made of, `read`, `draw` and `write`: who keeps
    what they return can show a text while it is drawn.

    Args:
        model: a built `LanguageModel`.
        tokens: how it reads and writes text.
        weights: how the weights are stored, one of `zoo.configuration.STORED`.
    """

    def __init__(self, model: LanguageModel, tokens: Tokens, weights: str = "float32"):
        super().__init__()
        self.weights = StoredWeights(model, weights)
        self.reader = tokens
        self.vocabulary = tokens.vocabulary.asset
        self._model = Untracked(model)
        states = [tf.TensorSpec([None, s.shape[1]], s.dtype) for s in model.zero_states(1)]
        self._states = of_states(states)
        self._parted = streaming.PARTED[tokens.kind]
        self.signature_names = ["serving_default", "tokens", "generate", "stream"]
        self.stream = tf.function(
            self._stream,
            autograph=False,
            input_signature=of_stream(
                of_batch(tf.int32, "state_token"),
                of_batch(tf.int32, "token_count"),
                of_batch(tf.float64, "log_probability"),
                *self._states,
            ),
        )
        add_gates(self, model, self.weights, self._inputs)
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
    def serving_default(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """log P of whole texts with their <EOS>. `text` string[B] → log_probability float[B],
        natural logarithm; token_count int32[B]; perplexity float[B]."""
        ids = self._ids(text_)
        count = tf.cast(ids.row_lengths(), tf.int32)
        found = tf.cast(self._log_probabilities(ids), tf.float64)
        total = tf.cast(tf.reduce_sum(found, axis=1), tf.float32)
        return {
            "log_probability": total,
            "token_count": count,
            "perplexity": tf.exp(-total / tf.cast(count, tf.float32)),
        }

    @tf.function(input_signature=[of_texts()], autograph=False)
    def tokens(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Each token's own probability. `text` string[B] → tokens string[B, T], as the model reads
        them; log_probabilities float[B, T]; lengths int32[B]."""
        ids = self._ids(text_)
        return {
            "tokens": ids.with_flat_values(self.reader.names(ids.flat_values)).to_tensor(),
            "log_probabilities": self._log_probabilities(ids).to_tensor(),
            "lengths": tf.cast(ids.row_lengths(), tf.int32),
        }

    @tf.function(
        input_signature=[
            of_texts("prompt"),
            of_batch(tf.int32, "max_length"),
            *of_drawing(),
        ],
        autograph=False,
    )
    def generate(
        self,
        prompt: tf.Tensor,
        max_length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Goes on from prompts, until <EOS> or `max_length` tokens; <UNK> is drawn again.

        prompt string[B]; max_length int32[B], of 0 and less nothing is drawn; temperature float[B],
        greedy decoding where it is not above 0; top_k int32[B], below 1 for all tokens; top_p
        float[B], 1 for all, and the likeliest alone for 0 and less; seed int32[B] → text string[B],
        which begins with the prompt, byte for byte; log_probability float[B] of what was drawn, at
        temperature 1. The same seed gives the same text, alone or in a batch."""
        same_rows(prompt, max_length, temperature, top_k, top_p, seed)
        a, states = self.read(prompt)
        with self.weights.reading():
            ids, total = sampling.generate_from_seeds(
                self._model.value,
                a,
                states,
                max_length,
                temperature,
                top_k,
                top_p,
                seed,
                self._forbidden(tf.constant(False)),
            )
        return {"text": self.write(prompt, ids), "log_probability": total}

    @tf.function(input_signature=[of_texts("prompt")], autograph=False)
    def read(self, prompt: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Reads prompts, without <EOS>: what `draw` goes on from."""
        with self.weights.reading():
            return self._model.value.read_texts(self._ids(prompt)[:, :-1])

    @tf.function(
        input_signature=[of_texts("prompt"), tf.TensorSpec([None, None], tf.int32, name="ids")],
        autograph=False,
    )
    def write(self, prompt: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Prompts as they are, and behind each the text of what was drawn for it."""
        return continued(prompt, self.reader.names(ids), self.reader.kind)

    def _draw(
        self,
        a: tf.Tensor,
        states: list[tf.Tensor],
        count: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        uniform: tf.Tensor,
        allow_unknown: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Draws up to `count` tokens, see `sampling.generate`."""
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
                self._forbidden(allow_unknown),
            )

    def _stream(
        self,
        text_: tf.Tensor,
        last: tf.Tensor,
        state_bytes: tf.Tensor,
        state_token: tf.Tensor,
        token_count: tf.Tensor,
        log_probability: tf.Tensor,
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """log P of texts that come in chunks, cut anywhere, token by token as they are whole.

        `text` string[B], what has come; `last` bool[B], whether it is all; and what the
        chunk before gave by the same names, nothing and zeros for the first one: state_bytes
        string[B], what may still grow; state_token int32[B]; token_count int32[B] and
        log_probability double[B], of all tokens so far; state_0, ... float[B, units], of all layers
        → these, and tokens string[B, T], log_probabilities float[B, T] and lengths int32[B] of the
        tokens that are whole now. The `<EOS>` of a text comes with its end."""
        so_far = (state_bytes, state_token, token_count, log_probability)
        same_rows(text_, last, *so_far, *states)
        now, later = streaming.ready(tf.strings.join([state_bytes, text_]), last, self._parted)
        ids = self._ids(now)
        lengths = tf.cast(ids.row_lengths(), tf.int32) - tf.cast(~last, tf.int32)
        targets = ids.to_tensor()
        real = tf.sequence_mask(lengths, tf.shape(targets)[1])
        targets = tf.where(real, targets, PADDING)
        with self.weights.reading():
            model = self._model.value
            before = [tf.cast(state, model.compute_dtype) for state in states]
            found, after = model.log_probabilities(targets, state_token, before)
        latest = tf.gather(targets, tf.maximum(lengths - 1, 0), batch_dims=1)
        longest = tf.maximum(tf.reduce_max(lengths), 0)
        return {
            "tokens": self.reader.names(targets)[:, :longest],
            "log_probabilities": found[:, :longest],
            "lengths": lengths,
            "token_count": token_count + lengths,
            "log_probability": log_probability + tf.reduce_sum(tf.cast(found, tf.float64), axis=1),
            "state_bytes": later,
            "state_token": tf.where(lengths > 0, latest, state_token),
            **named(self._states, after),
        }

    def warmup(self, texts: tf.Tensor) -> list[Request]:
        """Requests that a server runs when it loads the model, of texts `[batch]`."""
        drawn = {"prompt": tf.constant(["The", ""]), "max_length": tf.fill([2], 20)}
        return [
            ("serving_default", {"text": texts}),
            ("tokens", {"text": texts}),
            ("generate", drawn | plain_drawing(2)),
            *opening(self, texts),
        ]

    def _inputs(self, text_: tf.Tensor) -> tuple[tf.RaggedTensor, Inputs]:
        ids = self._ids(text_)[:, :-1]  # <EOS> is predicted, and never read
        return ids.with_flat_values(self.reader.names(ids.flat_values)), {
            "targets": ids.to_tensor()
        }

    def _forbidden(self, allow_unknown: tf.Tensor) -> tf.Tensor:
        """The tokens that are never drawn, bool `[vocabulary]`."""
        numbers = tf.range(self.reader.size)
        return (numbers == PADDING) | ((numbers == UNKNOWN) & ~allow_unknown)

    # Functions of their own: the signatures share their graphs.

    @tf.function(input_signature=[of_texts()], autograph=False)
    def _ids(self, text_: tf.Tensor) -> tf.RaggedTensor:
        """The tokens of texts with their <EOS>, ragged int32 `[batch, (time)]`."""
        return self.reader.ids(text_)

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)], autograph=False)
    def _log_probabilities(self, ids: tf.RaggedTensor) -> tf.RaggedTensor:
        with self.weights.reading():
            return ids.with_flat_values(self._model.value.score_texts(ids))
