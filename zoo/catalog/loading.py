"""Loads a model by its name and asks it with strings."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

# Beside the packages, as in a clone.
SAVED_MODELS = Path(__file__).parent.parent.parent / "saved_models"


def load_quietly(folder: str | os.PathLike) -> Any:
    """`tf.saved_model.load` without its warning that gradients were left out: none is asked for."""
    level = logging.get_verbosity()
    try:
        logging.set_verbosity(logging.ERROR)
        return tf.saved_model.load(os.fspath(folder))
    finally:
        logging.set_verbosity(level)


class Model:
    """A SavedModel that takes strings and gives a dict of arrays.

    Args:
        folder: of a version.

    Attributes:
        folder: of the version.
        signatures: by name, as TensorFlow loads them.

    Example:
        >>> model = load("ner_demo")  # doctest: +SKIP
        >>> model("Teddy Roosevelt smiled.")["tags"].tolist()  # doctest: +SKIP
        [['B-PER', 'I-PER', 'O', 'O']]
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        try:
            self._model = load_quietly(self.folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise OSError(
                f"{folder}: expected a SavedModel that this TensorFlow, {tf.__version__}, reads. "
                f"Received: {str(error).splitlines()[0]}"
            ) from error
        self.signatures = self._model.signatures

    def __call__(self, texts: str | Sequence[str]) -> dict[str, np.ndarray]:
        """The answers for a text or several: arrays with the batch as first axis."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        return self.ask("serving_default", {"text": np.array(texts, object)})

    def ask(self, signature: str, inputs: Mapping[str, object]) -> dict[str, np.ndarray]:
        """Asks a signature; texts come back as `str`.

        Raises:
            ValueError: there is no such signature, or its inputs are other ones.
        """
        if signature not in self.signatures:
            raise ValueError(
                f"{self.folder}: expected one of the signatures {sorted(self.signatures)}. "
                f"Received: {signature!r}"
            )
        run = self.signatures[signature]
        specs = run.structured_input_signature[1]
        if inputs.keys() != specs.keys():
            raise ValueError(
                f"{signature}: expected inputs {sorted(specs)}. Received: {sorted(inputs)}"
            )
        out = run(**{name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()})
        return {name: as_array(value.numpy()) for name, value in out.items()}


def as_array(values: np.ndarray) -> np.ndarray:
    """Numbers as they are; bytes as an array of `str`."""
    if values.dtype != object:
        return values
    texts = [one.decode("utf-8", "replace") for one in values.ravel()]
    return np.array(texts, object).reshape(values.shape)


def list_models(folder: str | os.PathLike = SAVED_MODELS) -> list[str]:
    """The names of the models in a folder, in order."""
    found = Path(folder)
    names = (child.name for child in found.iterdir()) if found.is_dir() else ()
    return sorted(name for name in names if versions(found / name))


def versions(folder: str | os.PathLike) -> list[int]:
    """The versions of a model in its folder, oldest first."""
    path = Path(folder)
    if not path.is_dir():
        return []
    return sorted(
        int(child.name)
        for child in path.iterdir()
        if child.name.isdigit() and (child / "saved_model.pb").exists()
    )


def load(name: str, version: int | None = None, folder: str | os.PathLike = SAVED_MODELS) -> Model:
    """Loads a model of the zoo.

    Args:
        name: one of `list_models()`.
        version: by default the newest.
        folder: that holds the models.

    Raises:
        ValueError: there is no such model or version; the message names the nearest.
        OSError: its SavedModel cannot be read.
    """
    found = versions(Path(folder) / existing(name, folder))
    if version is not None and version not in found:
        raise ValueError(f"{name}: expected one of the versions {found}. Received: {version}")
    return Model(Path(folder) / name / str(version or found[-1]))


def nearest(name: str, names: list[str]) -> list[str]:
    """Of names, up to three that are like one; all, where none is."""
    return difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names


def existing(name: str, folder: str | os.PathLike = SAVED_MODELS) -> str:
    """The name of a model that there is.

    Raises:
        ValueError: there is no such model; the message names the nearest.
    """
    if not versions(Path(folder) / name):
        near = nearest(name, list_models(folder))
        raise ValueError(f"expected a model of {folder}, such as {near}. Received: {name!r}")
    return name
