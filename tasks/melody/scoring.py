"""`--mode=score`: how likely pieces are, and which of their frames surprised most."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from tasks.data.errors import UserError
from tasks.framework.evaluating import predicted_answers
from tasks.framework.modes import needed_model
from tasks.framework.starting import read_alike
from tasks.framework.task import Task
from tasks.framework.text_io import check_output, write_output
from tasks.melody import formats, reading
from tasks.melody.configuration import MelodyConfig, MelodyRun
from tasks.melody.pieces import Piece
from zoo.notes import named
from zoo.predictions import ScoredPiece

_ENDING = ".jsonl"


def score_mode(task: Task, config: MelodyConfig, run: MelodyRun) -> None:
    """Reads the pieces of --input_file on the grid of the model, and says how likely each is.

    It is shown in the terminal, or written as JSON lines with `log_probability`,
    `log_probabilities` of all frames, `nats_per_frame` and `surprises`.
    """
    if not run.input_file:
        raise UserError(
            "--mode=score needs --input_file, a MIDI file, a folder of them, or JSON of frames. "
            "Received: none."
        )
    ending = os.path.splitext(run.output_file or f"terminal{_ENDING}")[1].lower()
    if ending != _ENDING:
        raise UserError(
            f"--output_file: expected a name that ends in {_ENDING}, which --mode=score writes. "
            f"Received: {run.output_file!r}"
        )
    check_output(run.output_file)
    model = needed_model(task, run)
    step = read_alike(config, model, run.given).data.step
    pieces = reading.read_pieces(run.input_file, step)
    found = predicted_answers(task, model, pieces)
    if run.output_file:
        records = (record(*pair, run.surprises) for pair in zip(pieces, found, strict=True))
        write_output(run.output_file, (json.dumps(one) + "\n" for one in records))
        return
    for number, (piece, one) in enumerate(zip(pieces, found, strict=True), start=1):
        print(*_lines(number, piece, one, run.surprises), sep="\n")


def record(piece: Piece, one: ScoredPiece, surprises: int) -> dict[str, Any]:
    """What is said of a piece, as JSON has it.

    Args:
        piece: its frames.
        one: what a model says of it.
        surprises: how many of the least likely frames are said apart, by their number from 1 up.
    """
    return {
        "log_probability": one.log_probability,
        "nats_per_frame": -one.log_probability / len(piece),
        "log_probabilities": one.log_probabilities,
        "surprises": [
            {
                "frame": t + 1,
                "log_probability": one.log_probabilities[t],
                "notes": piece[t],
                "greedy": one.greedy[t],
            }
            for t in formats.surprising(one, surprises)
        ],
    }


def _lines(number: int, piece: Piece, one: ScoredPiece, surprises: int) -> Iterator[str]:
    nats = -one.log_probability / len(piece)
    yield (
        f"piece {number}: log P {one.log_probability:.2f}, {len(piece)} frames, {nats:.3f} nats a "
        "frame"
    )
    for t in formats.surprising(one, surprises):
        expected = named(one.greedy[t])
        yield (
            f"  frame {t + 1}: {-one.log_probabilities[t]:.2f} nats: {named(piece[t])}; greedy: "
            f"{expected}"
        )
