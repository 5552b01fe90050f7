"""SavedModels: signatures, assets, stored weights, warm-up requests, versions.

What needs TensorFlow is imported when it is asked for: to look for versions needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from zoo.saving.classifier import ClassifierModule
    from zoo.saving.in_memory import InMemory
    from zoo.saving.language_model import LanguageModule
    from zoo.saving.music import MusicModule
    from zoo.saving.tagger import TaggerModule
    from zoo.saving.translator import TranslatorModule

__all__ = [
    "ClassifierModule",
    "InMemory",
    "LanguageModule",
    "MusicModule",
    "TaggerModule",
    "TranslatorModule",
]

_MODULES = {
    "ClassifierModule": "classifier",
    "InMemory": "in_memory",
    "LanguageModule": "language_model",
    "MusicModule": "music",
    "TaggerModule": "tagger",
    "TranslatorModule": "translator",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
