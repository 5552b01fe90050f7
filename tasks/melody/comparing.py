"""`--mode=cells`: the lecture's "GRU against LSTM", of as many parameters each."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import train
from tasks.melody.configuration import MelodyConfig, MelodyRun
from zoo import files
from zoo.catalog import markdown
from zoo.catalog.results import portable, without_folders
from zoo.configuration import MusicConfig
from zoo.models import MusicModel

CELLS = ("rnn", "gru", "lstm")
SEEDS = 3


def cells_mode(task: Task, config: MelodyConfig, run: MelodyRun) -> None:
    """Trains each cell with as many parameters as the recipe's own model has and three seeds; shows
    a table and writes it, with all figures, as cells.json into --model_dir.

    What --model_dir holds of it goes on where it was.
    """
    folder = run.model_dir or tempfile.mkdtemp(prefix="music-cells-")
    wanted = parameters_of(config.model)
    first = config.training.seed
    rows = []
    for cell in CELLS:
        units = units_of(config.model, cell, wanted)
        found = []
        for seed in range(first, first + SEEDS):
            print(f"\n{cell}, {units} units, seed {seed}:", flush=True)
            recipe = config.replace(cell=cell, units=units, seed=seed)
            trained = train(task, recipe, os.path.join(folder, f"{cell}_{units}_{seed}"))
            found.append(trained.results)
        rows.append(
            {
                "cell": cell,
                "units": units,
                "parameters": parameters_of(config.model.replace(cell=cell, units=units)),
                "validation": [one.validation for one in found],
                "test": [one.test for one in found if one.test is not None],
                "seconds": [sum(row["seconds"] for row in one.epochs) for one in found],
                "epochs": [len(one.epochs) for one in found],
            }
        )
    results = {
        "command": portable(run.command),
        "config": without_folders(config.as_dict(recipe_only=True)),
        "rows": rows,
        "machine": machine(),
    }
    path = os.path.join(folder, "cells.json")
    files.write_json(path, results)
    print(f"\n{table(rows)}\nAll figures: {path}")


def parameters_of(config: MusicConfig) -> int:
    """The parameters that are trained.

    Example:
        >>> parameters_of(MusicConfig(cell="rnn", units=2, output="independent"))
        446
    """
    model = MusicModel(config.replace(rows=0))
    model.build()
    return model.count_params()


def units_of(config: MusicConfig, cell: str, parameters: int) -> int:
    """The units with which a cell comes nearest to so many parameters.

    Example:
        >>> units_of(MusicConfig(output="independent"), "rnn", 446)
        2
    """

    def more(units: int) -> int:
        return parameters_of(config.replace(cell=cell, units=units)) - parameters

    low, high = 1, 1
    while more(high) < 0:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if more(middle) < 0 else (low, middle)
    return min((low, max(1, low - 1)), key=lambda units: abs(more(units)))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row for each cell: means and deviations over seeds."""
    header = ["cell", "units", "parameters", "validation, nats a frame", "accuracy", "training"]
    cells = [
        [
            row["cell"],
            str(row["units"]),
            f"{row['parameters']:,}",
            _mean([one["nats_per_frame"] for one in row["validation"]]),
            _mean([one["accuracy"] for one in row["validation"]]),
            f"{statistics.mean(row['seconds']):.0f} s",
        ]
        for row in rows
    ]
    return markdown.table(header, cells)


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
