"""How each kind of model is asked which words matter: what reads, what is decided, what is said."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tasks.data.errors import UserError
from tasks.experiments.influences import Inputs, Reader
from tasks.framework import starting
from zoo import text
from zoo.catalog.building import load_weights
from zoo.catalog.sources import Source
from zoo.configuration import LanguageModelConfig
from zoo.decoding.loop import write
from zoo.decoding.strategies import Greedy
from zoo.models import Classifier, EncoderDecoder, LanguageModel, Tagger
from zoo.text.subwords import Subwords
from zoo.text.tokens import PADDING, UNKNOWN, Tokens, make_vocabulary, tokenize

# A translation has at most so many tokens for each token of its source.
_TOKENS_PER_TOKEN = 3


def reader_of(name: str | os.PathLike, flag: str = "model") -> Reader:
    """A trained model: of the zoo, a SavedModel, or that of a training run.

    Raises:
        UserError: there is none, or one that is not recurrent or reads no words.

    Example:
        >>> found = reader_of("lm_demo")("The cats were full.")
        >>> found.words
        ['The', 'cats', 'were', 'full', '.', '<EOS>']
        >>> bool(found.values[1, 0] > 0), float(found.values[1, 1:].max())  # what is to come
        (True, 0.0)
    """
    found = starting.named(name, flag)
    try:
        model = load_weights(found)
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag}: {error}") from None
    kinds: dict[Any, Callable] = {
        Tagger: _tagger,
        Classifier: _classifier,
        LanguageModel: _language_model,
        EncoderDecoder: _translator,
    }
    if type(model) not in kinds or found.config.cell == "none":
        raise UserError(
            f"--{flag}: expected a recurrent model that reads words. Received: "
            f"{os.fspath(name)!r}, of tasks.{found.task} with --cell={found.config.cell}"
        )
    return kinds[type(model)](model, found)


def _file(found: Source, name: str = "vocabulary.txt") -> str:
    """A text file of a model."""
    return os.fspath(found.path(name))


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


def _tagger(model: Tagger, found: Source) -> Reader:
    vocabulary = text.Vocabulary(_file(found))

    def read(one: str) -> tuple[list[list[str]], Inputs]:
        words = text.tokenize(tf.constant([one])).flat_values
        features = text.features(words, vocabulary)
        inputs = {name: value[None] for name, value in features.items()}
        return [_strings(words)], {**inputs, "tags": model.decode(inputs)[0]}

    def decide(inputs: Inputs) -> tf.Tensor:
        return tf.gather(model(inputs), inputs["tags"], batch_dims=2)

    def say(inputs: Inputs) -> list[str]:
        return [model.config.tags[number] for number in inputs["tags"][0].numpy()]

    return Reader([(model.stack, 0)], read, decide, say)


def _classifier(model: Classifier, found: Source) -> Reader:
    vocabulary = text.Vocabulary(_file(found))

    def read(one: str) -> tuple[list[list[str]], Inputs]:
        length, keep = model.config.max_length, found.recipe["keep"]
        words = text.words_read(tf.constant([one]), length, keep).flat_values
        return [_strings(words)], {"words": vocabulary(words)[None]}

    def decide(inputs: Inputs) -> tf.Tensor:
        return tf.reduce_max(model(inputs), axis=1, keepdims=True)

    def say(inputs: Inputs) -> list[str]:
        return [model.config.labels[int(np.argmax(model(inputs)[0]))]]

    return Reader([(model.stack, 0)], read, decide, say, whole=True)


def _language_model(model: LanguageModel, found: Source) -> Reader:
    return _of_tokens(model, Tokens(_file(found), found.recipe["tokens"]))


def _of_tokens(model: LanguageModel, tokens: Tokens) -> Reader:
    def read(one: str) -> tuple[list[list[str]], Inputs]:
        shown = _strings(tokenize(tf.constant([one]), tokens.kind).flat_values)
        return [shown], {"targets": tokens.ids(tf.constant([one])).to_tensor()}

    def decide(inputs: Inputs) -> tf.Tensor:
        targets = inputs["targets"]
        rows = tf.shape(targets)[0]
        before = tf.zeros([rows], tf.int32)
        return model.log_probabilities(targets, before, model.zero_states(rows))[0]

    def say(inputs: Inputs) -> list[str]:
        return [f"{p:.0%}" for p in np.exp(decide(inputs)[0].numpy())]

    return Reader([(model.stacks[0], 1)], read, decide, say)


def _translator(model: EncoderDecoder, found: Source) -> Reader:
    if found.recipe["subwords"]:
        reads = writes = Subwords(_file(found))
    else:
        reads = Tokens(_file(found, "source_vocabulary.txt"), "words")
        writes = Tokens(_file(found), "words")

    def read(one: str) -> tuple[list[list[str]], Inputs]:
        x = reads.ids(tf.constant([" ".join(one.split())])).to_tensor()
        memory, states = model.read(x)
        limit = tf.shape(x)[1:] * _TOKENS_PER_TOKEN
        y = write(model, states, memory, limit, Greedy((PADDING, UNKNOWN))).ids[:, 0]
        parts = [_strings(reads.names(x[0])), _strings(writes.names(y[0]))]
        return parts, {"source": x, "targets": y}

    def decide(inputs: Inputs) -> tf.Tensor:
        return model.log_probabilities(inputs["source"], inputs["targets"])

    def say(inputs: Inputs) -> list[str]:
        return [f"{p:.0%}" for p in np.exp(decide(inputs)[0].numpy())]

    return Reader([(model.encoders[0], 0), (model.target_dropouts[0], 1)], read, decide, say)


def _strings(words: tf.Tensor) -> list[str]:
    return [word.decode("utf-8", "replace") for word in words.numpy()]
