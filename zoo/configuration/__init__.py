"""Configurations: frozen dataclasses whose fields say their default, bounds and meaning once.

Constructors of models take them, the programs derive their flags from them, results record them.
Nothing here needs TensorFlow.
"""

from zoo.configuration.base import Configuration, Option, changed, option, options
from zoo.configuration.models import (
    CELLS,
    MODELS,
    STORED,
    ClassifierConfig,
    EncoderDecoderConfig,
    LanguageModelConfig,
    RecurrentConfig,
    TaggerConfig,
    WordPredictorConfig,
)

__all__ = [
    "CELLS",
    "MODELS",
    "STORED",
    "ClassifierConfig",
    "Configuration",
    "EncoderDecoderConfig",
    "LanguageModelConfig",
    "Option",
    "RecurrentConfig",
    "TaggerConfig",
    "WordPredictorConfig",
    "changed",
    "option",
    "options",
]
