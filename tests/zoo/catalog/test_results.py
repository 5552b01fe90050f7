"""The records of runs and entries: what is read, written and refused."""

import json
import pathlib

import pytest

from zoo.catalog.results import SCHEMA, Baseline, EntryResults, RunResults, portable

ROOT = pathlib.Path(__file__).parents[3]
COMMITTED = sorted((ROOT / "saved_models").glob("*/results.json"))


def run(**changes):
    values = {
        "task": "ner",
        "score": "f1",
        "config": {"units": 8},
        "counts": {"train": {"sentences": 3}},
        "parameters": 100,
        "epochs": [{"epoch": 1, "f1": 0.5}],
        "machine": {"cores": 2},
        "validation": {"f1": 0.5, "by_type": {"PER": {"f1-score": 0.5}}},
        "wall_seconds": 1.5,
        "command": "python -m tasks.ner",
    }
    return RunResults(**values | changes)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_files_come_back_byte_for_byte(path, tmp_path):
    results = EntryResults.read(path)
    assert results.as_dict() == json.loads(path.read_text("utf-8"))
    results.write(tmp_path / "results.json")
    again = EntryResults.read(tmp_path / "results.json")
    assert again == results
    if results.schema == 1:
        assert (tmp_path / "results.json").read_bytes() == path.read_bytes()


def test_a_run_comes_back_with_its_own_figures_at_the_top_level(tmp_path):
    one = run(further={"perplexity_of_the_demo": 3.5}, model={"units": 8}, versions={"keras": "3"})
    one.write(tmp_path / "results.json")
    values = json.loads((tmp_path / "results.json").read_text())
    assert values["perplexity_of_the_demo"] == 3.5
    assert values["schema"] == SCHEMA
    assert {"further", "test", "stored", "data_fingerprint"}.isdisjoint(values)
    assert RunResults.read(tmp_path / "results.json") == one


def test_a_file_without_a_schema_is_the_first(tmp_path):
    values = run().as_dict()
    del values["schema"]
    old = RunResults.from_dict(values)
    assert (old.schema, old.model, old.versions) == (1, {}, {})
    assert old.as_dict() == values


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -m tasks.ner --model_dir runs/x --seed 3 --units 8", "--units=8"),
        (
            "python -m tasks.ner -seed=3 --nocrf --train_file /a/b/c.txt",
            "--nocrf --train_file=b/c.txt",
        ),
        ("python -m tasks.lm --decay -1 --crf --export_dir 'a b'", "--decay=-1 --crf"),
        ("python -m tasks.lm --text_column 'the text'", "'--text_column=the text'"),
    ],
)
def test_a_command_says_what_it_ran_wherever_that_was(command, expected):
    assert portable(command) == f"{' '.join(command.split()[:3])} {expected}"


def test_an_entry_is_read_as_a_run():
    path = ROOT / "saved_models" / "ner_demo" / "results.json"
    values = json.loads(path.read_text("utf-8"))
    results = RunResults.read(path)
    assert results.further["baseline"] == values["baseline"]
    entry = EntryResults.read(path)
    assert isinstance(entry.baseline, Baseline)
    assert entry.megabytes == sum(file["bytes"] for file in values["files"].values()) / 1e6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": SCHEMA + 1}, f"schema: expected 1 to {SCHEMA}. Received: {SCHEMA + 1}"),
        ({"schema": "2"}, "schema: expected 1 to"),
        ({"parameters": 1.5}, "parameters: expected an integer. Received: 1.5"),
        ({"parameters": True}, "parameters: expected an integer"),
        ({"wall_seconds": "1"}, "wall_seconds: expected a number. Received: '1'"),
        ({"epochs": [3]}, "epochs[0]: expected an object. Received: 3"),
        ({"counts": {"train": {"words": None}}}, "counts.train.words: expected an integer"),
        ({"test": []}, "test: expected an object"),
        ({"score": None}, "score: expected a text. Received: None"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, changes, message):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(run().as_dict() | changes))
    with pytest.raises(ValueError) as error:
        RunResults.read(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_missing_key_and_what_is_no_object_are_named(tmp_path):
    path = tmp_path / "results.json"
    values = run().as_dict()
    del values["score"]
    for text, message in (
        (json.dumps(values), "score: expected a value. Received: no such key"),
        ("[1]", "expected an object. Received: list"),
        ("{", "expected JSON. Received: "),
    ):
        path.write_text(text)
        with pytest.raises(ValueError) as error:
            RunResults.read(path)
        assert str(error.value).startswith(f"{path}: {message}")


def test_keys_inside_an_entry_are_named_too():
    values = json.loads((ROOT / "saved_models" / "ner_demo" / "results.json").read_text("utf-8"))
    values["baseline"] = {"what": "nothing", "validation": {}}
    with pytest.raises(ValueError, match=r"^results.json: baseline.command: expected a value"):
        EntryResults.from_dict(values)
    values["baseline"] = {"what": "", "command": "", "validation": {}, "colour": "red"}
    with pytest.raises(ValueError, match=r"baseline.colour: expected one of the keys"):
        EntryResults.from_dict(values)
