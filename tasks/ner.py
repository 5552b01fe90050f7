r"""Named entities: persons, places, organisations and whatever else a corpus tags.

python -m tasks.ner                                             # the built-in corpus
python -m tasks.ner --data=tfds:wikiann/en --preset=wikiann --model_dir=runs/wikiann
python -m tasks.ner --mode=predict --model=ner_demo --text="Harry Potter met Teddy Roosevelt."
tail --follow notes.txt | python -m tasks.ner --mode=stream --model=ner_demo_forward
python -m tasks.ner --mode=directions --epochs=8                # why both directions
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.framework.running import Program
from tasks.tagging.configuration import EntityRun, TaggingConfig

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.tagging.entities import NamedEntities

    return NamedEntities()


def directions() -> Mode:
    from tasks.experiments.directions import directions_mode

    return directions_mode


PROGRAM = Program("ner", __doc__, TaggingConfig, task, EntityRun, {"directions": directions})

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
