"""Which words matter for what a model says of a word: gradients by word.

    influence of word j on decision i = ‖∂s<i>/∂x<j>‖

x<j> is what the recurrent part reads of the word, and s<i> what was decided: the score of the tag
that a tagger gives word i, the score of the class of a text, or log P of token i of a language
model. Of a network of one direction, no word influences what was said before it.

Source: Karpathy, Johnson and Fei-Fei 2015; Madsen 2019, "Visualizing memorization in RNNs".
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from zoo import text
from zoo.catalog.building import load_weights
from zoo.catalog.sources import Source, source
from zoo.configuration import LanguageModelConfig
from zoo.models import Classifier, LanguageModel, Tagger
from zoo.models.parts import Inputs, RecurrentModel
from zoo.text.tokens import Tokens, make_vocabulary, tokenize

# A figure with more words is not read, and its numbers grow with their square.
MOST_WORDS = 300
# So many decisions are differentiated at once.
_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Influences:
    """What each word of a text does to each decision.

    Attributes:
        words: of the text, as the model reads them.
        decisions: what was said: the tag or the probability of each word, or the one label of the
            whole text.
        values: `[decisions, words]`, ‖∂s<i>/∂x<j>‖.
    """

    words: list[str]
    decisions: list[str]
    values: np.ndarray

    @property
    def of_words(self) -> bool:
        """Whether each word has a decision of its own."""
        return len(self.decisions) == len(self.words)

    def shares(self) -> np.ndarray:
        """`values` by the largest of each row; a row of zeros stays one."""
        largest = np.max(self.values, axis=1, keepdims=True, initial=0)
        return np.divide(self.values, largest, out=np.zeros_like(self.values), where=largest > 0)


@dataclasses.dataclass(frozen=True)
class Reader:
    """A model, and how it is asked.

    Attributes:
        model: built; `stack`, its lowest recurrent layer.
        read: from a text to its words, and to what the model reads, a batch of one.
        decide: from the batch, repeated, to scores of decisions `[batch, decisions]`.
        names: what was decided, from the batch of one.
        later: by how many steps a word is read later than it is decided about.
    """

    model: RecurrentModel
    stack: keras.layers.Layer
    read: Callable[[str], tuple[list[str], dict[str, tf.Tensor]]]
    decide: Callable[[dict[str, tf.Tensor]], tf.Tensor]
    names: Callable[[dict[str, tf.Tensor]], list[str]]
    later: int = 0

    def __call__(self, one: str) -> Influences:
        """The influences in a text.

        Raises:
            UserError: it has no words, too few or too many.
        """
        words, inputs = self.read(one)
        if not 2 <= len(words) <= MOST_WORDS:
            much = {0: "no words", 1: "1 word"}.get(len(words), f"{len(words):,} words")
            raise UserError(
                f"--text: expected 2 to {MOST_WORDS} words, as the model reads them. Received: "
                f"{much} in {one[:40]!r}. Give a text of whole sentences, and a long one in parts."
            )
        decisions = self.names(inputs)
        count = len(decisions)
        parts = [
            self._gradients(inputs, np.arange(i, min(i + _AT_ONCE, count)))
            for i in range(0, count, _AT_ONCE)
        ]
        found = np.concatenate(parts)
        values = np.zeros([count, len(words)])
        values[:, : len(words) - self.later] = found[:, self.later :]
        return Influences(words, decisions, values)

    def _gradients(self, inputs: dict[str, tf.Tensor], numbers: np.ndarray) -> np.ndarray:
        """‖∂s<i>/∂x<t>‖ for some decisions i, `[decisions, time]`: a row of the batch each."""
        rows = {name: tf.repeat(value, len(numbers), axis=0) for name, value in inputs.items()}
        with tf.GradientTape() as tape, _watched(self.stack, tape) as seen:
            scores = self.decide(rows)
            total = tf.reduce_sum(tf.gather(scores, numbers[:, None], batch_dims=1))
        gradient = tape.gradient(total, seen[0], unconnected_gradients="zero")
        return np.linalg.norm(tf.cast(gradient, tf.float64).numpy(), axis=-1)


@contextlib.contextmanager
def _watched(layer: keras.layers.Layer, tape: tf.GradientTape) -> Iterator[list[tf.Tensor]]:
    """While it lasts, the tape watches what a layer is called on; yields a list of that."""
    call, seen = layer.call, []

    def listen(sequences: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        tape.watch(sequences)
        seen.append(sequences)
        return call(sequences, *args, **kwargs)

    layer.call = listen
    try:
        yield seen
    finally:
        del layer.call


# --- Models --------------------------------------------------------------------------------------


def reader_of(name: str | os.PathLike, flag: str = "model") -> Reader:
    """A trained model: of the zoo, a SavedModel, or that of a training run.

    Raises:
        UserError: there is none, or one that is not recurrent or decides about no words.

    Example:
        >>> found = reader_of("lm_demo")("The cats were full.")
        >>> found.words
        ['The', 'cats', 'were', 'full', '.', '<EOS>']
        >>> bool(found.values[1, 0] > 0), found.values[1, 2:].max()  # nothing is known of "were"
        (True, 0.0)
    """
    try:
        found = source(name)
        model = load_weights(found)
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag}: {error}") from None
    kinds: dict[Any, Callable] = {
        Tagger: _tagger,
        Classifier: _classifier,
        LanguageModel: _language_model,
    }
    if type(model) not in kinds or found.config.cell == "none":
        raise UserError(
            f"--{flag}: expected a recurrent tagger, classifier or language model. Received: "
            f"{os.fspath(name)!r}, a model of tasks.{found.task} with --cell={found.config.cell}. "
            "Where a translator looks, --mode=align of tasks.translate shows."
        )
    folder = found.folder if found.is_run else found.folder / "assets"
    return kinds[type(model)](model, str(folder / "vocabulary.txt"), found)


def fresh_reader(cell: str, units: int, seed: int, texts: Sequence[str]) -> Reader:
    """An untrained language model of a cell, with the words of some texts for a vocabulary."""
    keras.utils.set_random_seed(seed)
    tokens = tokenize(tf.constant(list(texts)), "words").flat_values.numpy()
    names = make_vocabulary(tokens, len(tokens) + 2, 1, "words")
    with tempfile.TemporaryDirectory() as folder:
        reader = Tokens(text.write_lines(os.path.join(folder, "vocabulary.txt"), names), "words")
    size = reader.size
    config = LanguageModelConfig(cell=cell, units=units, embedding_dim=units, vocabulary_size=size)
    model = LanguageModel(config)
    model.build()
    return _of_tokens(model, reader)


def _tagger(model: Tagger, path: str, found: Source) -> Reader:
    del found
    vocabulary = text.Vocabulary(path)

    def read(one: str) -> tuple[list[str], dict[str, tf.Tensor]]:
        words = text.tokenize(tf.constant([one])).flat_values
        features = text.features(words, vocabulary)
        return _strings(words), {name: value[None] for name, value in features.items()}

    def tags(inputs: Inputs) -> tf.Tensor:
        return model.decode(inputs)[0]

    def decide(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.gather(model(inputs), tags(inputs), batch_dims=2)

    def names(inputs: dict[str, tf.Tensor]) -> list[str]:
        return [model.config.tags[number] for number in tags(inputs)[0].numpy()]

    return Reader(model, model.stack, read, decide, names)


def _classifier(model: Classifier, path: str, found: Source) -> Reader:
    vocabulary = text.Vocabulary(path)

    def read(one: str) -> tuple[list[str], dict[str, tf.Tensor]]:
        length, keep = model.config.max_length, found.recipe["keep"]
        words = text.words_read(tf.constant([one]), length, keep).flat_values
        return _strings(words), {"words": vocabulary(words)[None]}

    def decide(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.reduce_max(model(inputs), axis=1, keepdims=True)

    def names(inputs: dict[str, tf.Tensor]) -> list[str]:
        return [model.config.labels[int(np.argmax(model(inputs)[0]))]]

    return Reader(model, model.stack, read, decide, names)


def _language_model(model: LanguageModel, path: str, found: Source) -> Reader:
    return _of_tokens(model, Tokens(path, found.recipe["tokens"]))


def _of_tokens(model: LanguageModel, tokens: Tokens) -> Reader:
    def read(one: str) -> tuple[list[str], dict[str, tf.Tensor]]:
        if not one.strip():
            return [], {}
        shown = _strings(tokenize(tf.constant([one]), tokens.kind).flat_values)
        return shown, {"targets": tokens.ids(tf.constant([one])).to_tensor()}

    def decide(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        targets = inputs["targets"]
        rows = tf.shape(targets)[0]
        before = tf.zeros([rows], tf.int32)
        return model.log_probabilities(targets, before, model.zero_states(rows))[0]

    def names(inputs: dict[str, tf.Tensor]) -> list[str]:
        return [f"{p:.0%}" for p in np.exp(decide(inputs)[0].numpy())]

    return Reader(model, model.stacks[0], read, decide, names, later=1)


def _strings(words: tf.Tensor) -> list[str]:
    return [word.decode("utf-8", "replace") for word in words.numpy()]
