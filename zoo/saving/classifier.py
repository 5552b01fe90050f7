"""What is saved of a classifier: everything from raw text to a label, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo import text
from zoo.models import Classifier
from zoo.models.parts import Inputs
from zoo.saving.gates import add_gates
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
from zoo.text import streaming


class ClassifierModule(tf.Module):
    """A classifier with everything from raw text to a label in the graph.

    Args:
        model: a built `Classifier`.
        vocabulary: of its words.
        labels: path of a text file with the names of the classes, one a line.
        keep: which words are read of a text with more than the model's `max_length`, see
            `text.cut`.
        weights: how the weights are stored, one of `zoo.configuration.STORED`.
    """

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
        self.signature_names = ["serving_default", "labels"]
        if model.config.reads_forward:
            self.signature_names.append("stream")
            self._states = of_states(model.zero_states(1))
            self.stream = tf.function(
                self._stream,
                autograph=False,
                input_signature=of_stream(of_batch(tf.int32, "token_count"), *self._states),
            )
        add_gates(self, model, self.weights, self._inputs)

    @tf.function(input_signature=[of_texts()], autograph=False)
    def serving_default(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies raw text. `text` string[B] → label string[B], probability float[B],
        probabilities float[B, C]."""
        ids = self._ids(self._words(text_))
        with self.weights.reading():
            probabilities = self._model.value.classify_texts(ids)
        return self._said(probabilities)

    @tf.function(input_signature=[of_texts()], autograph=False)
    def labels(self, text_: tf.Tensor) -> dict[str, tf.Tensor]:
        """The names of the classes, in the order of `probabilities`: labels string[B, C], the same
        for every text. A server that batches runs no signature without an input, and none whose
        outputs have another batch than its inputs."""
        names = self.label_names.lookup(tf.range(self._classes, dtype=tf.int64))
        return {"labels": tf.tile(names[None], [tf.size(text_), 1])}

    def _stream(
        self,
        text_: tf.Tensor,
        last: tf.Tensor,
        state_bytes: tf.Tensor,
        token_count: tf.Tensor,
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Classifies texts that come in chunks, cut anywhere, by the words so far.

        `text` string[B], what has come; `last` bool[B], whether it is all; and what the chunk
        before gave by the same names, nothing and zeros for the first one: state_bytes string[B],
        what may still grow; token_count int32[B], of words that were read; state_0, ...
        float[B, ...], of all layers and of the pooling → these, and what `serving_default` says of
        the words so far. All of them are read: a long text is not cut."""
        same_rows(text_, last, state_bytes, token_count, *states)
        now, later = streaming.ready(
            tf.strings.join([state_bytes, text_]), last, streaming.behind_words_of_markup
        )
        words = text.tokenize(text.without_markup(now))
        ids = self._ids(words).to_tensor()
        with self.weights.reading():
            model = self._model.value
            before = given_back(states, model.zero_states(1))
            probabilities, after = model.read_on(ids, before, token_count == 0)
        return {
            **self._said(probabilities),
            "token_count": token_count + tf.cast(words.row_lengths(), tf.int32),
            "state_bytes": later,
            **named(self._states, after),
        }

    def warmup(self, texts: tf.Tensor) -> list[Request]:
        """Requests that a server runs when it loads the model, of texts `[batch]`."""
        return [("serving_default", {"text": texts}), *opening(self, texts)]

    def _inputs(self, text_: tf.Tensor) -> tuple[tf.RaggedTensor, Inputs]:
        words = self._words(text_)
        return words, {"words": self._ids(words).to_tensor()}

    def _ids(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        return words.with_flat_values(self.vocabulary(words.flat_values))

    def _said(self, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "label": self.label_names.lookup(tf.argmax(probabilities, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }

    @tf.function(input_signature=[of_texts()], autograph=False)
    def words(self, text_: tf.Tensor) -> tf.Tensor:
        """The words that the model reads of texts: string[B, T], "" behind the last one."""
        return self._words(text_).to_tensor()

    # A function of its own: the signatures share its graph.
    @tf.function(input_signature=[of_texts()], autograph=False)
    def _words(self, text_: tf.Tensor) -> tf.RaggedTensor:
        return text.words_read(text_, *self._cut)
