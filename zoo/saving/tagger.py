"""What is saved of a tagger: everything from raw text to tags, as signatures."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo import text
from zoo.decoding.entities import EntityTags
from zoo.models import Tagger
from zoo.models.parts import Inputs
from zoo.saving.gates import SIGNATURE, add_gates
from zoo.saving.parts import (
    Request,
    Untracked,
    given_back,
    named,
    of_batch,
    of_states,
    of_stream,
    of_texts,
    opening,
    same_rows,
)
from zoo.saving.weights import StoredWeights
from zoo.text import characters, streaming
from zoo.text.tags import scheme_of

# Sequences of tags that a server is warmed up with.
_WARM_N = 3


class TaggerModule(tf.Module):
    """A tagger with everything from raw text to tags in the graph.

    Args:
        model: a built `Tagger`.
        vocabulary: of its words.
        tags: path of a text file with the names of the tags, one a line.
        weights: how the weights are stored, one of `zoo.configuration.STORED`.
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
        self.signature_names = ["serving_default", "tokens"]
        names = list(model.config.tags)
        self._entity_tags: Any = None
        if scheme_of([names]):
            self.signature_names.append("entities")
            self.entities = tf.function(
                self._entities, input_signature=[of_texts()], autograph=False
            )
            self._entity_tags = Untracked(EntityTags(names))
        self.signature_names.append("n_best")
        if model.config.reads_forward:
            self.signature_names.append("stream")
            self._states = of_states(model.zero_states(1))
            self.stream = tf.function(
                self._stream,
                autograph=False,
                input_signature=of_stream(
                    of_batch(tf.int32, "token_count"),
                    of_batch(tf.int32, "character_count"),
                    *self._states,
                ),
            )
        add_gates(self, model, self.weights, lambda text_: self._inputs(self._read(text_).tokens))

    @tf.function(input_signature=[of_texts()], autograph=False)
    def serving_default(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tags raw text. `text` string[B] → tokens, tags string[B, T], confidence float[B, T],
        start, end int32[B, T], lengths int32[B]. Where a token lies in its text is counted in
        Unicode characters of the text as it was given; `end` is exclusive."""
        located = self._read(text_)
        places = {"start": located.start.to_tensor(), "end": located.end.to_tensor()}
        return self._tag(located.tokens) | places

    def _entities(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Finds entities in raw text. `text` string[B] → entity, label string[B, E]; start, end
        int32[B, E], in characters as in `serving_default`; confidence float[B, E], that of the
        least certain of its words; count int32[B], of entities."""
        located, tags = self._read(text_), self._entity_tags.value
        ids, confidence = self._decode(located.tokens)
        found = tags.entities(ids, confidence)
        row = characters.rows_of(found.first)
        earlier = tf.cast(tf.gather(located.tokens.row_starts(), row), tf.int32)

        def of_words(places: tf.RaggedTensor, words: tf.RaggedTensor) -> tf.RaggedTensor:
            return words.with_flat_values(
                tf.gather(places.flat_values, earlier + words.flat_values)
            )

        start, end = of_words(located.start, found.first), of_words(located.end, found.last)
        words = characters.parts_of(text_, row, start.flat_values, end.flat_values)
        labels = tf.gather(tf.constant(tags.types), found.type.flat_values)
        return {
            "entity": start.with_flat_values(words).to_tensor(),
            "label": start.with_flat_values(labels).to_tensor(),
            "start": start.to_tensor(),
            "end": end.to_tensor(),
            "confidence": found.confidence.to_tensor(),
            "count": tf.cast(found.first.row_lengths(), tf.int32),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ],
        autograph=False,
    )
    def tokens(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tags sentences that are split already: `tokens` string[B, T], `lengths` int32[B]."""
        same_rows(tokens, lengths)
        lengths = tf.clip_by_value(lengths, 0, tf.shape(tokens)[1])
        return self._tag(tf.RaggedTensor.from_tensor(tokens, lengths))

    @tf.function(input_signature=[of_texts(), of_batch(tf.int32, "n")], autograph=False)
    def n_best(self, text_: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        """The most probable sequences of tags of raw text, as the CRF sees them.

        `text` string[B]; `n` int32[B], how many of each, 1 at least → tags string[B, N, T], of the
        tokens that `serving_default` gives, the most probable sequence first; log_probability
        float[B, N]; count int32[B], of sequences, which a short text may have fewer than n; and
        token_count int32[B]. Behind the last sequence tags are blank and log_probability is minus
        infinity."""
        same_rows(text_, n)
        n = tf.maximum(n, 1)
        words = self._read(text_).tokens
        distinct, which = tf.unique(words.flat_values)
        read = text.features(distinct, self.vocabulary)
        most = tf.maximum(tf.reduce_max(n), 1)  # of no rows, there is no largest
        with self.weights.reading():
            tags, log_p, count = self._model.value.n_best_sentences(
                read, words.with_flat_values(which), most
            )
        count = tf.minimum(count, n)
        real = tf.range(most) < count[:, None]
        names = self.tag_names.lookup(tf.cast(tags, tf.int64))
        padded = words.with_flat_values(names).to_tensor(shape=tf.stack([-1, -1, most]))
        return {
            "tags": tf.where(real[:, :, None], tf.transpose(padded, [0, 2, 1]), ""),
            "log_probability": tf.where(real, log_p, -float("inf")),
            "count": count,
            "token_count": tf.cast(words.row_lengths(), tf.int32),
        }

    def _stream(
        self,
        text_: tf.Tensor,
        last: tf.Tensor,
        state_bytes: tf.Tensor,
        token_count: tf.Tensor,
        character_count: tf.Tensor,
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Tags texts that come in chunks, cut anywhere, each word as soon as it is whole.

        `text` string[B], what has come; `last` bool[B], whether it is all; and what the
        chunk before gave by the same names, nothing and zeros for the first one: state_bytes
        string[B], what may still grow; token_count and character_count int32[B], of what was read;
        state_0, ... float[B, units], of all layers, with a CRF the last of them α, [B, tags] →
        these, and tokens, tags string[B, T], confidence float[B, T], start, end int32[B, T] in
        the whole stream, and lengths int32[B], of the words that are whole now.

        A tag is the most probable one by the words up to it, and stays. Without a CRF that is what
        `serving_default` says, too. A CRF decides there by the best path through the whole text; it
        was not trained to judge a beginning, so that the tags of its stream are worse, and may be
        such as do not follow each other: train taggers for streams with `--nocrf`."""
        same_rows(text_, last, state_bytes, token_count, character_count, *states)
        now, later = streaming.ready(
            tf.strings.join([state_bytes, text_]), last, streaming.behind_words
        )
        located = self._read(now)
        words = located.tokens
        lengths = tf.cast(words.row_lengths(), tf.int32)
        _, inputs = self._inputs(words, at_least=1)
        with self.weights.reading():
            model = self._model.value
            before = given_back(states, model.zero_states(1))
            found, after = model.read_on(inputs, before, token_count == 0)
        each = tf.boolean_mask(found, inputs["words"] > text.PADDING)
        names = self.tag_names.lookup(tf.argmax(each, axis=1))
        confidence = tf.exp(tf.reduce_max(each, axis=1))
        earlier = tf.gather(character_count, characters.rows_of(words))
        return {
            "tokens": words.to_tensor(shape=[None, None]),
            "tags": words.with_flat_values(names).to_tensor(),
            "confidence": words.with_flat_values(confidence).to_tensor(),
            "start": words.with_flat_values(located.start.flat_values + earlier).to_tensor(),
            "end": words.with_flat_values(located.end.flat_values + earlier).to_tensor(),
            "lengths": lengths,
            "token_count": token_count + lengths,
            "character_count": character_count + _characters_of(now),
            "state_bytes": later,
            **named(self._states, after),
        }

    def warmup(self, texts: tf.Tensor) -> list[Request]:
        """Requests that a server runs when it loads the model, of texts `[batch]`."""
        words = text.tokenize(texts)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        inputs = {
            "tokens": {"tokens": words.to_tensor(), "lengths": lengths},
            "n_best": {"text": texts, "n": tf.fill(tf.shape(texts), _WARM_N)},
        }
        names = [name for name in self.signature_names if name not in ("stream", SIGNATURE)]
        return [
            *((name, inputs.get(name, {"text": texts})) for name in names),
            *opening(self, texts),
        ]

    def _inputs(self, words: tf.RaggedTensor, at_least: int = 0) -> tuple[tf.RaggedTensor, Inputs]:
        """Words, and what the model reads of them, of so many steps at least."""
        longest = tf.reduce_max(words.row_lengths())
        real = tf.sequence_mask(words.row_lengths(), tf.maximum(longest, at_least))
        read = text.features(words.flat_values, self.vocabulary)
        return words, {name: _placed(values, real) for name, values in read.items()}

    # Functions of their own: the signatures share their graphs.

    @tf.function(input_signature=[of_texts()], autograph=False)
    def _read(self, text_: tf.Tensor) -> text.Located:
        """The words of texts, and where they lie."""
        return text.tokenize_with_offsets(text_)

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.string)], autograph=False)
    def _decode(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """The best tags, ragged int32 `[batch, (words)]`, and the probability of each."""
        distinct, which = tf.unique(words.flat_values)
        read = text.features(distinct, self.vocabulary)
        with self.weights.reading():
            tags, confidence = self._model.value.decode_sentences(
                read, words.with_flat_values(which)
            )
        return words.with_flat_values(tags), words.with_flat_values(confidence)

    def _tag(self, words: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        tags, confidence = self._decode(words)
        names = self.tag_names.lookup(tf.cast(tags.flat_values, tf.int64))
        return {
            "tokens": words.to_tensor(shape=[None, None]),
            "tags": words.with_flat_values(names).to_tensor(),
            "confidence": confidence.to_tensor(),
            "lengths": tf.cast(words.row_lengths(), tf.int32),
        }


def _placed(values: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """What stands for words, `[words, ...]`, in their places; zeros where there is padding."""
    shape = tf.concat([tf.shape(real), tf.shape(values)[1:]], 0)
    placed = tf.scatter_nd(tf.where(real), values, tf.cast(shape, tf.int64))
    return tf.ensure_shape(placed, [None, None, *values.shape[1:]])


def _characters_of(texts: tf.Tensor) -> tf.Tensor:
    """How many characters texts have; what is not UTF-8 counts as U+FFFD."""
    return tf.cast(tf.strings.unicode_decode(texts, "UTF-8").row_lengths(), tf.int32)
