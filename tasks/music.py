r"""Music, one-to-many: from a seed chord, or from nothing, a piece comes, frame after frame.

python -m tasks.music                                            # the built-in pieces
python -m tasks.music --output=independent                       # each key by itself
python -m tasks.music --preset=jsb --train_file=jsb-chorales-quarter.json
python -m tasks.music --data=files --train_file=folder_of_midi --step=sixteenth
python -m tasks.music --mode=generate --model=music_demo --seed_notes="C4 E4 G4" --length=64 \
    --temperature=0.9 --seed=3 --output_file=out.mid             # and out.png, out.wav
python -m tasks.music --mode=score --model=music_demo --input_file=out.mid
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.framework.running import Program
from tasks.melody.configuration import MelodyConfig, MelodyRun

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.melody.task import Melody

    return Melody()


def generate() -> Mode:
    from tasks.melody.generating import generate_mode

    return generate_mode


def score() -> Mode:
    from tasks.melody.scoring import score_mode

    return score_mode


PROGRAM = Program(
    "music",
    __doc__,
    MelodyConfig,
    task,
    MelodyRun,
    {"generate": generate, "score": score},
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
