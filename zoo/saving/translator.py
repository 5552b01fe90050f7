"""What is saved of a translator: from raw text to raw text, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo.decoding.loop import Strategy, Written, write
from zoo.decoding.strategies import Beam, Greedy, Sampling
from zoo.models import EncoderDecoder
from zoo.models.parts import Inputs
from zoo.saving.gates import SIGNATURE, add_gates
from zoo.saving.parts import Request, Untracked, of_drawing, of_texts, plain_drawing, same_rows
from zoo.saving.weights import StoredWeights
from zoo.text.subwords import Subwords
from zoo.text.tokens import END, PADDING, UNKNOWN, Tokens, join, tokenize

Reader = Subwords | Tokens

# A translation has at most so many tokens for each token of its source, and so many more.
_TOKENS_PER_SOURCE_TOKEN, _AND_MORE = 2, 20


class TranslatorModule(tf.Module):
    """A translator with everything from raw text to raw text in the graph.

    A translation has at most twice the tokens of its source, and 20 more; that of a blank text is
    empty.

    Args:
        model: a built `EncoderDecoder`.
        source, target: how it reads and writes; the same object where both share a vocabulary.
        weights: how the weights are stored, one of `zoo.configuration.STORED`.
        beam_size: how many translations are followed side by side; 1: greedy.
        length_penalty: of the search, see `zoo.decoding.strategies.Beam`.
        replace_unknown: whether a word for which the model has none is copied from where it looks.

    Raises:
        ValueError: unknown words cannot be replaced, as the model has no attention.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        source: Reader,
        target: Reader,
        weights: str = "float32",
        beam_size: int = 5,
        length_penalty: float = 1.0,
        replace_unknown: bool = False,
    ):
        super().__init__()
        self.weights = StoredWeights(model, weights)
        self.source, self.target = source, target
        self.vocabulary = target.vocabulary.asset
        self._model, self._beam_size = Untracked(model), beam_size
        self._length_penalty, self._replaces = length_penalty, replace_unknown
        aligns = model.config.attention != "none"
        if replace_unknown and not aligns:
            raise ValueError("replace_unknown: expected a model with attention. Received: none")
        self.signature_names = ["serving_default", "greedy", "n_best", "sample"]
        if aligns:
            self.signature_names += ["alignment", "alignment_of"]
            self.alignment = tf.function(
                self._alignment, input_signature=[of_texts()], autograph=False
            )
            self.alignment_of = tf.function(
                self._alignment_of,
                input_signature=[of_texts(), of_texts("translation")],
                autograph=False,
            )
        add_gates(self, model, self.weights, self._inputs)

    @tf.function(input_signature=[of_texts()], autograph=False)
    def serving_default(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates. `text` string[B] → text string[B]; log_probability float[B], of the
        translation with its <EOS>, natural logarithm."""
        ids, written, log_probability = self._found(text_)
        return {"text": self._text(text_, ids, written), "log_probability": log_probability}

    @tf.function(input_signature=[of_texts()], autograph=False)
    def greedy(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `serving_default`, always the likeliest next token: faster, and a little worse."""
        return self._best(text_, Greedy(self._forbidden))

    @tf.function(input_signature=[of_texts()], autograph=False)
    def n_best(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """The translations that were followed side by side, the best first. `text` string[B] →
        text string[B, N]; log_probability float[B, N]; score float[B, N], by which they are
        ordered: the log-probability, with the length penalty. Where there are fewer than N, the
        rest is "", with minus infinity for both."""
        ids, written = self._translate(text_, self._search(self._beam_size))
        shape = tf.shape(written.log_probability)
        count = shape[1]
        flat = tf.reshape(written.ids, [shape[0] * count, tf.shape(written.ids)[2]])
        given, sources = tf.repeat(text_, count), tf.repeat(ids, count, axis=0)
        return {
            "text": tf.reshape(self._text(given, sources, flat), shape),
            "log_probability": written.log_probability,
            "score": written.scores,
        }

    @tf.function(
        input_signature=[
            of_texts(),
            *of_drawing(),
        ],
        autograph=False,
    )
    def sample(
        self,
        text_: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Draws a translation; temperature, top_k, top_p and seed as in a language model's
        `generate`. → text string[B], log_probability float[B]."""
        same_rows(text_, temperature, top_k, top_p, seed)
        return self._best(text_, Sampling(temperature, top_k, top_p, seed, self._forbidden))

    def _alignment(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Where the model looks. `text` string[B] → source_tokens string[B, T_x]; target_tokens
        string[B, T_y], those of its own translation; weights float[B, T_y, T_x], a row for each
        token that was written; source_lengths, target_lengths int32[B]."""
        ids, written, _ = self._found(text_)
        return self._aligned(ids, written)

    def _alignment_of(self, text_: tf.Tensor, translation: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `alignment`, for a translation that is given: `translation` string[B]."""
        same_rows(text_, translation)
        targets = self.target.ids(_one_line(translation)).to_tensor()
        return self._aligned(self._source_ids(text_).to_tensor(), targets)

    def warmup(self, texts: tf.Tensor) -> list[Request]:
        """Requests that a server runs when it loads the model, of texts `[batch]`."""
        inputs = {
            "sample": {"text": texts, **plain_drawing(len(texts))},
            "alignment_of": {"text": texts, "translation": texts},
        }
        names = [name for name in self.signature_names if name != SIGNATURE]
        return [(name, inputs.get(name, {"text": texts})) for name in names]

    # --- What they are made of -------------------------------------------------------------------

    def _inputs(self, text_: tf.Tensor) -> tuple[tf.RaggedTensor, Inputs]:
        ids = self._source_ids(text_)
        names = self.source.names(ids.flat_values)
        return ids.with_flat_values(names), {"source": ids.to_tensor()}

    # Functions of their own: the signatures share their graphs.

    @tf.function(input_signature=[of_texts()], autograph=False)
    def _source_ids(self, text_: tf.Tensor) -> tf.RaggedTensor:
        """The tokens of sources with their <EOS>, ragged int32 `[batch, (T_x)]`."""
        return self.source.ids(_one_line(text_))

    @tf.function(input_signature=[of_texts()], autograph=False)
    def _found(self, text_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Ids of sources `[batch, T_x]` and of the best translations `[batch, T_y]`, with log P."""
        ids, written = self._translate(text_, self._search())
        return ids, written.ids[:, 0], written.log_probability[:, 0]

    def _search(self, n_best: int = 1) -> Strategy:
        if self._beam_size == 1:
            return Greedy(self._forbidden)
        return Beam(self._beam_size, self._length_penalty, n_best, self._forbidden)

    @property
    def _forbidden(self) -> tuple[int, ...]:
        """The tokens that are never written."""
        return (PADDING,) if self._replaces else (PADDING, UNKNOWN)

    def _translate(self, text_: tf.Tensor, strategy: Strategy) -> tuple[tf.Tensor, Written]:
        """Ids of the source `[batch, T_x]`, and what was written."""
        ids = self._source_ids(text_)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        # Of nothing but <EOS>, the translation is nothing.
        limits = tf.where(lengths > 1, _TOKENS_PER_SOURCE_TOKEN * lengths + _AND_MORE, 1)
        padded = ids.to_tensor()
        with self.weights.reading():
            model = self._model.value
            memory, states = model.read(padded)
            return padded, write(model, states, memory, limits, strategy)

    def _best(self, text_: tf.Tensor, strategy: Strategy) -> dict[str, tf.Tensor]:
        ids, written = self._translate(text_, strategy)
        return {
            "text": self._text(text_, ids, written.ids[:, 0]),
            "log_probability": written.log_probability[:, 0],
        }

    def _text(self, text_: tf.Tensor, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """What was written for texts, whose ids are `source`."""
        if not self._replaces:
            return self.target.write(ids)
        names = self.target.names(ids)
        with self.weights.reading():
            weights = self._model.value.alignment(source, ids)
        # The <EOS> of a source is no word.
        weights = tf.where((source == END)[:, None], -1.0, weights)
        # One column more, which is never the largest: of no texts, none has a place to look at.
        weights = tf.pad(weights, [[0, 0], [0, 0], [0, 1]], constant_values=-2.0)
        looked_at = tf.argmax(weights, axis=2, output_type=tf.int32)
        words = tokenize(_one_line(text_), "words").to_tensor()
        copied = tf.gather(words, looked_at, batch_dims=1)
        names = tf.where(ids == UNKNOWN, copied, names)
        return join(names, "words")

    def _aligned(self, source: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        with self.weights.reading():
            weights = self._model.value.alignment(source, targets)
        return {
            "source_tokens": self.source.names(source),
            "target_tokens": self.target.names(targets),
            "weights": weights,
            "source_lengths": tf.reduce_sum(tf.cast(source != PADDING, tf.int32), 1),
            "target_lengths": tf.reduce_sum(tf.cast(targets != PADDING, tf.int32), 1),
        }


def _one_line(texts: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(texts, r"\s+", " ")
