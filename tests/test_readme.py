"""README shows what was measured."""

import json
import pathlib

import pytest

from tasks import benchmark, results
from zoo.catalog import markdown

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("benchmark", benchmark.summary),
        ("results", results.tables),
        ("models", results.speed_table),
        ("agreement", results.agreement_table),
    ],
)
def test_the_tables_in_the_readme_are_those_of_the_results_files(name, tables):
    readme = (ROOT / "README.md").read_text()
    file = {"models": "benchmark_models.json"}.get(name, f"{name}.json")
    found = json.loads((ROOT / "docs" / file).read_text())
    assert markdown.replace(readme, name, tables(found)) == readme


def test_the_tables_of_the_benchmark_are_those_of_its_figures():
    found = json.loads((ROOT / "docs/benchmark.json").read_text())
    assert (ROOT / "docs/benchmark.md").read_text() == benchmark.tables(found)


def run(seed, f1, seconds=30, **config):
    return {
        "task": "ner",
        "score": "f1",
        "command": f"python -m tasks.ner --seed={seed} --train_file=/a/b/c/d.conll",
        "config": {"seed": seed, "cell": "lstm", **config},
        "counts": {},
        "parameters": 1000,
        "wall_seconds": seconds,
        "machine": {"processor": "P", "cores": 2},
        "validation": {"f1": f1},
    }


def test_seeds_of_a_recipe_are_one_row_and_a_run_measured_again_replaces_itself():
    first = [results.collected(one) for one in (run(0, 0.5), run(1, 0.7), run(0, 0.3, cell="none"))]
    again = results.merged(first, [results.collected(run(1, 0.9))])
    assert len(again) == 3
    rows = [line for line in results.tables(again).splitlines() if "tasks.ner" in line]
    assert rows == [
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.700 ± 0.283 | – | 2 | 1,000 | 30 s |",
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.300 | – | 1 | 1,000 | 30 s |",
    ]


def test_a_markdown_file_without_markers_is_an_error():
    with pytest.raises(ValueError, match="expected the lines"):
        markdown.replace("text", "results", "")
