"""The trainings of a run of `tasks.long_memory`, and the file that keeps each as soon as it is
done: the same run goes on with what is missing."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tasks.data.errors import UserError, why
from tasks.experiments.gradient_flow import CELLS, rounded
from tasks.experiments.long_memory_recipe import Recipe
from tasks.experiments.long_memory_tasks import MemoryTask
from tasks.experiments.long_memory_training import (
    EVERY,
    Job,
    Training,
    parameters,
    train,
    units_of,
)
from tasks.framework import processes
from zoo import files
from zoo.catalog import records

# The cells that have a gate to keep c, which a forget bias opens.
_GATED = ("gru_simplified", "gru", "gru_reset_after", "lstm")
# By cell, how it is called.
_NAMES = {cell: name for name, cell in CELLS.items()} | {"gru_reset_after": "GRU, reset after"}


def jobs(
    tasks: Iterable[MemoryTask],
    cells: Sequence[str],
    seeds: Sequence[int],
    recipe: Recipe,
    variants: Mapping[str, Recipe],
) -> list[Job]:
    """All trainings: those of the recipe, then those of its variants, where they are compared."""
    tasks = list(tasks)
    found = [
        Job(task, length, cell, seed, recipe)
        for task in tasks
        for length in task.lengths
        for cell in cells
        for seed in seeds
    ]
    compared = [
        Job(task, task.compared_at, cell, seed, variant, flag)
        for task in tasks
        if task.compared
        for flag, variant in variants.items()
        for cell in cells
        # Of a cell without gates, another forget bias makes the same network.
        if cell in _GATED or variant.replace(forget_bias=recipe.forget_bias) != recipe
        for seed in seeds
    ]
    return found + compared


class Record:
    """What a run has found so far, in a file that is whole after each training.

    Args:
        path: of the file.
        jobs: all that the run is to do.
        settings: the flags that make a run another one.
        about: what else the file is to say.

    Raises:
        UserError: the file is one of a run with other settings, or none of these.
    """

    def __init__(
        self,
        path: str,
        jobs: Iterable[Job],
        settings: Mapping[str, Any],
        about: Mapping[str, Any],
    ) -> None:
        self.path, self.jobs = path, list(jobs)
        self.about = {**about, "settings": dict(settings)}
        self.done = {training.key: training for training in _before(path, settings)}

    @property
    def missing(self) -> list[Job]:
        """The jobs that are not done."""
        return [job for job in self.jobs if job.key not in self.done]

    @property
    def trainings(self) -> list[Training]:
        """What is done, in the order of the jobs."""
        return [self.done[job.key] for job in self.jobs if job.key in self.done]

    @property
    def others(self) -> list[Training]:
        """What is done and not asked for now, such as of a task whose corpus is not at hand."""
        asked = {job.key for job in self.jobs}
        return [training for key, training in self.done.items() if key not in asked]

    def keep(self, training: Training) -> None:
        """Writes a training to the file, which is whole before and after."""
        self.done[training.key] = training
        files.write_json(self.path, self.found())

    def found(self) -> dict[str, Any]:
        """What the file holds, as JSON."""
        return {
            **self.about,
            "cells": _NAMES,
            "summary": summary(self.trainings),
            "every": EVERY,
            "trainings": records.plain(self.trainings),
            "others": records.plain(self.others),
        }


def _before(path: str, settings: Mapping[str, Any]) -> list[Training]:
    """The trainings that a file holds, if it is there."""
    if not os.path.exists(path):
        return []
    try:
        with open(path, encoding="utf-8") as file:
            there = json.load(file)
        begun, rows = dict(there["settings"]), [*there["trainings"], *there.get("others", ())]
        found = [records.record(Training, row, path, f"[{i}].") for i, row in enumerate(rows)]
    except OSError as error:
        raise UserError(f"--output_dir: {path}: cannot be read: {why(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"--output_dir: {path}: expected what this program writes there. Give another folder."
        ) from None
    differing = [
        f"--{name}={begun.get(name)!r} there, {settings.get(name)!r} now"
        for name in sorted({*begun, *settings})
        if begun.get(name) != settings.get(name)
    ]
    if differing:
        raise UserError(
            f"--output_dir: {path!r} holds a run with other flags: {'; '.join(differing)}. Give "
            "the same flags to resume it, or another folder."
        )
    return found


def train_all(record: Record, at_once: int, say: Callable[[str], object]) -> None:
    """Does what a record lacks, and keeps each training as soon as it is done.

    Args:
        record: of the run.
        at_once: how many trainings go side by side, each on a core.
        say: is told of each, and how long the others may take.
    """
    missing, count = record.missing, len(record.jobs)
    if len(missing) < count:
        say(f"{count - len(missing)} of {count} trainings are there: {record.path}")
    waiting = {job.key: job.most * job.length for job in missing}
    whole = sum(waiting.values())
    at_once = min(at_once, len(missing) or 1)
    steps, seconds = 0, 0.0

    def done(training: Training) -> None:
        nonlocal steps, seconds
        record.keep(training)
        waiting.pop(training.key)
        steps += training.updates * training.length
        seconds += training.seconds
        line = f"{count - len(waiting)}/{count} {in_words(training)}"
        # At the beginning, what it takes to compile is most of it.
        if waiting and steps > whole / 50:
            left = seconds / steps * sum(waiting.values()) / at_once
            line += f"; at most {math.ceil(left / 60)} min left"
        say(line)

    processes.each(train, missing, at_once, done)


def described(tasks: Iterable[MemoryTask], cells: Iterable[str], lstm: int) -> dict[str, Any]:
    """What a file says of the tasks and cells of a run, by their names, as JSON has it."""
    return {
        task.name: {
            "about": task.about,
            "lengths": list(task.lengths),
            "of_classes": task.of_classes,
            "compared_at": task.compared_at if task.compared else None,
            "guess": 1 / task.outputs if task.of_classes else task.guess,
            "solved": task.solved,
            "units": {cell: units_of(cell, lstm, task.features) for cell in cells},
            "parameters": {
                cell: parameters(cell, units_of(cell, lstm, task.features), task.features)
                for cell in cells
            },
        }
        for task in tasks
    }


def summary(trainings: Iterable[Training]) -> list[dict[str, Any]]:
    """What the seeds of each task, length, cell and variant found together.

    Returns:
        A row for each: how many `seeds`, how many of them `solved` it, the median of the `updates`
        of those, and the mean of the last `score` of the others: a share of right classes, or a
        loss; None: there are none, or one of them is not finite.
    """
    groups: dict[tuple, list[Training]] = {}
    for one in trainings:
        groups.setdefault((one.task, one.length, one.cell, one.variant), []).append(one)
    rows = []
    for (task, length, cell, variant), some in groups.items():
        updates = [one.solved for one in some if one.solved is not None]
        scores = [(one.right or one.losses)[-1] for one in some if one.solved is None]
        finite = [score for score in scores if score is not None]
        whole = finite and len(finite) == len(scores)
        rows.append(
            {
                "task": task,
                "length": length,
                "cell": cell,
                "variant": variant,
                "seeds": len(some),
                "solved": len(updates),
                "updates": statistics.median(updates) if updates else None,
                "score": rounded([statistics.mean(finite)])[0] if whole else None,
            }
        )
    return rows


def label(cell: str) -> str:
    """How a cell is called."""
    return _NAMES[cell]


def in_words(training: Training) -> str:
    """What was trained, and what came of it.

    Example:
        >>> in_words(Training("adding", 100, "gru", 0, "", [0.1], [], 900, 2.0, solved=900))
        'adding, T = 100: GRU, seed 0: solved after 900 updates'
    """
    what = f"{training.task}, T = {training.length}: {label(training.cell)}, seed {training.seed}"
    if training.variant:
        what += f", {training.variant}"
    if training.solved:
        return f"{what}: solved after {training.solved:,} updates"
    score = (training.right or training.losses)[-1]
    last = "NaN" if score is None else f"{score:.1%} right" if training.right else f"loss {score:g}"
    return f"{what}: not solved, {last}"
