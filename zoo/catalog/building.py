"""Untrained models of the shape of an entry's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from zoo.catalog.results import EntryResults, read_entry
from zoo.configuration import MODELS, LanguageModelConfig, RecurrentConfig
from zoo.models import Classifier, LanguageModel, Tagger
from zoo.models.parts import RecurrentModel
from zoo.saving import versions

_CLASSES: dict[type[RecurrentConfig], type[RecurrentModel]] = {
    one.configuration: one for one in (Tagger, Classifier, LanguageModel)
}
# Of files of schema 1: the asset with the names that a configuration has.
_NAMES = {"tags": "tags.txt", "labels": "labels.txt"}


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
    model = _CLASSES[type(config)](config)
    model.build()
    return model


def configuration(results: EntryResults, folder: Path, **changes: Any) -> RecurrentConfig:
    """What an entry's model is made of, but for some fields.

    Args:
        results: of the entry.
        folder: of the entry: in files of schema 1, sizes follow from the model's assets.
        changes: by name.
    """
    kind = MODELS[results.task]
    values = results.model or _of_first_schema(results, folder, changes)
    if kind is LanguageModelConfig:
        # Rows of running text belong to a training run, and not to its model's shape.
        values = values | {"rows": 0}
    return kind.from_dict(values).replace(**changes)


def _of_first_schema(results: EntryResults, folder: Path, changes: dict[str, Any]) -> dict:
    """A configuration put together from the flags of a run and the assets of its SavedModel."""
    if results.config.get("embeddings_file") and "embedding_dim" not in changes:
        raise ValueError(
            f"{results.name}: expected `embedding_dim`, the width of the word vectors in "
            f"{results.config['embeddings_file']!r}, which the model was trained with: its "
            f"results.json does not say it. Received: {sorted(changes)}"
        )
    assets = folder / str(results.version) / "assets"
    values = {**results.config, "vocabulary_size": 1 + len(_lines(assets / "vocabulary.txt"))}
    for field, file in _NAMES.items():
        if (assets / file).exists():
            values[field] = _lines(assets / file)
    return values


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n")[:-1]
