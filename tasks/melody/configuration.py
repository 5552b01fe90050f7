"""What a run of the music program is made of."""

from __future__ import annotations

import dataclasses

from tasks.framework.configuration import DataConfig, RunConfig, TaskConfig, TrainingConfig
from zoo.configuration import MusicConfig, changed, option

# By name, the steps of a quarter note.
STEPS = {"quarter": 1, "eighth": 2, "sixteenth": 4}
# A piece of more frames is no piece, but a file with a wrong time in it.
MOST_FRAMES = 100_000


@dataclasses.dataclass(frozen=True)
class MelodyData(DataConfig):
    """A corpus of pieces: nothing of it is text."""

    data: str = option("demo", "demo, the built-in pieces; or files, with --*_file.")
    train_file: str | None = option(
        None,
        "With --data=files: a MIDI file, a folder of them, or JSON of frames, a list of pieces or "
        "an object with one for each split.",
    )
    vocab_size: int = 0
    min_count: int = 0
    text_column: str | None = None
    max_length: int = 0
    step: str = option(
        "eighth",
        "How long a frame is: on this grid MIDI is read and written.",
        choices=tuple(STEPS),
        reading=True,
    )
    window: int = option(100, "Frames through which a piece is back-propagated.", at_least=2)
    transpose: int = option(
        6,
        "In each epoch, each training piece is shifted by so many semitones at most, as far as the "
        "keyboard reaches.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True)
class MelodyTraining(TrainingConfig):
    """How a model of music is trained."""

    batch_size: int = changed(TrainingConfig, "batch_size", 16, "Pieces in a batch.")
    epochs: int = changed(TrainingConfig, "epochs", 20)


@dataclasses.dataclass(frozen=True)
class MelodyRun(RunConfig):
    """What the music program may be asked to do."""

    input_file: str | None = changed(
        RunConfig,
        "input_file",
        None,
        "Pieces for --mode=score: a MIDI file, a folder of them, or JSON of frames. Seed notes for "
        "--mode=predict, one seed a line. Default there: standard input.",
    )
    seed_notes: str = option(
        "", 'Notes of the first frame, such as "C4 E4 G4"; by default it is drawn as well.'
    )
    length: int = option(
        64, "Frames to compose, the seed among them.", at_least=1, at_most=MOST_FRAMES
    )
    temperature: float = option(
        1.0,
        "Below 1, what is likely becomes likelier; 0: each key as is likelier; inf: by chance.",
        at_least=0,
    )
    tempo: float = option(100.0, "Quarter notes a minute.", at_least=4, at_most=1000)
    surprises: int = option(5, "Frames that --mode=score shows of each piece.", at_least=0)


@dataclasses.dataclass(frozen=True)
class MelodyConfig(TaskConfig):
    """The recipe of a model of music.

    Example:
        >>> MelodyConfig.of(output="independent", step="quarter").model.output
        'independent'
    """

    data: MelodyData = dataclasses.field(default_factory=MelodyData)
    model: MusicConfig = dataclasses.field(default_factory=MusicConfig)
    training: MelodyTraining = dataclasses.field(default_factory=MelodyTraining)
