"""SavedModels saved again: the weights that they have, in the graphs that this version makes.

A SavedModel keeps the graph that it was saved with. What has become faster since, and signatures
that came since, it gets without training.
"""

from __future__ import annotations

import os
from pathlib import Path

import tensorflow as tf

from zoo.catalog.modules import module_of
from zoo.catalog.sources import Source, source
from zoo.configuration import STORED
from zoo.saving import export

# For the requests by which a server warms up.
_TEXTS = ("He said, Teddy Roosevelt was a great President.", "")


def resave(
    name: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    weights: str | None = None,
    version: int | None = None,
) -> Path:
    """Saves a SavedModel again, as a new version.

    Args:
        name: of a model in the zoo, or the path of a SavedModel.
        folder: of the new version; by default beside the old one.
        weights: how they are stored, by default as they were: see `zoo.saving.weights`.
        version: which one to save again, by default the newest.

    Returns:
        The folder of the new version.

    Raises:
        ValueError: there is no such model, or it does not say how it was made.
        OSError: the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = resave("ner_demo", tempfile.mkdtemp(), weights="int8")
        >>> (folder / "assets" / "vocabulary.txt").exists()
        True
    """
    found = source(name, version)
    if found.is_run:
        raise ValueError(
            f"{name}: expected a SavedModel. Received the folder of a run: its program saves it, "
            "with --mode=export"
        )
    module = module_of(found, weights or _kind(found))
    return Path(
        export.save(
            module,
            {name: getattr(module, name) for name in module.signature_names},
            os.fspath(folder or found.folder.parent),
            module.warmup(tf.constant(_TEXTS)),
            found.as_dict(),
        )
    )


def _kind(found: Source) -> str:
    """How the weights of a SavedModel are stored."""
    kinds = {path.suffix.lstrip(".") for path in (found.folder / "assets").glob("weight_*")}
    return next((kind for kind in STORED if kind in kinds), "float32")
