"""The probability of texts, and texts drawn by it."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.language.configuration import LanguageConfig
    from tasks.language.task import Language

__all__ = ["Language", "LanguageConfig"]

_MODULES = {
    "Language": "task",
    "LanguageConfig": "configuration",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
