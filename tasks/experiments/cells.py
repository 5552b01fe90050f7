"""The same recipe with one cell and with another: quality, size, time."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from tasks.data.errors import UserError
from tasks.framework import checkpoints
from tasks.framework.configuration import TaskConfig
from tasks.framework.machine import machine
from tasks.framework.pretraining import check_start
from tasks.framework.task import Task
from tasks.framework.training import Trained, load, train
from zoo.catalog import speed
from zoo.catalog.building import model_of
from zoo.configuration import RecurrentConfig

# Texts of the validation split that the SavedModel answers while it is timed.
_TEXTS = 64


def compare(
    task: Task,
    config: TaskConfig,
    cells: Sequence[str],
    seeds: int,
    folder: str,
    equal_parameters: bool = False,
) -> dict[str, Any]:
    """Trains a recipe with each cell and so many seeds, cells in turn.

    Args:
        task: whose recipe.
        config: the recipe; its seed is the first one.
        cells: names of `layers.CELLS`, or `"none"`.
        seeds: how many.
        folder: of the runs; those that it holds go on where they were.
        equal_parameters: whether each cell has the units with which its model comes nearest to the
            parameters of the recipe's own; otherwise all have the recipe's units.

    Raises:
        UserError: the recipe starts from a trained model, which has one cell, or some of the cells
            cannot do what it asks for.

    Returns:
        `task`, `score`, `config`, `equal_parameters`, `machine`, and `cells`: for each, its
        `units`, by seeds `validation`, `test` (where there is such a split) and `seconds` of
        training, its `parameters`, and `one_text_ms` of the SavedModel on one core.
    """
    for name in ("init_from", "pretrain_from"):
        if getattr(config.training, name, None) is not None:
            raise UserError(
                f"expected cells that are compared from scratch. Received: --{name}, a model that "
                "has one cell; leave it out"
            )
    try:
        recipes = {cell: config.replace(cell=cell) for cell in cells}
    except ValueError as error:
        raise UserError(f"--cells={','.join(cells)}: {error}") from None
    for recipe in recipes.values():
        check_start(recipe)
    if equal_parameters:
        corpus = load(task, config, ["train", "validation"])
        with tempfile.TemporaryDirectory() as nowhere:
            model = task.trainer(corpus, config, nowhere).model_config()
        wanted = parameters_of(model)
        recipes = {
            cell: recipe.replace(units=units_of(model, cell, wanted))
            for cell, recipe in recipes.items()
        }
    found: dict[str, dict[str, Any]] = {
        cell: {"units": recipe.model.units, "validation": [], "test": [], "seconds": []}
        for cell, recipe in recipes.items()
    }
    first = config.training.seed
    for seed in range(first, first + seeds):
        for cell, row in found.items():
            print(f"\n{cell}, {row['units']} units, seed {seed}:", flush=True)
            name = f"{cell}_{row['units']}_{seed}" if equal_parameters else f"{cell}_{seed}"
            recipe = recipes[cell].replace(seed=seed)
            trained = train(task, recipe, os.path.join(folder, name))
            results = trained.results
            row["validation"].append(results.validation[task.score_name])
            if results.test is not None:
                row["test"].append(results.test[task.score_name])
            rows = checkpoints.rows(trained.trainer.model_dir)
            row["seconds"].append(sum(one["seconds"] for one in rows))
            if seed == first:
                row["parameters"] = results.parameters
                row["one_text_ms"] = _one_text_ms(task, trained)
    return {
        "task": task.name,
        "score": task.score_name,
        "config": config.as_dict(recipe_only=True),
        "seeds": seeds,
        "equal_parameters": equal_parameters,
        "cells": found,
        "machine": machine(),
    }


def parameters_of(config: RecurrentConfig) -> int:
    """The parameters that are trained.

    Example:
        >>> from zoo.configuration import MusicConfig
        >>> parameters_of(MusicConfig(cell="rnn", units=2, output="independent"))
        446
    """
    return sum(math.prod(weight.shape) for weight in model_of(config).trainable_variables)


def units_of(config: RecurrentConfig, cell: str, parameters: int) -> int:
    """The units with which a model of this cell comes nearest to so many parameters.

    Example:
        >>> from zoo.configuration import MusicConfig
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


def _one_text_ms(task: Task, trained: Trained) -> float:
    examples = trained.trainer.corpus["validation"][:_TEXTS]
    with tempfile.TemporaryDirectory() as folder:
        version = trained.export(os.path.join(folder, "model"))
        measured = speed.measure(version, [task.text(example) for example in examples])
    return measured["1"].median_ms
