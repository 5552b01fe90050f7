"""A tag for each word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import layers
from layers.forward_backward import Form
from layers.n_best import best_paths
from zoo import text
from zoo.configuration import TaggerConfig
from zoo.models.by_length import Group, in_groups
from zoo.models.parts import Inputs, Labelled, MakeStack, RecurrentModel
from zoo.models.spelled_words import SpelledWords
from zoo.models.step_by_step import step_by_step
from zoo.models.weighting import weights_of_rows, weights_of_steps
from zoo.text.tags import forbidden_transitions


@keras.saving.register_keras_serializable("zoo")
class Tagger(RecurrentModel):
    """A tag for each word: many-to-many of equal length.

        words, shapes, bytes → embeddings → stack of recurrent layers → scores of tags → CRF

    Each word is the concatenation of its embedding, that of its shape, and where a bidirectional
    recurrent layer ends that reads its bytes (Lample et al. 2016). With `cell="none"` nothing is
    recurrent: a word sees the two words on either side, and its own bytes as a bag.

    Tags that their scheme forbids, such as I-PER after O, are never decoded by the CRF.

    Args:
        config: what it is made of; `vocabulary_size` and the names of the `tags` are needed.
        embeddings: vectors of others `[vocabulary_size, width]`, see `WordEmbedding`, or None.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Inputs: a dict of `words` and `shapes`, int32 `[batch, time]`, and `bytes`, integers
    `[batch, time, text.WORD_BYTES]`; 0 is padding, on the right. Output: scores
    `[batch, time, tags]`. Source: Huang, Xu and Yu 2015; Lample et al. 2016.

    Raises:
        ValueError: the configuration lacks a size, or a tag fits no scheme.

    Example:
        >>> model = Tagger(TaggerConfig(vocabulary_size=100, tags=("O", "B-PER", "I-PER"), units=8))
        >>> words = tf.constant([[4, 9, 0]])
        >>> letters = tf.ones([1, 3, text.WORD_BYTES], tf.int32)
        >>> model({"words": words, "shapes": tf.sign(words), "bytes": letters}).shape
        TensorShape([1, 3, 3])
    """

    configuration = TaggerConfig
    config: TaggerConfig
    # One of them is None: a network is recurrent or it is not.
    stack: Any
    hidden: Any

    def __init__(
        self,
        config: TaggerConfig,
        embeddings: np.ndarray | None = None,
        make_stack: MakeStack = layers.Stack,
        **kwargs: Any,
    ):
        super().__init__(config, make_stack, **kwargs)
        self._require(config.tags, "tags=..., the names of the tags")
        self.reader = SpelledWords(config, embeddings, self.recurrent, dtype=self.dtype_policy)
        self.input_dropout = self.dropout()
        self.output_dropout = self.dropout()
        self.stack = self.hidden = None
        if config.cell == "none":
            self.hidden = self.dense(config.units, activation="tanh")
        else:
            self.stack = self.recurrent(
                config.units,
                depth=config.depth,
                bidirectional=config.bidirectional,
                dropout=config.dropout,
                recurrent_dropout=config.recurrent_dropout,
            )
        self.scores = self.dense(len(config.tags))
        self.crf = (
            layers.CRF(
                len(config.tags),
                *forbidden_transitions(config.tags),
                jit=config.layer_jit,
                dtype=self.dtype_policy,
            )
            if config.crf
            else None
        )

    def build(self, input_shape: object = None) -> None:
        config = self.config
        self.reader.build()
        if self.stack is None:
            self.hidden.build((None, None, _NEIGHBOURS * self.reader.width))
            width = config.units
        else:
            self.stack.build((None, None, self.reader.width))
            width = config.units * (2 if config.bidirectional else 1)
        self.scores.build((None, None, width))
        if self.crf is not None:
            self.crf.build((None, None, len(config.tags)))

    def of_labels(self) -> Labelled:
        variables: list[tuple[keras.Variable, tuple[int, ...]]]
        variables = [(self.scores.kernel, (1,)), (self.scores.bias, (0,))]
        if self.crf is not None:
            variables += [(self.crf.transitions, (0, 1)), (self.crf.start, (0,))]
            variables += [(self.crf.end, (0,))]
        return self.config.tags, variables

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Scores `[batch, time, tags]` of the tags; their probabilities are the CRF's."""
        x = self.reader(inputs, training=training)
        return self._scores(x, inputs["words"] > text.PADDING, training)

    def _scores(self, x: tf.Tensor, real: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores `[batch, time, tags]` for x<t>, `[batch, time, width]`."""
        x = self.input_dropout(x, training=training)
        if self.stack is None:
            x = self.hidden(_neighbours(x, real))
        else:
            x = self.stack(x, mask=real, training=training)
        x = self.scores(self.output_dropout(x, training=training))
        return x if self.crf is None else self.crf(x)

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """Of the layers that read words, not of those that read their bytes."""
        x = self.reader(inputs, distinct=False)
        return self.stack.gate_activations(x, mask=inputs["words"] > text.PADDING)

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean over the sentences of the negative log-likelihood of their tags.

        `sample_weight` `[batch]` weighs sentences. Without a CRF, where the likelihood of a
        sentence is the product of that of its words, `[batch, time]` weighs words, and
        `class_weight` of `fit` the right tags. See `zoo.models.weighting`.

        Raises:
            ValueError: a CRF is given weights of words or tags, or `y` are no integers.
        """
        y = tf.convert_to_tensor(y)
        if not y.dtype.is_integer:
            raise ValueError(
                "y: expected the numbers of tags, integers [batch, time]. Received: "
                f"{y.dtype.name} of shape {y.shape}"
            )
        real, y = x["words"] > text.PADDING, tf.cast(y, tf.int32)
        if self.crf is not None:
            weights = weights_of_rows(sample_weight, "sentence, since a CRF does not add up words")
            losses = weights * self.crf.loss(y_pred, y, mask=real, training=training)
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(y_pred, tf.float32))
            weights = weights_of_steps(sample_weight, real, "word")
            losses *= weights * self._weights_of_classes(y, training)
            losses = tf.reduce_sum(tf.where(real, losses, 0.0), axis=1)
        return tf.reduce_mean(losses) + sum(self.losses)

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Sentences, those of padding alone too."""
        return tf.shape(inputs["words"])[0]

    def weighted_classes(self) -> tuple[str, ...]:
        if self.crf is None:
            return self.config.tags
        raise ValueError(
            "class_weight: expected none, since a CRF weighs whole sentences, whose tags are of "
            "many classes. Give sample_weight, one for each sentence, or train with crf=False"
        )

    def decode(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """The best tags, int32 `[batch, time]`, and the probability of each, `[batch, time]`."""
        return self._decode(self(inputs, training=False), inputs["words"] > text.PADDING)

    def decode_sentences(
        self, distinct: dict[str, tf.Tensor], which: tf.RaggedTensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The best tags of sentences of any length, and the probability of each tag.

        What `decode` gives, in time and memory that follow the real words and not the longest
        sentence: distinct words are spelt once, and sentences are read in groups of like length.

        Args:
            distinct: what `text.features` gives for distinct words: `words` and `shapes`, int32
                `[distinct]`, and `bytes`, integers `[distinct, text.WORD_BYTES]`.
            which: the words of each sentence as numbers of distinct ones, int32
                `[sentences, (words)]`.

        Returns:
            Tags, int32 `[words of all sentences]`, and their probabilities, float32.
        """

        def tag(numbers: tf.Tensor, scores: tf.Tensor) -> list[tf.Tensor]:
            tags, confidence = self._decode(scores, numbers > 0)
            places = tf.where(numbers > 0)
            confidence = tf.cast(confidence, tf.float32)
            return [tf.gather_nd(tags, places), tf.gather_nd(confidence, places)]

        nothing = tf.zeros_like(which.flat_values)
        tags, confidence = self._of_sentences(
            distinct, which, tag, of_steps=[nothing, tf.cast(nothing, tf.float32)]
        )
        return tags, confidence

    def n_best_sentences(
        self, distinct: dict[str, tf.Tensor], which: tf.RaggedTensor, n: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The n most probable sequences of tags of sentences of any length.

        Without a CRF the probability of a sequence is the product of those of its tags.

        Args:
            distinct, which: as in `decode_sentences`.
            n: how many, int32, 1 or more.

        Returns:
            Tags, int32 `[words of all sentences, n]`, the most probable sequence first; log p of
            each sequence, float32 `[sentences, n]`, minus infinity where there are no more; and how
            many there are, int32 `[sentences]`.
        """

        def tag(numbers: tf.Tensor, scores: tf.Tensor) -> list[tf.Tensor]:
            tags, log_p, count = self._n_best(scores, numbers > 0, n)
            tags = tf.gather_nd(tf.transpose(tags, [0, 2, 1]), tf.where(numbers > 0))
            return [tf.cast(log_p, tf.float32), count, tags]

        sentences = which.nrows(tf.int32)
        log_p, count, tags = self._of_sentences(
            distinct,
            which,
            tag,
            of_rows=[tf.zeros([sentences, n]), tf.zeros([sentences], tf.int32)],
            of_steps=[tf.zeros([tf.size(which.flat_values), n], tf.int32)],
        )
        return tags, log_p, count

    def _of_sentences(
        self,
        distinct: dict[str, tf.Tensor],
        which: tf.RaggedTensor,
        answer: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]],
        of_rows: Sequence[tf.Tensor] = (),
        of_steps: Sequence[tf.Tensor] = (),
    ) -> list[tf.Tensor]:
        """What is said of the scores of sentences, read in groups of like length.

        Args:
            distinct, which: as in `decode_sentences`.
            answer: from the numbers of a group's words, int32 `[rows, time]`, 0 where there is
                padding, and the scores of their tags, `[rows, time, tags]`, to what is said.
            of_rows, of_steps: see `zoo.models.by_length`.
        """
        # Padding is one more word, the first one, without letters.
        words, shapes = (tf.pad(distinct[name], [[1, 0]]) for name in ("words", "shapes"))
        letters = tf.pad(tf.cast(distinct["bytes"], tf.int32), [[1, 0], [0, 0]])
        columns = tf.range(1, text.WORD_BYTES + 1)
        nothing = tf.zeros([tf.size(words), self.reader.spelling_width], self.compute_dtype)
        (spelling,) = in_groups(
            tf.reduce_max(columns * tf.sign(letters), axis=1),
            lambda group: [self.reader.spelling(group.of(letters)[:, : group.longest])],
            of_rows=[nothing],
        )

        def read(group: Group) -> list[tf.Tensor]:
            numbers = group.padded(which.flat_values + 1)
            x = [tf.gather(values, numbers) for values in (words, shapes, spelling)]
            return answer(numbers, self._scores(self.reader.beside(*x), numbers > 0))

        return in_groups(
            which.row_lengths(), read, of_rows=of_rows, of_steps=of_steps, splits=which.row_splits
        )

    def zero_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """What a tagger of one direction carries from word to word, before the first one: the
        states of all layers, each `[batch, units]`, and with a CRF α, `[batch, tags]`."""
        states = self.stack.get_initial_state(batch)
        return states if self.crf is None else [*states, tf.zeros([batch, len(self.config.tags)])]

    def read_on(
        self, inputs: Inputs, states: list[tf.Tensor], first: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """How probable each tag of each word is by the words up to it, from given states.

        Args:
            inputs: as those of the class; at least one step of time.
            states: as `zero_states` gives them.
            first: bool `[batch]`, whether the first word here is the first of its text.

        Returns:
            log p(y<t> = tag | x<1>, ..., x<t>), `[batch, time, tags]`, and the last states.

        Raises:
            ValueError: the model sees words that are yet to come.
        """
        if not self.config.reads_forward:
            raise ValueError(
                "read_on: expected a tagger of one direction, since no other can say a tag before "
                f"the next word is there. Received: {self.config!r}"
            )
        x = self.reader(inputs, distinct=False)
        is_first = first[:, None] & (tf.range(tf.shape(x)[1]) == 0)
        count = self.stack.states_per_layer * len(self.stack.recurrent_layers)

        def step(
            inputs: list[tf.Tensor], states: list[tf.Tensor]
        ) -> tuple[tf.Tensor, list[tf.Tensor]]:
            x, is_first = inputs
            a, after = self.stack.step(x, states[:count])
            scores = tf.cast(self.scores(a), tf.float32)
            if self.crf is None:
                return tf.nn.log_softmax(scores), after
            alpha = self.crf.step(scores, states[-1], is_first)
            return alpha, [*after, alpha]

        return step_by_step(step, [x, is_first], inputs["words"] > text.PADDING, states)

    def _decode(self, scores: tf.Tensor, real: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.crf is not None:
            return self.crf.decode_with_confidence(scores, mask=real)
        probabilities = tf.nn.softmax(tf.cast(scores, tf.float32))
        tags = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        confidence = tf.reduce_max(probabilities, axis=-1)
        return tf.where(real, tags, 0), tf.where(real, confidence, 0.0)

    def _n_best(
        self, scores: tf.Tensor, real: tf.Tensor, n: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        if self.crf is not None:
            return self.crf.decode_n_best(scores, n, mask=real)
        free = tf.zeros([len(self.config.tags) + 1] * 2)
        log_p = tf.nn.log_softmax(tf.cast(scores, tf.float32))
        return best_paths(Form(len(self.config.tags)), log_p, real, free, n)


# A word without recurrence sees two words on either side.
_NEIGHBOURS = 5


def _neighbours(x: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Each word beside the two before and the two after it: `[batch, time, width]` →
    `[batch, time, _NEIGHBOURS * width]`."""
    x = x * tf.cast(real, x.dtype)[:, :, None]
    time = tf.shape(x)[1]
    padded = tf.pad(x, [[0, 0], [_NEIGHBOURS // 2] * 2, [0, 0]])
    return tf.concat([padded[:, i : i + time] for i in range(_NEIGHBOURS)], axis=-1)
