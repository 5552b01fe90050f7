r"""Measured results as tables: collects what training runs wrote, and shows it in the README.

    python -m tasks.results runs/*/results.json
    python -m tasks.results                                # only writes the tables anew

Runs that differ in their seed alone are one row: mean and standard deviation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.experiments import distribution_page, lecture_page
from tasks.framework import tables
from zoo import files
from zoo.catalog import markdown
from zoo.catalog.results import RunResults
from zoo.saving.versions import SAVED_MODELS

# What collects the runs, what `tasks.benchmark_models` wrote, and the file with the tables.
COLLECTION, MODELS, README = "docs/results.json", "docs/benchmark_models.json", "README.md"
# By the name of a table, what an experiment wrote and how it is shown: of `tasks.cells`,
# `tasks.lm --mode=agreement`, `tasks.translate --mode=attention`, `tasks.gradients`,
# `tasks.gates --find` and `tasks.long_memory`.
EXPERIMENTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "cells": ("docs/cells.json", tables.cells_table),
    "agreement": ("docs/agreement.json", tables.agreement_table),
    "attention": ("docs/attention.json", tables.attention_table),
    "gradient_flow": ("docs/gradient_flow.json", tables.gradient_flow_table),
    "exploding": ("docs/exploding.json", tables.exploding_table),
    "gates_cat": ("docs/gates_cat.json", tables.gate_units_table),
    "gates_told": ("docs/gates_told.json", tables.gates_told_table),
    "long_memory": ("docs/long_memory.json", tables.long_memory_table),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes runs into the collection, and writes the tables anew."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.results",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="RESULTS", help="results.json of training runs")
    paths = parser.parse_args(arguments).paths
    try:
        runs = tables.rows(_read(COLLECTION, []), COLLECTION)
        more = [tables.Row.of(RunResults.read(path)) for path in paths]
    except (OSError, ValueError) as error:
        print(f"results: expected a results.json of a training run: {error}", file=sys.stderr)
        return 1
    runs = tables.merged(runs, more, tables.Row.recipe)
    if more:
        files.write_json(COLLECTION, tables.as_dicts(runs))
    contents = {"results": tables.tables(runs), "models": tables.speed_table(_read(MODELS, []))}
    for name, (path, table) in EXPERIMENTS.items():
        found = _read(path, None)
        if found is not None:
            contents[name] = table(found)
    docs = Path(COLLECTION).parent
    files.write_text(docs / lecture_page.PAGE, lecture_page.page(docs))
    files.write_text(docs / distribution_page.PAGE, distribution_page.page(Path(SAVED_MODELS)))
    for name, content in contents.items():
        markdown.replace_in_file(README, name, content)
    return 0


def _read(path: str, otherwise: Any) -> Any:
    file = Path(path)
    return json.loads(file.read_text("utf-8")) if file.exists() else otherwise


if __name__ == "__main__":
    sys.exit(main())
