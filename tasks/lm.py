r"""Language models: the probability of a sentence, word by word or character by character.

python -m tasks.lm                                              # the built-in sentences
python -m tasks.lm --preset=shakespeare --model_dir=runs/shakespeare
python -m tasks.lm --data=files --running --tokens=split --train_file=a.txt --valid_file=b.txt
python -m tasks.lm --mode=score --model=lm_demo --text="The apple and pear salad."
python -m tasks.lm --mode=generate --model=lm_demo --prompt="The cats" --temperature=0.8
python -m tasks.lm --mode=agreement --model_dir=runs/agreement
python -m tasks.lm --mode=pairs --model=lm_demo --input_file=pairs.tsv
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.framework.running import Program
from tasks.language.configuration import LanguageConfig, LanguageRun

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


def task() -> Task:
    from tasks.language.task import Language

    return Language()


def score() -> Mode:
    from tasks.framework.modes import predict_mode

    return predict_mode


def generate() -> Mode:
    from tasks.language.generating import generate_mode

    return generate_mode


def agreement() -> Mode:
    from tasks.experiments.agreement import agreement_mode

    return agreement_mode


def pairs() -> Mode:
    from tasks.language.pairs import pairs_mode

    return pairs_mode


PROGRAM = Program(
    "lm",
    __doc__,
    LanguageConfig,
    task,
    LanguageRun,
    {"score": score, "generate": generate, "agreement": agreement, "pairs": pairs},
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
