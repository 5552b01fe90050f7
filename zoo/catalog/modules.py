"""The signatures of trained models, from the files of a SavedModel or of a training run."""

from __future__ import annotations

import os

from zoo.catalog.building import load_weights
from zoo.catalog.sources import Source
from zoo.configuration import EncoderDecoderConfig, LanguageModelConfig, MusicConfig, TaggerConfig
from zoo.saving import (
    ClassifierModule,
    LanguageModule,
    MusicModule,
    TaggerModule,
    TranslatorModule,
)
from zoo.text import Vocabulary
from zoo.text.subwords import Subwords
from zoo.text.tokens import Tokens


def module_of(
    found: Source, weights: str = "float32"
) -> TaggerModule | ClassifierModule | LanguageModule | TranslatorModule | MusicModule:
    """A trained model with its signatures.

    Args:
        found: the model.
        weights: how they are to be stored, see `zoo.saving.weights`.

    Raises:
        ValueError: a SavedModel does not say how it was made, or its weights are other ones.

    Example:
        >>> from zoo.catalog.sources import source
        >>> list(module_of(source("lm_demo")).signature_names)
        ['serving_default', 'tokens', 'generate', 'stream', 'gates']
    """

    def file(name: str) -> str:
        return os.fspath(found.path(name))

    if isinstance(found.config, EncoderDecoderConfig) and not (found.saved or found.is_run):
        raise ValueError(
            f"{found.folder}: expected a SavedModel that says how it searches, as --beam_size and "
            "--length_penalty set it. Received one that was saved before it was noted; save it "
            "from the folder of its run, with --mode=export"
        )
    model, vocabulary = load_weights(found), file("vocabulary.txt")
    if isinstance(found.config, MusicConfig):
        return MusicModule(model, weights)
    if isinstance(found.config, LanguageModelConfig):
        return LanguageModule(model, Tokens(vocabulary, found.recipe["tokens"]), weights)
    if isinstance(found.config, TaggerConfig):
        return TaggerModule(model, Vocabulary(vocabulary), file("tags.txt"), weights)
    if isinstance(found.config, EncoderDecoderConfig):
        if found.recipe["subwords"]:
            both = Subwords(vocabulary)
            return TranslatorModule(model, both, both, weights, **found.saved)
        reads = Tokens(file("source_vocabulary.txt"), "words")
        writes = Tokens(vocabulary, "words")
        return TranslatorModule(model, reads, writes, weights, **found.saved)
    keep = found.recipe["keep"]
    return ClassifierModule(model, Vocabulary(vocabulary), file("labels.txt"), keep, weights)
