"""SavedModels saved again: the weights that they have, in the graphs that this version makes.

A SavedModel keeps the graph that it was saved with. What has become faster since, and signatures
that came since, it gets without training.
"""

from __future__ import annotations

import os
from pathlib import Path

import tensorflow as tf

from zoo.catalog.building import load_weights
from zoo.catalog.sources import Source, source
from zoo.configuration import EncoderDecoderConfig, LanguageModelConfig, MusicConfig, TaggerConfig
from zoo.saving import (
    ClassifierModule,
    LanguageModule,
    MusicModule,
    TaggerModule,
    TranslatorModule,
    export,
)
from zoo.saving.weights import KINDS
from zoo.text import Vocabulary
from zoo.text.subwords import Subwords
from zoo.text.tokens import Tokens

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
    module = _module(found, weights or _kind(found))
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
    return next((kind for kind in KINDS if kind in kinds), "float32")


def _module(
    found: Source, weights: str
) -> TaggerModule | ClassifierModule | LanguageModule | TranslatorModule | MusicModule:
    """The signatures of a trained model, from the files of its SavedModel."""

    def asset(name: str) -> str:
        return os.fspath(found.folder / "assets" / name)

    if isinstance(found.config, EncoderDecoderConfig) and not found.saved:
        raise ValueError(
            f"{found.folder}: expected a SavedModel that says how it searches, as --beam_size and "
            "--length_penalty set it. Received one that was saved before it was noted; save it "
            "from the folder of its run, with --mode=export"
        )
    model, vocabulary = load_weights(found), asset("vocabulary.txt")
    if isinstance(found.config, MusicConfig):
        return MusicModule(model, weights)
    if isinstance(found.config, LanguageModelConfig):
        return LanguageModule(model, Tokens(vocabulary, found.recipe["tokens"]), weights)
    if isinstance(found.config, TaggerConfig):
        return TaggerModule(model, Vocabulary(vocabulary), asset("tags.txt"), weights)
    if isinstance(found.config, EncoderDecoderConfig):
        if found.recipe["subwords"]:
            both = Subwords(vocabulary)
            return TranslatorModule(model, both, both, weights, **found.saved)
        reads = Tokens(asset("source_vocabulary.txt"), "words")
        writes = Tokens(vocabulary, "words")
        return TranslatorModule(model, reads, writes, weights, **found.saved)
    keep = found.recipe["keep"]
    return ClassifierModule(model, Vocabulary(vocabulary), asset("labels.txt"), keep, weights)
