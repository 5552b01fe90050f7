"""README shows what was measured."""

import json
import pathlib

import pytest

from tasks import benchmark, results
from tasks.framework import tables
from zoo.catalog import markdown
from zoo.catalog.results import RunResults

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("benchmark", benchmark.summary),
        ("results", lambda found: tables.tables(tables.rows(found, "results.json"))),
        ("models", tables.speed_table),
        ("agreement", tables.agreement_table),
    ],
)
def test_the_tables_in_the_readme_are_those_of_the_results_files(name, shown):
    readme = (ROOT / "README.md").read_text()
    file = {"models": "benchmark_models.json"}.get(name, f"{name}.json")
    found = json.loads((ROOT / "docs" / file).read_text())
    assert markdown.replace(readme, name, shown(found)) == readme


def test_the_tables_of_the_benchmark_are_those_of_its_figures():
    found = json.loads((ROOT / "docs/benchmark.json").read_text())
    assert (ROOT / "docs/benchmark.md").read_text() == benchmark.tables(found)


def run(seed, f1, seconds=30.0, **config):
    return RunResults(
        task="ner",
        score="f1",
        command=f"python -m tasks.ner --seed={seed} --train_file=/a/b/c/d.conll",
        config={"seed": seed, "cell": "lstm", **config},
        counts={},
        parameters=1000,
        epochs=[],
        wall_seconds=seconds,
        machine={"processor": "P", "cores": 2},
        validation={"f1": f1},
    )


def merged(*runs):
    return tables.merged([], map(tables.Row.of, runs), tables.Row.recipe)


def test_seeds_of_a_recipe_are_one_row_and_a_run_measured_again_replaces_itself():
    again = merged(run(0, 0.5), run(1, 0.7), run(0, 0.3, cell="none"), run(1, 0.9))
    assert len(again) == 3
    rows = [line for line in tables.tables(again).splitlines() if "tasks.ner" in line]
    assert rows == [
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.700 ± 0.283 | – | 2 | 1,000 | 30 s |",
        "| `python -m tasks.ner --train_file=c/d.conll` | 0.300 | – | 1 | 1,000 | 30 s |",
    ]


def test_the_collection_comes_back_byte_for_byte():
    text = (ROOT / "docs/results.json").read_text("utf-8")
    rows = tables.rows(json.loads(text), "results.json")
    assert json.dumps(tables.as_dicts(rows), indent=1, ensure_ascii=False) == text


def test_the_program_takes_runs_into_the_collection(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in ("results", "models"))
    )
    run(0, 0.5).write(tmp_path / "one.json")
    run(1, 0.7).write(tmp_path / "two.json")
    monkeypatch.chdir(tmp_path)
    assert results.main(["one.json", "two.json"]) == 0
    assert "| 0.600 ± 0.141 |" in (tmp_path / "README.md").read_text()
    assert len(json.loads((tmp_path / results.COLLECTION).read_text())) == 2
    (tmp_path / "one.json").write_text("{}")
    assert results.main(["one.json"]) == 1
    assert "one.json: task: expected a value" in capsys.readouterr().err


def test_a_markdown_file_without_markers_is_an_error():
    with pytest.raises(ValueError, match="expected the lines"):
        markdown.replace("text", "results", "")
