r"""Long memory: RNN, GRU and LSTM of equal size where distance decides, and where each gives up.

python -m tasks.long_memory --output_dir=runs/memory            # all; the same command resumes it
python -m tasks.long_memory --quick                             # the same, hardly trained
python -m tasks.long_memory --tasks=adding --lengths=100,200 --cells=gru,lstm --seeds=1
python -m tasks.long_memory --tasks=parity --novariants --clip_norm=0
python -m tasks.long_memory --tasks=digits --digits=pixels      # MNIST, where it is on this machine

adding      the sum of two marked numbers among T
copying     five symbols after T blanks
order       in which order X and Y came among T symbols
parity      whether up to T bits have an odd number of ones
digits      a handwritten digit, read row by row or pixel by pixel

Every cell has as many parameters as the LSTM and reads the same sequences, made as they are needed,
until the task is solved. A cell gives up beyond the longest T that most of its seeds solve.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from tasks.experiments.long_memory_recipe import Recipe, variants
from tasks.framework import processes
from tasks.framework.experiment import Experiment
from zoo.configuration import option, options, separated
from zoo.configuration.models import CELLS

if TYPE_CHECKING:
    from tasks.experiments.long_memory_tasks import MemoryTask

# What needs TensorFlow is imported when it is needed: --help needs none.

NAME = "long_memory"
NAMES = ("adding", "copying", "order", "parity", "digits")
_COMPARED = ("rnn", "gru_simplified", "gru", "lstm")
# With --quick: the shortest lengths of each task, and so many updates.
_QUICK_LENGTHS, _QUICK_UPDATES = 2, 200


@dataclasses.dataclass(frozen=True)
class LongMemoryConfig(Recipe):
    """What the program is asked for.

    Attributes:
        command: the whole command, for records.
        given: names of the flags that were said.
    """

    tasks: tuple[str, ...] = option((), f"Some of {','.join(NAMES)}. Default: all.")
    cells: tuple[str, ...] = option(
        _COMPARED, f"Some of {','.join(cell for cell in CELLS if cell != 'none')}."
    )
    lengths: tuple[str, ...] = option(
        (), "T of the adding problem, such as 100,200. Default: 100 to 600."
    )
    seeds: int = option(3, "So many, from --seed up.", at_least=1, at_most=100)
    seed: int = option(0, "Of weights and sequences.", at_least=0, at_most=2**30)
    variants: bool = option(
        True, "Try what a forget bias, the start, clipping and the like change; --novariants: not."
    )
    quick: bool = option(False, "Train a little only: to see that all runs.")
    processes: int = option(
        0,
        "Trainings at once, each on one core; 0: as many as there are cores.",
        at_least=0,
        at_most=1024,
        recipe=False,
    )
    output_dir: str | None = option(
        None,
        "Where tables, figures and numbers go, and where a run that was stopped goes on. "
        "Default: temporary.",
        recipe=False,
    )
    command: str = ""
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tasks", "cells", "lengths"):
            object.__setattr__(self, name, tuple(dict.fromkeys(separated(getattr(self, name)))))
        for name, accepted in (("tasks", NAMES), ("cells", [c for c in CELLS if c != "none"])):
            if not {*getattr(self, name)} <= {*accepted}:
                raise ValueError(
                    f"{name}: expected some of {','.join(accepted)}. Received: "
                    f"{','.join(getattr(self, name))}"
                )
        for length in self.lengths:
            if not (length.isascii() and length.isdigit() and 2 <= int(length) <= 100_000):
                raise ValueError(
                    f"lengths: expected numbers from 2 to 100000. Received: {length!r}"
                )
        if "digits" in self.given and self.tasks and "digits" not in self.tasks:
            raise ValueError(
                f"digits: goes with --tasks=digits. Received: --tasks={','.join(self.tasks)}"
            )
        if self.lengths and self.tasks and "adding" not in self.tasks:
            raise ValueError(
                f"lengths: goes with --tasks=adding. Received: --tasks={','.join(self.tasks)}"
            )

    def settings(self) -> dict[str, Any]:
        """What makes a run another one, by the flags."""
        recipe = {name for name, (_, said) in options(type(self)).items() if said.recipe}
        return {name: value for name, value in self.as_dict().items() if name in recipe}


def run(config: LongMemoryConfig) -> None:
    """Trains what is asked for and is not there yet, and writes tables, figures and numbers.

    Raises:
        UserError: a folder is not as it must be, or holds another run; or nothing is left to do.
    """
    from tasks.experiments import long_memory_figures, long_memory_runs
    from tasks.framework import tables
    from tasks.framework.machine import machine
    from tasks.framework.text_io import check_writable
    from zoo import files

    folder = config.output_dir or tempfile.mkdtemp(prefix=f"{NAME}-")
    check_writable(folder, "output_dir")
    os.makedirs(folder, exist_ok=True)
    tasks, recipe = _tasks(config), Recipe.from_dict(config.as_dict())
    if config.quick:
        recipe = recipe.replace(updates=config.updates or _QUICK_UPDATES)
    seeds = 1 if config.quick and "seeds" not in config.given else config.seeds
    jobs = long_memory_runs.jobs(
        tasks,
        config.cells,
        range(config.seed, config.seed + seeds),
        recipe,
        variants(recipe) if config.variants else {},
    )
    record = long_memory_runs.Record(
        os.path.join(folder, f"{NAME}.json"),
        jobs,
        config.settings(),
        {
            "command": config.command,
            "tasks": long_memory_runs.described(tasks, config.cells, config.units),
            "machine": machine(),
        },
    )
    long_memory_runs.train_all(record, config.processes or processes.cores(), _say)
    found = record.found()
    table = tables.long_memory_tables(found)
    files.write_text(os.path.join(folder, f"{NAME}.md"), table)
    names = long_memory_figures.draw(found, folder)
    print(f"\n{table}\n{NAME}.json, {NAME}.md, {', '.join(names)}: {folder}")


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def _tasks(config: LongMemoryConfig) -> list[MemoryTask]:
    """Those that are asked for, with the lengths that are."""
    from tasks.data.errors import UserError
    from tasks.experiments import long_memory_digits
    from tasks.experiments.long_memory_tasks import TASKS

    known, asked = dict(TASKS), config.tasks or NAMES
    if config.lengths:
        lengths = tuple(sorted(map(int, config.lengths)))
        known["adding"] = dataclasses.replace(known["adding"], lengths=lengths)
    if "digits" in asked:
        missing = long_memory_digits.missing()
        if missing and asked == ("digits",):
            raise UserError(missing)
        if missing:
            print(missing)
        else:
            known["digits"] = long_memory_digits.task(config.digits)
    found = [known[name] for name in NAMES if name in asked and name in known]
    if config.quick:
        found = [dataclasses.replace(one, lengths=one.lengths[:_QUICK_LENGTHS]) for one in found]
    return found


PROGRAM = Experiment(NAME, __doc__, LongMemoryConfig, run, folder=lambda config: config.output_dir)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
