"""What all tasks share: flags, training, modes, figures."""

from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from tasks.framework.training import Trained, train

__all__ = ["Trained", "train"]

__getattr__, __dir__ = lazy.attributes(__name__, {"Trained": "training", "train": "training"})
