"""Configurations: frozen dataclasses whose fields say their default, bounds and meaning once.

Constructors of models take them, the programs derive their flags from them, results record them.
Nothing here needs TensorFlow.
"""

from zoo.configuration.base import Configuration, Option, changed, option, options, separated
from zoo.configuration.models import (
    CELLS,
    HIGHEST_KEY,
    KEYS,
    LOWEST_KEY,
    MODELS,
    STORED,
    ClassifierConfig,
    EncoderDecoderConfig,
    LanguageModelConfig,
    MusicConfig,
    RecurrentConfig,
    SpelledWordsConfig,
    TaggerConfig,
    WordPredictorConfig,
    WordReaderConfig,
)

__all__ = [
    "CELLS",
    "HIGHEST_KEY",
    "KEYS",
    "LOWEST_KEY",
    "MODELS",
    "STORED",
    "ClassifierConfig",
    "Configuration",
    "EncoderDecoderConfig",
    "LanguageModelConfig",
    "MusicConfig",
    "Option",
    "RecurrentConfig",
    "SpelledWordsConfig",
    "TaggerConfig",
    "WordPredictorConfig",
    "WordReaderConfig",
    "changed",
    "option",
    "options",
    "separated",
]
