"""A tag for each word: named entities, parts of speech."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.tagging.configuration import TaggingConfig
    from tasks.tagging.entities import NamedEntities
    from tasks.tagging.parts_of_speech import PartsOfSpeech

__all__ = ["NamedEntities", "PartsOfSpeech", "TaggingConfig"]

_MODULES = {
    "NamedEntities": "entities",
    "PartsOfSpeech": "parts_of_speech",
    "TaggingConfig": "configuration",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
