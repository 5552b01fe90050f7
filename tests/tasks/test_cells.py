"""The same recipe with one cell and with another."""

import json

import pytest
from programs import program, small_corpus

from tasks import benchmark_models, cells
from tasks.classification import demo
from tasks.framework import tables
from zoo.catalog import speed
from zoo.catalog.results import Speed

SMALL = ["--task=sentiment", "--units=4", "--embedding_dim=4", "--epochs=1", "--nojit", "--seeds=1"]


def test_cells_are_compared_by_quality_size_and_time(tmp_path, monkeypatch):
    asked = []

    def measure(folder, texts):
        asked.append(texts)
        return {"1": Speed(median_ms=len(asked), p99_ms=9.0, per_second=1.0)}

    monkeypatch.setattr(speed, "measure", measure)
    flags = [*SMALL, "--cells=gru,rnn", "--output_file", tmp_path / "cells.json"]
    with small_corpus(demo):
        run = program("cells", *flags)
    (entry,) = json.loads((tmp_path / "cells.json").read_text())
    assert list(entry["cells"]) == ["gru", "rnn"]
    gru, rnn = entry["cells"].values()
    assert gru["parameters"] > rnn["parameters"]
    assert (gru["one_text_ms"], rnn["one_text_ms"]) == (1, 2)
    assert all(0 <= row["validation"][0] <= 1 and row["seconds"][0] > 0 for row in (gru, rnn))
    assert asked[0] == asked[1] and len(asked[0]) > 10
    assert tables.cells_table([entry]) in run.stdout


def test_cells_of_equal_size_have_units_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measure", lambda *_: {"1": Speed(1.0, 1.0, 1.0)})
    flags = [*SMALL, "--cells=rnn,gru,lstm", "--output_file", tmp_path / "cells.json"]
    with small_corpus(demo):
        for more in ([], ["--equal_parameters", "--units=12"], ["--equal_parameters"]):
            program("cells", *flags, *more)
    entries = json.loads((tmp_path / "cells.json").read_text())
    # One entry for each recipe, the plain one beside that of equal size.
    assert [one["equal_parameters"] for one in entries] == [False, True, True]
    for entry, wanted in zip(entries, (4, 12, 4), strict=True):
        rnn, gru, lstm = entry["cells"].values()
        if not entry["equal_parameters"]:
            assert rnn["units"] == gru["units"] == lstm["units"] == wanted
            continue
        assert rnn["units"] > gru["units"] > lstm["units"] == wanted
        sizes = [row["parameters"] for row in (rnn, gru, lstm)]
        assert max(sizes) < 1.1 * min(sizes)
        assert str(rnn["units"]) in tables.cells_table([entry])


@pytest.mark.parametrize("task", benchmark_models.PROGRAMS)
def test_every_task_may_be_compared_and_measured(task, capsys):
    for program_of in (cells.program_of, benchmark_models.program_of):
        assert program_of(benchmark_models.PROGRAMS[task]).main(["--help"]) == 0
        assert "--output_file: File for all figures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cell=gru"], "--cell: expected none, since --cells says which"),
        (
            ["--output_file=missing/cells.json"],
            "--output_file: expected a file in a folder",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(flags, message):
    run = program("cells", *SMALL, *flags, check=False)
    assert run.returncode == 1 and message in run.stderr and not run.stdout


def test_a_cell_without_units_is_as_large_as_no_other():
    run = program("cells", "--cells=none,gru", "--equal_parameters", check=False)
    assert run.returncode == 1 and "--equal_parameters: expected cells that have" in run.stderr


@pytest.mark.parametrize("some", ["gru", "gru,gru", "gru,gruu"])
def test_what_are_no_cells_to_compare_is_one_line(some):
    run = program("cells", f"--cells={some}", check=False)
    assert run.returncode == 1 and "--cells: expected two or more of none, rnn" in run.stderr
