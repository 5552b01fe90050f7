"""The same recipe with one cell and with another."""

import json

import pytest
from programs import program, small_corpus

from tasks.classification import demo
from tasks.framework import tables
from zoo.catalog import speed
from zoo.catalog.results import Speed

SMALL = ["--task=sentiment", "--units=4", "--embedding_dim=4", "--epochs=1", "--nojit", "--seeds=1"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What the program says of a recipe, then of cells of equal size; its file; what was timed."""
    output, asked = tmp_path_factory.mktemp("cells") / "cells.json", []

    def measure(folder, texts):
        asked.append(texts)
        return {"1": Speed(median_ms=len(asked), p99_ms=9.0, per_second=1.0)}

    with pytest.MonkeyPatch.context() as patch, small_corpus(demo):
        patch.setattr(speed, "measure", measure)
        shown = [
            program("cells", *SMALL, "--output_file", output, *more).stdout
            for more in (
                ["--cells=rnn,none"],
                ["--cells=rnn,gru", "--equal_parameters"],
            )
        ]
    return shown, json.loads(output.read_text()), asked


def test_cells_are_compared_by_quality_size_and_time(compared):
    shown, (entry, *_), asked = compared
    assert list(entry["cells"]) == ["rnn", "none"]
    rnn, none = entry["cells"].values()
    assert rnn["units"] == none["units"] == 4
    assert rnn["parameters"] > none["parameters"]
    assert (rnn["one_text_ms"], none["one_text_ms"]) == (1, 2)
    assert all(0 <= row["validation"][0] <= 1 and row["seconds"][0] > 0 for row in (rnn, none))
    assert asked[0] == asked[1] and len(asked[0]) > 10
    assert tables.cells_table([entry]) in shown[0]


def test_cells_of_equal_size_have_units_of_their_own(compared):
    _, entries, _ = compared
    # One entry for each recipe, the plain one beside that of equal size.
    assert [one["equal_parameters"] for one in entries] == [False, True]
    rnn, gru = entries[1]["cells"].values()
    assert rnn["units"] > gru["units"]
    assert rnn["parameters"] == pytest.approx(gru["parameters"], rel=0.1)
    assert str(rnn["units"]) in tables.cells_table(entries[1:])


def test_a_cell_without_units_is_as_large_as_no_other():
    run = program("cells", "--cells=none,gru", "--equal_parameters", check=False)
    assert run.returncode == 1 and "--equal_parameters: expected cells that have" in run.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cells=gru,lstm", "--init_from=sentiment_demo"], "from scratch. Received: --init_from"),
        ([*SMALL, "--cells=gru,none", "--pretrain"], "--pretrain goes with a recurrent --cell"),
    ],
)
def test_what_only_some_cells_could_start_from_is_one_line(flags, message, tmp_path):
    flags += ["--task=sentiment", f"--model_dir={tmp_path}"]
    run = program("cells", *flags, check=False)
    assert run.returncode == 1 and message in run.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("task", ["lm", "music", "translate"])
def test_a_task_that_needs_a_recurrent_cell_says_so(task, tmp_path):
    flags = [f"--task={task}", "--cells=none,lstm", f"--model_dir={tmp_path}"]
    run = program("cells", *flags, check=False)
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1
    assert "--cells=none,lstm: " in run.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("cells", ["gru", "gru,gru", "gru,gruu"])
def test_what_are_no_cells_to_compare_is_one_line(cells):
    run = program("cells", f"--cells={cells}", check=False)
    assert run.returncode == 1 and "--cells: expected two or more of none, rnn" in run.stderr
