"""Loads a model by its name and asks it with strings. TensorFlow is imported when one is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import read_lines
from zoo.inputs import MAX_CHARACTERS
from zoo.predictor import Predictor, Signature
from zoo.saving.versions import find
from zoo.serving.sessions import Session

# Where SavedModels that have no signature `labels` keep the names of their classes.
_LABELS = Path("assets", "labels.txt")


class Model(Predictor):
    """A SavedModel that takes texts and gives a dict of arrays.

    Args:
        folder: of a version.
        max_characters: most characters of a text that it may be asked about; None for any number.

    Attributes:
        folder: of the version.
        saved: what TensorFlow loads from it.

    Raises:
        OSError: there is no SavedModel that can be read.

    Example:
        >>> model = load("ner_demo")
        >>> model("Teddy Roosevelt smiled.")["tags"].tolist()
        [['B-PER', 'I-PER', 'O', 'O']]
        >>> str(model.signatures["serving_default"].outputs["tags"])
        'string[?, ?]'
    """

    _by_length = True

    def __init__(self, folder: str | os.PathLike, max_characters: int | None = MAX_CHARACTERS):
        from zoo.saving.in_memory import signature_of

        self.folder, self.max_characters = Path(folder), max_characters
        self.saved = load_quietly(folder)
        functions = self.saved.signatures.items()
        self._signatures = {name: signature_of(function) for name, function in functions}
        self._labels: tuple[str, ...] | None = None

    @property
    def signatures(self) -> Mapping[str, Signature]:
        return self._signatures

    @property
    def _place(self) -> str:
        return str(self.folder)

    def labels(self) -> list[str]:
        if self._labels is None:
            file = self.folder / _LABELS
            asked = "labels" in self.signatures or not file.exists()
            self._labels = tuple(super().labels() if asked else read_lines(file))
        return list(self._labels)

    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from zoo.saving.in_memory import call

        return call(self.saved.signatures[signature], inputs)


def load(
    name: str | os.PathLike,
    version: int | None = None,
    folder: str | os.PathLike | None = None,
    max_characters: int | None = MAX_CHARACTERS,
) -> Model:
    """Loads a model of the zoo, or any SavedModel that takes texts.

    Args:
        name: one of `zoo.list_models()`; or the path of a model, or of one of its versions.
        version: by default the newest.
        folder: that holds the models. By default, `saved_models` of the working directory is looked
            in before the zoo's own.
        max_characters: most characters of a text that it may be asked about; None for any number.
            Time and memory grow with them.

    Raises:
        ValueError: there is no such model or version; the message names the nearest.
        OSError: its SavedModel cannot be read.
    """
    return Model(find(name, version, folder), max_characters)


def session(
    name: str | os.PathLike, version: int | None = None, folder: str | os.PathLike | None = None
) -> Session:
    """A text that a model of one direction reads as it comes: `load(...).session()`.

    Args:
        name, version, folder: as in `load`.

    Raises:
        ValueError: there is no such model, or it has no signature `stream`.
        OSError: its SavedModel cannot be read.

    Example:
        >>> with session("ner_demo_forward") as heard:
        ...     first, then = heard.send("Harry Pot"), heard.send("ter smiled")
        >>> first["tokens"].tolist(), then["tokens"].tolist()
        (['Harry'], ['Potter'])
    """
    return load(name, version, folder).session()


def load_quietly(folder: str | os.PathLike) -> Any:
    """`tf.saved_model.load` without its warning that gradients were left out: none is asked for.

    Raises:
        OSError: there is no SavedModel that can be read.
    """
    import tensorflow as tf
    from absl import logging

    level = logging.get_verbosity()
    try:
        logging.set_verbosity(logging.ERROR)
        return tf.saved_model.load(os.fspath(folder))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise OSError(
            f"{folder}: expected a SavedModel that this TensorFlow, {tf.__version__}, reads. "
            f"Received: {str(error).splitlines()[0]}"
        ) from error
    finally:
        logging.set_verbosity(level)
