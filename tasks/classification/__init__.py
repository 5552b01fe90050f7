"""A label for each text."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.classification.configuration import ClassificationConfig
    from tasks.classification.sentiment import Sentiment

__all__ = ["ClassificationConfig", "Sentiment"]

_MODULES = {
    "Sentiment": "sentiment",
    "ClassificationConfig": "configuration",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
