"""SavedModels: signatures, assets, stored weights, warm-up requests."""

from zoo.saving.classifier import ClassifierModule
from zoo.saving.language_model import LanguageModule
from zoo.saving.tagger import TaggerModule

__all__ = ["ClassifierModule", "LanguageModule", "TaggerModule"]
