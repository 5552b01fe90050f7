"""Where the models of a run lie: its own in its folder, those that it may train before below it.

Free of TensorFlow.
"""

from __future__ import annotations

import os

from zoo.catalog.sources import BEST

CHECKPOINT, CONFIG = "checkpoint.npz", "config.json"
# Its language model, and the classifier that teaches its own.
PRETRAINING, TEACHER = "pretraining", "teacher"
# What the teacher says of texts without a label.
ANSWERS = "answers.npz"
_FOLDERS = ((), (PRETRAINING,), (TEACHER,))


def files(model_dir: str) -> list[str]:
    """The paths of all checkpoints and best weights that a run may have."""
    return [
        os.path.join(model_dir, *below, name) for below in _FOLDERS for name in (CHECKPOINT, BEST)
    ] + [os.path.join(model_dir, TEACHER, ANSWERS)]


def recorded(model_dir: str) -> list[str]:
    """The paths of what a run has that says how long it took."""
    paths = files(model_dir)
    return [path for path in paths if os.path.basename(path) != BEST and os.path.exists(path)]


def has_begun(model_dir: str) -> bool:
    """Whether a run has come so far that something of it would be lost."""
    return bool(recorded(model_dir)) or os.path.exists(os.path.join(model_dir, BEST))


def run_of(folder: str) -> str:
    """The folder of the run that a folder of checkpoints is part of, which has a configuration."""
    above, name = os.path.split(os.path.normpath(folder))
    is_below = name in (PRETRAINING, TEACHER) and not os.path.exists(os.path.join(folder, CONFIG))
    return above if is_below else folder
