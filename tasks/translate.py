r"""Translation: a text read in one language, and written in another.

python -m tasks.translate                                       # English to French, built in
python -m tasks.translate --data=files --train_file=train --valid_file=val --source=de --target=en
python -m tasks.translate --attention=none                      # the lecture's plain network
python -m tasks.translate --mode=attention                      # what attention is for
python -m tasks.translate --mode=predict --model=translate_multi30k_de_en --text="Ein Hund rennt."
python -m tasks.translate --mode=align --model=translate_multi30k_de_en --text="Ein Hund rennt."
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.framework.running import Program
from tasks.translation.configuration import TranslationConfig, TranslationRun

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.translation.task import Translating

    return Translating()


def align() -> Mode:
    from tasks.translation.aligning import align_mode

    return align_mode


def attention() -> Mode:
    from tasks.experiments.attention import attention_mode

    return attention_mode


PROGRAM = Program(
    "translate",
    __doc__,
    TranslationConfig,
    task,
    TranslationRun,
    {"align": align, "attention": attention},
    streams=False,
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
