"""Texts in one language, and their translations into another."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.translation.configuration import TranslationConfig
    from tasks.translation.task import Translating

__all__ = ["Translating", "TranslationConfig"]

_MODULES = {
    "Translating": "task",
    "TranslationConfig": "configuration",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
