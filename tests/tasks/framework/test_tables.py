"""Rows of measured results: which of them are the same run."""

import json
import pathlib
import shlex

import pytest

from tasks.benchmark_models import PROGRAMS
from tasks.framework import tables
from zoo.catalog.results import without_folders

ROOT = pathlib.Path(__file__).parents[3]
ROWS = tables.rows(json.loads((ROOT / "docs/results.json").read_text()), "docs/results.json")


def test_rows_of_older_versions_are_those_of_todays_commands():
    """They lack the flags that came later, so that a run that is measured again takes their place
    and does not stand beside them."""
    assert any("average" not in row.config for row in ROWS)
    for row in ROWS:
        # The run of --pretrain_from is looked for, and is not here.
        flags = [f for f in shlex.split(row.command)[3:] if not f.startswith("--pretrain_from=")]
        config, _ = PROGRAMS[row.task].parse(flags)
        today = without_folders(config.as_dict(recipe_only=True))
        if row.config.get("pretrain_from"):
            today["pretrain_from"] = row.config["pretrain_from"]
        assert tables.recipe(row.task, today, "seed") == row.recipe("seed"), row.command


@pytest.mark.parametrize(
    "changes", [{"average": 0.999}, {"schedule": "linear"}, {"units": 9}, {"init_from": "ner_demo"}]
)
def test_another_recipe_is_another_row(changes):
    old = {"units": 8, "seed": 0}
    assert tables.recipe("ner", {**old, **changes}) != tables.recipe("ner", old)
    later = {**old, "average": 0.0, "schedule": "inverse", "init_from": None}
    assert tables.recipe("ner", later) == tables.recipe("ner", old)
    assert tables.recipe("pos", old) != tables.recipe("ner", old)
