"""Keras models: untrained ones of the shape of an entry's, and trained ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from zoo.catalog.loading import load_quietly
from zoo.catalog.results import read_entry
from zoo.catalog.sources import BEST, Source, configuration, source
from zoo.configuration import RecurrentConfig
from zoo.models import Classifier, EncoderDecoder, LanguageModel, MusicModel, Tagger
from zoo.models.parts import RecurrentModel
from zoo.saving import versions
from zoo.saving.restoring import restore_run, restore_saved_model

_CLASSES: dict[type[RecurrentConfig], type[RecurrentModel]] = {
    one.configuration: one
    for one in (Tagger, Classifier, LanguageModel, EncoderDecoder, MusicModel)
}


def build(name: str, folder: str | os.PathLike | None = None, **changes: Any) -> RecurrentModel:
    """An untrained Keras model of the shape of an entry's.

    Args:
        name: of an entry.
        folder: that holds the models; by default the zoo's own.
        changes: fields of the configuration that are to differ.

    Returns:
        A built, uncompiled model; its inputs are in the docstring of its class, what it is made of
        in `model.config`.

    Raises:
        ValueError: there is no such entry, or no such field of its configuration.
        OSError: its results cannot be read.

    Example:
        >>> model = build("ner_demo", units=64)
        >>> model.config.units, model.config.embedding_dim
        (64, 100)
    """
    folder = versions.home() if folder is None else folder
    config = configuration(read_entry(name, folder), Path(folder) / name, **changes)
    return model_of(config)


def keras_model(name: str | os.PathLike, version: int | None = None) -> RecurrentModel:
    """A trained Keras model: to look into, or to train on.

    Args:
        name: of a model in the zoo; or the path of a SavedModel, or of the folder of a run.
        version: of a SavedModel, by default the newest.

    Returns:
        A built, uncompiled model; its inputs are in the docstring of its class, what it is made of
        in `model.config`. Weights that are stored with 16 or 8 bits are float32 here. Gates:
        `layers.gate_activations(model.stack, inputs, model=model)`.

    Raises:
        ValueError: there is no such model, or it does not say what it is made of.

    Example:
        >>> model = keras_model("ner_demo")
        >>> model.config.cell, model.config.units
        ('lstm', 128)
    """
    return load_weights(source(name, version))


def load_weights(found: Source) -> RecurrentModel:
    """The Keras model of a source."""
    model = model_of(found.config)
    if found.is_run:
        restore_run(model, found.folder / BEST)
    else:
        restore_saved_model(model, load_quietly(found.folder))
    return model


def model_of(config: RecurrentConfig) -> RecurrentModel:
    """An untrained, built model of a configuration.

    Example:
        >>> from zoo.configuration import TaggerConfig
        >>> model_of(TaggerConfig(vocabulary_size=9, tags=("B-PER", "I-PER"))).built
        True
    """
    model = _CLASSES[type(config)](config)
    model.build()
    return model
