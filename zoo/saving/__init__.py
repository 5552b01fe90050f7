"""SavedModels: signatures, assets, stored weights, warm-up requests, versions.

What needs TensorFlow is imported when it is asked for: to look for versions needs none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.saving.classifier import ClassifierModule
    from zoo.saving.in_memory import InMemory
    from zoo.saving.language_model import LanguageModule
    from zoo.saving.tagger import TaggerModule

__all__ = ["ClassifierModule", "InMemory", "LanguageModule", "TaggerModule"]

_MODULES = {
    "ClassifierModule": "classifier",
    "InMemory": "in_memory",
    "LanguageModule": "language_model",
    "TaggerModule": "tagger",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
