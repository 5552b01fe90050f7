"""`--mode=generate`: a piece from seed notes, as MIDI, as a piano roll, and as sound."""

from __future__ import annotations

import os
from collections.abc import Callable

from tasks.data.errors import UserError, why
from tasks.framework.modes import needed_model
from tasks.framework.starting import read_alike
from tasks.framework.task import Task
from tasks.framework.text_io import check_output
from tasks.melody import figures, formats, midi, sound
from tasks.melody.configuration import MelodyConfig, MelodyRun
from tasks.melody.pieces import Piece, numbers_of
from zoo import predictions
from zoo.notes import named

# From the ending of a file to what writes it: its path, the piece, its step and its tempo.
_WRITERS: dict[str, Callable[[str, Piece, str, float], None]] = {
    ".mid": midi.write,
    ".png": lambda path, piece, step, tempo: figures.piano_roll(piece, path, step),
    ".wav": sound.write,
}


def generate_mode(task: Task, config: MelodyConfig, run: MelodyRun) -> None:
    """Composes a piece, shows how it begins, and writes it.

    A file name that ends in .mid brings the others with it: the piano roll as .png and the sound as
    .wav, beside it and under the same name.
    """
    notes = numbers_of(run.seed_notes, "seed_notes")
    paths = _paths(run.output_file)
    for path in paths:
        check_output(path)
    model = needed_model(task, run)
    step = read_alike(config, model, run.given).data.step
    answer = model.compose([notes], run.length, run.temperature, config.training.seed)
    (found,) = predictions.composed(answer)
    print(formats.line(found))
    for path in paths:
        write = _WRITERS[os.path.splitext(path)[1].lower()]
        try:
            write(path, found.frames, step, run.tempo)
        except OSError as error:
            raise UserError(
                f"--output_file: expected a file to write to. Received: {path!r}, which cannot be "
                f"written to: {why(error)}. Give another one."
            ) from None
    if paths:
        about = f"from {named(notes)}" if notes else "from nothing"
        print(f"{len(found.frames)} frames, {step} notes, {about}: {', '.join(paths)}")


def _paths(output: str | None) -> list[str]:
    """The files to write."""
    if output is None:
        return []
    root, ending = os.path.splitext(output)
    if ending.lower() not in _WRITERS:
        raise UserError(
            f"--output_file: expected a name that ends in {' or '.join(_WRITERS)}, which "
            f"--mode=generate writes. Received: {output!r}"
        )
    beside = [f"{root}{other}" for other in _WRITERS if other != ".mid"]
    return [output, *(beside if ending.lower() == ".mid" else [])]
