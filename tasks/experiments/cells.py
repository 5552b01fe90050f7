"""The same recipe with one cell and with another: quality, size, time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

from tasks.framework.configuration import TaskConfig
from tasks.framework.machine import machine
from tasks.framework.task import Task
from tasks.framework.training import Trained, train
from zoo.catalog import speed

# Texts of the validation split that the SavedModel answers while it is timed.
_TEXTS = 64


def compare(
    task: Task, config: TaskConfig, cells: Sequence[str], seeds: int, folder: str
) -> dict[str, Any]:
    """Trains a recipe with each cell and so many seeds, cells in turn.

    Args:
        task: whose recipe.
        config: the recipe; its seed is the first one.
        cells: names of `layers.CELLS`, or `"none"`.
        seeds: how many.
        folder: of the runs; those that it holds go on where they were.

    Returns:
        `task`, `score`, `config`, `machine`, and `cells`: for each, by seeds, `validation`, `test`
        (where there is such a split) and `seconds` of training, its `parameters`, and `one_text_ms`
        of the SavedModel on one core.
    """
    found: dict[str, dict[str, Any]] = {
        cell: {"validation": [], "test": [], "seconds": []} for cell in cells
    }
    first = config.training.seed
    for seed in range(first, first + seeds):
        for cell, row in found.items():
            print(f"\n{cell}, seed {seed}:", flush=True)
            recipe = config.replace(cell=cell, seed=seed)
            trained = train(task, recipe, os.path.join(folder, f"{cell}_{seed}"))
            results = trained.results
            row["validation"].append(results.validation[task.score_name])
            if results.test is not None:
                row["test"].append(results.test[task.score_name])
            row["seconds"].append(sum(epoch["seconds"] for epoch in results.epochs))
            if seed == first:
                row["parameters"] = results.parameters
                row["one_text_ms"] = _one_text_ms(task, trained)
    return {
        "task": task.name,
        "score": task.score_name,
        "config": config.as_dict(recipe_only=True),
        "seeds": seeds,
        "cells": found,
        "machine": machine(),
    }


def _one_text_ms(task: Task, trained: Trained) -> float:
    examples = trained.trainer.corpus["validation"][:_TEXTS]
    with tempfile.TemporaryDirectory() as folder:
        version = trained.export(os.path.join(folder, "model"))
        measured = speed.measure(version, [task.text(example) for example in examples])
    return measured["1"].median_ms
