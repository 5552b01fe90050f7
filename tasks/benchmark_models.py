r"""Speed of whole models against the same models of stock Keras layers, and of their SavedModels.

    python -m tasks.benchmark_models --preset=wikiann --output_file=docs/benchmark_models.json
    python -m tasks.benchmark_models --task=sentiment --preset=imdb

The flags of the task say which model, on which corpus. Both models train on the same batches in
turn. Stock Keras runs without XLA: Keras itself does so for models with its recurrent layers. The
file collects one entry for each recipe.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks import lm, music, ner, pos, sentiment, translate
from tasks.framework import tables
from tasks.framework.configuration import MeasuringConfig, TaskConfig
from tasks.framework.running import Program
from zoo import files
from zoo.catalog.results import portable, without_folders
from zoo.configuration import option

if TYPE_CHECKING:
    from tasks.framework.modes import Mode
    from tasks.framework.task import Task

_MODULES = (ner, pos, sentiment, lm, translate, music)
PROGRAMS = {program.name: program for program in (module.PROGRAM for module in _MODULES)}


@dataclasses.dataclass(frozen=True)
class BenchmarkRun(MeasuringConfig):
    """What the benchmark is asked to measure."""

    mode: str = "benchmark"
    task: str = option("ner", "Whose models.", choices=PROGRAMS)
    batches: int = option(60, "Training batches of each turn.", at_least=1)
    turns: int = option(5, "Turns of each model.", at_least=1)
    output_file: str = option("benchmark_models.json", "File for all figures.")


def benchmark() -> Mode:
    from tasks.experiments.model_speed import measure
    from tasks.framework.text_io import check_output

    def benchmark_mode(task: Task, config: TaskConfig, run: BenchmarkRun) -> None:
        """Measures, shows, and writes an entry in place of that of the same recipe."""
        check_output(run.output_file)
        entry = measure(task, config, run.batches, run.turns)
        entry["config"] = without_folders(entry["config"])
        entry = {"command": portable(run.command), **entry}
        for name in ("trained_per_second", "served_per_second"):
            print(f"{name}:", ", ".join(f"{key} {value:.0f}" for key, value in entry[name].items()))
        for name in (
            "softmax_share",
            "drawn_per_second",
            "target_tokens_trained_per_second",
            "greedy_per_second",
            "one_text_greedy_ms",
        ):
            if name in entry:
                print(f"{name}: {entry[name]}")
        print(f"one text on one core: {entry['one_text_ms']:.2f} ms")
        print(f"times Keras: {entry['times_keras']:.2f}")
        collect(run.output_file, entry)
        print(f"All figures: {run.output_file}")

    return benchmark_mode


def collect(path: str, entry: dict[str, Any]) -> None:
    """Writes an entry into a file of entries, in place of that of the same recipe."""
    found = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    files.write_json(path, tables.merged(found, [entry], _what_was_asked))


def _what_was_asked(entry: dict[str, Any]) -> str:
    asked = {**entry["config"], "equal_parameters": entry.get("equal_parameters") or None}
    return tables.recipe(entry["task"], asked)


def named_task(arguments: Sequence[str]) -> Program:
    """The program of the task that `--task` names; of one that is none, flags say so later."""
    named = "ner"
    for word, next_word in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        if flag in ("--task", "-task"):
            named = value if equals else next_word
    return PROGRAMS.get(named, ner.PROGRAM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark with the flags of the task that `--task` names; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return program_of(named_task(arguments)).main(arguments)


def program_of(task: Program) -> Program:
    """The benchmark with the flags of a task."""
    return Program(
        "benchmark_models",
        __doc__,
        task.config,
        task.task,
        BenchmarkRun,
        {"benchmark": benchmark},
        presets=task.name,
    )


if __name__ == "__main__":
    sys.exit(main())
