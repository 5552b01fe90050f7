r"""GRU against LSTM: the same recipe with each cell, its quality, size and time side by side.

    python -m tasks.cells --task=ner --epochs=8 --output_file=docs/cells.json
    python -m tasks.cells --task=sentiment --cells=rnn,gru,lstm --seeds=1 --model_dir=runs/cells
    python -m tasks.cells --task=music --cells=rnn,gru,lstm --equal_parameters

The flags of the task say which recipe, on which corpus; the seeds are --seed and those that follow.
The file collects one entry for each recipe. With --model_dir, what was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.benchmark_models import PROGRAMS, collect, named_task
from tasks.framework import tables
from tasks.framework.configuration import MeasuringConfig, TaskConfig
from tasks.framework.running import Program
from zoo.catalog.results import portable, without_folders
from zoo.configuration import option, separated
from zoo.configuration.models import CELLS

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task


@dataclasses.dataclass(frozen=True)
class CellsRun(MeasuringConfig):
    """What is compared."""

    mode: str = "compare"
    task: str = option("ner", "Whose models.", choices=PROGRAMS)
    cells: tuple[str, ...] = option(("gru", "lstm"), f"Two or more of {','.join(CELLS)}.")
    seeds: int = option(3, "Runs of each cell.", at_least=1)
    equal_parameters: bool = option(
        False,
        "Gives each cell as many units as make its model as large as the recipe's own; otherwise "
        "all have --units.",
    )
    output_file: str = option("cells.json", "File for all figures.")

    def __post_init__(self) -> None:
        super().__post_init__()
        names = separated(self.cells)
        object.__setattr__(self, "cells", names)
        if not set(names) <= set(CELLS) or len(set(names)) < max(2, len(names)):
            raise ValueError(
                f"cells: expected two or more of {', '.join(CELLS)}, with commas between. "
                f"Received: {','.join(names)!r}"
            )
        if "cell" in self.given:
            raise ValueError("cell: expected none, since --cells says which. Received: --cell")
        if self.equal_parameters and "none" in names:
            raise ValueError(
                "equal_parameters: expected cells that have units. Received: "
                f"--cells={','.join(names)}"
            )


def comparison() -> Mode:
    from tasks.experiments.cells import compare
    from tasks.framework.text_io import check_output

    def compare_mode(task: Task, config: TaskConfig, run: CellsRun) -> None:
        """Trains, shows, and writes an entry in place of that of the same recipe."""
        check_output(run.output_file)
        folder = run.model_dir or tempfile.mkdtemp(prefix="cells-")
        os.makedirs(folder, exist_ok=True)
        entry = compare(task, config, run.cells, run.seeds, folder, run.equal_parameters)
        entry["config"] = without_folders(entry["config"])
        entry = {"command": portable(run.command), **entry}
        print(f"\n{tables.cells_table([entry])}\nRuns: {folder}")
        collect(run.output_file, entry)
        print(f"All figures: {run.output_file}")

    return compare_mode


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares with the flags of the task that `--task` names; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return program_of(named_task(arguments)).main(arguments)


def program_of(task: Program) -> Program:
    """The comparison with the flags of a task."""
    return Program(
        "cells",
        __doc__,
        task.config,
        task.task,
        CellsRun,
        {"compare": comparison},
        presets=task.name,
    )


if __name__ == "__main__":
    sys.exit(main())
