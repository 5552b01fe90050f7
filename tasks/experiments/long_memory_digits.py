"""Handwritten digits read step by step: what only a corpus has, where it is on this machine.

Source: Le, Jaitly and Hinton 2015, pixel by pixel; MNIST of TensorFlow Datasets.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tasks.data import builders
from tasks.experiments.long_memory_tasks import Batch, MemoryTask

CORPUS = "mnist"
_CLASSES, _SIDE, _PIXELS = 10, 28, 28 * 28


def missing() -> str | None:
    """Why there are no digits, in a line that says how to get them; None where there are."""
    folder = builders.builder(CORPUS).data_path
    if folder.exists():
        return None
    return (
        f"digits: left out, since {CORPUS!r} is not in {str(folder.parent.parent)!r}. To get it, "
        f"once, 11 MB: python -c \"import tensorflow_datasets as t; t.load('{CORPUS}')\""
    )


def task(read: str) -> MemoryTask:
    """The digits, a row or a pixel at a step.

    Who always says 1 is right at 11 %; solved are 95 %.

    Args:
        read: `"rows"` or `"pixels"`.
    """
    features = _SIDE if read == "rows" else 1
    return MemoryTask(
        "digits",
        f"which digit it was, read by {read}",
        lengths=(_PIXELS // features,),
        updates=4000,
        features=features,
        outputs=_CLASSES,
        draw=functools.partial(_draw, "train[:90%]"),
        guess=math.log(_CLASSES),
        solved=0.95,
        draw_validation=functools.partial(_draw, "train[90%:]"),
    )


def _draw(split: str, random: np.random.Generator, rows: int, length: int) -> Batch:
    images, labels = _corpus(split)
    chosen = random.integers(0, len(labels), rows)
    x = images[chosen].reshape(rows, length, -1).astype(np.float32) / 255
    return x, labels[chosen].astype(np.int32)[:, None]


@functools.cache
def _corpus(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images `[count, 784]` of bytes, and labels `[count]`."""
    found = builders.builder(CORPUS).as_dataset(split=split, batch_size=-1)
    return np.reshape(found["image"], [-1, _PIXELS]), np.asarray(found["label"])
