"""Untrained models of the shape of an entry's."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo import text
from zoo.catalog import cards, loading
from zoo.models import Classifier, Tagger
from zoo.models.language_model import LanguageModel
from zoo.text.tags import forbidden_transitions


def build(name: str, folder: str | os.PathLike = loading.SAVED_MODELS, **changes: Any):
    """An untrained Keras model of the shape of an entry's.

    Args:
        name: one of `list_models()`.
        folder: that holds the models: from there come the sizes of vocabulary and output.
        changes: arguments of `Tagger`, `Classifier` or `LanguageModel` that are to differ.

    Returns:
        A built, uncompiled model; its inputs are in the docstring of its class.

    Raises:
        ValueError: there is no such entry, or the class has no such argument.

    Example:
        >>> model = build("ner_demo", units=64)  # doctest: +SKIP
    """
    results = cards.read_results(name, folder)
    assets = Path(folder) / name / str(results["version"]) / "assets"
    config = results["config"]
    vocabulary_size = 1 + len(_lines(assets / "vocabulary.txt"))
    if results["task"] in ("ner", "pos"):
        tags = _lines(assets / "tags.txt")
        pairs, starts, ends = forbidden_transitions(tags)
        kind, own = Tagger, {"tags": len(tags)}
        own |= {"forbidden": pairs, "forbidden_start": starts, "forbidden_end": ends}
        inputs = {
            "words": tf.ones([1, 2], tf.int32),
            "shapes": tf.ones([1, 2], tf.int32),
            "bytes": tf.ones([1, 2, text.WORD_BYTES], tf.int32),
        }
    elif results["task"] == "sentiment":
        kind, own = Classifier, {"classes": len(_lines(assets / "labels.txt"))}
        inputs = {"words": tf.ones([1, 2], tf.int32)}
    else:
        kind, own = LanguageModel, {"samples": config["sampled_softmax"]}
        one = tf.ones([1], tf.int32)
        inputs = {"targets": tf.ones([1, 2], tf.int32), "before": one, "fresh": one > 0}
    arguments = {"vocabulary_size": vocabulary_size, **own, **_known(kind, config)}
    unknown = sorted(changes.keys() - inspect.signature(kind).parameters.keys())
    if unknown:
        raise ValueError(
            f"expected arguments of {kind.__name__}, {sorted(inspect.signature(kind).parameters)}. "
            f"Received: {unknown}"
        )
    model = kind(**arguments | changes)
    model(inputs)
    return model


def _known(kind: type[keras.Model], config: Mapping) -> dict:
    """Of the flags of a recipe, those that are arguments of a class."""
    return {name: config[name] for name in inspect.signature(kind).parameters if name in config}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n")[:-1]
