"""What the gates of trained models do over texts: of the zoo, SavedModels, training runs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from tasks.data.errors import UserError
from tasks.experiments.words import check_words
from tasks.framework import starting
from zoo.catalog.modules import module_of
from zoo.configuration import MusicConfig
from zoo.predictor import Predictor
from zoo.saving.gates import SIGNATURE
from zoo.saving.in_memory import InMemory

# The lecture's symbols, in its order.
SYMBOLS = {
    "gate_u": "Γu",
    "gate_r": "Γr",
    "gate_f": "Γf",
    "gate_o": "Γo",
    "c_tilde": "c̃",
    "c": "c",
    "a": "a",
}


@dataclasses.dataclass(frozen=True)
class Gates:
    """What every gate and state does over a text.

    Attributes:
        words: of the text, as the model reads them.
        values: `[words, units]` each: by layer and direction, such as `"layer_1"` or
            `"layer_1/forward"`, and in each by the names in `SYMBOLS`.
    """

    words: list[str]
    values: dict[str, dict[str, np.ndarray]]


def reader_of(name: str | os.PathLike, flag: str = "model") -> Predictor:
    """A trained model that shows its gates, whether it was saved with that signature or not.

    Args:
        name: of a model in the zoo; or the path of a SavedModel, or of the folder of a run.
        flag: that said it, for messages.

    Raises:
        UserError: there is none, or one without gates.

    Example:
        >>> found = gates_of(reader_of("lm_demo"), ["The cats were full."])[0]
        >>> found.words, list(found.values), list(found.values["layer_1"])[:2]
        (['The', 'cats', 'were', 'full', '.'], ['layer_1'], ['gate_u', 'gate_f'])
    """
    found = starting.named(name, flag)
    try:
        if not found.config.has_gates:
            raise UserError(
                f"--{flag}: expected a model of recurrent layers with gates, such as --cell=gru or "
                f"--cell=lstm. Received: {os.fspath(name)!r}, of tasks.{found.task} with "
                f"--cell={found.config.cell}"
            )
        if isinstance(found.config, MusicConfig):
            raise UserError(
                f"--{flag}: expected a model that reads words. Received: {os.fspath(name)!r}, of "
                "tasks.music, whose gates its signature 'gates' gives, of frames"
            )
        return InMemory(module_of(found), [SIGNATURE])
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag}: {error}") from None


def gates_of(model: Predictor, texts: Sequence[str]) -> list[Gates]:
    """The gates over each text.

    Raises:
        UserError: a text has no words, too few or too many.
    """
    for one in texts:
        if not one.strip():
            check_words([], one)
    try:
        answer = model.gates(list(texts))
    except ValueError as error:
        raise UserError(f"--text: {error}") from None
    found = []
    for row, (one, length) in enumerate(zip(texts, answer["lengths"], strict=True)):
        words = answer["tokens"][row, :length].tolist()
        check_words(words, one)
        found.append(Gates(words, _in_order(answer, row, length)))
    return found


def _in_order(answer: dict[str, np.ndarray], row: int, length: int) -> dict:
    """The gates of a row by layer and name, as the lecture has them; forward first."""
    split = [name.rpartition("/") for name in answer if "/" in name]
    places = sorted({place for place, _, _ in split}, key=_place)
    return {
        place: {
            name: answer[f"{place}/{name}"][row, :length]
            for name in SYMBOLS
            if f"{place}/{name}" in answer
        }
        for place in places
    }


def _place(place: str) -> tuple[int, bool]:
    """`layer_2/backward` as a number of its layer, and whether it reads from the end."""
    layer, _, direction = place.partition("/")
    return int(layer.removeprefix("layer_")), direction == "backward"
