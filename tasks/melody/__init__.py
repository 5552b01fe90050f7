"""Music: pieces from a seed chord, and how likely a piece is."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.melody.configuration import MelodyConfig
    from tasks.melody.task import Melody

__all__ = ["Melody", "MelodyConfig"]

_MODULES = {
    "Melody": "task",
    "MelodyConfig": "configuration",
}
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES)
