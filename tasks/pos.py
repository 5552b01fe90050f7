r"""Parts of speech.

python -m tasks.pos                                             # the built-in corpus
python -m tasks.pos --preset=en_ewt --model_dir=runs/en_ewt
python -m tasks.pos --mode=predict --model=pos_ewt --text="Teddy bears are on sale!"
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.framework.running import Program
from tasks.tagging.configuration import TaggingConfig, TaggingRun

if TYPE_CHECKING:
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.tagging.parts_of_speech import PartsOfSpeech

    return PartsOfSpeech()


PROGRAM = Program("pos", __doc__, TaggingConfig, task, TaggingRun)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
