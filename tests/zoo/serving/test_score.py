"""`python -m zoo score`: its mistakes in a line, and what it writes where Apache Beam is there."""

import gzip
import json
import sys

import pytest

import zoo
from zoo import records
from zoo.__main__ import main

TEXTS = ["Teddy Roosevelt smiled.", "", "Marie Curie met Angela Merkel in Paris."]


@pytest.fixture
def score(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; its exit code, and what it says."""
    monkeypatch.chdir(tmp_path)

    def score(*flags, name="ner_demo"):
        code = main(["score", name, "--output=out", *flags])
        said = capsys.readouterr()
        return code, said.out + said.err

    return score


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam")


def lines(folder, pattern="scored-*.jsonl"):
    found = sorted(folder.glob(f"out/{pattern}"))
    return [json.loads(line) for path in found for line in path.read_text("utf-8").splitlines()]


def test_a_model_that_is_not_there_is_one_line(score):
    code, said = score("--input=*.txt", name="ner_deno")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("zoo: expected a model of ")


def test_without_beam_it_says_what_to_install(score, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    code, said = score("--input=*.txt")
    assert (code, said.count("\n")) == (1, 1)
    assert "pip install 'lecture-rnn-zoo[beam]'" in said


@pytest.mark.parametrize(
    "flag", ["--batch_size=0", "--shard_megabytes=-1", "--max_characters=many", "--batch_size=x"]
)
def test_numbers_are_checked(score, flag, capsys):
    with pytest.raises(SystemExit):
        score("--input=*.txt", flag)
    said = capsys.readouterr().err
    assert f"argument {flag.partition('=')[0]}: expected a number from 1 up" in said


def test_its_help_needs_no_beam(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert "--flink_master" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--input=*.jsonl"], "--input: expected a file, or a pattern"),
        (["--input=*.doc"], "expected files that end in .txt, "),
        (["--input=*.txt", "--runer=x"], "expected flags of Apache Beam. Received: --runer"),
        (["--input=*.txt", "--output="], "--output: expected a folder. Received: ''"),
        (["--input=*.txt", "--output=a.txt"], "--output: expected a folder to write to."),
        (["--input=*.txt", "--output=/proc/x"], "--output: expected a folder to write to."),
    ],
)
def test_mistakes_are_a_line(score, beam, tmp_path, flags, said):
    for name in ("a.txt", "a.doc"):
        (tmp_path / name).write_text("so\n")
    code, found = score(*flags)
    assert (code, found.count("\n")) == (1, 1)
    assert found.startswith(f"zoo: {said}")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_files_of_all_formats_are_scored(score, beam, tmp_path):
    with gzip.open(tmp_path / "in.txt.gz", "wt") as file:
        file.write("\n".join(TEXTS))
    rows = [{"id": i, "text": text} for i, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {}]))
    (tmp_path / "in.csv").write_text(f"text,tags\n{TEXTS[0]},mine\n")
    code, said = score("--input=in.*", "--batch_size=2")
    assert (code, said) == (0, "out: 7 texts, 1 bad rows\n")

    found = lines(tmp_path)
    expected = [records.record(one) for one in records.predict(zoo.load("ner_demo"), TEXTS)]
    by_text = dict(zip(TEXTS, expected, strict=True))
    for row in found:
        said = by_text[row["text"]]
        names = [entity["text"] for entity in said["entities"]]
        assert [entity["text"] for entity in row["entities"]] == names
        assert row.get("predicted_tags", row["tags"]) == said["tags"]
    assert sorted(row["id"] for row in found if "id" in row) == [0, 1, 2]
    assert [row["tags"] for row in found if "predicted_tags" in row] == ["mine"]
    (bad,) = lines(tmp_path, "bad-*.jsonl")
    assert (bad["row"], bad["reason"]) == (4, "expected 'text', found none")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".jsonl"}

    code, said = score("--input=in.*")
    assert code == 1
    assert "expected a folder without .jsonl files" in said


@pytest.mark.slow
def test_a_signature_that_is_named_is_asked(score, beam, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    code, _ = score("--input=in.txt", "--signature=entities", "--runner=DirectRunner")
    assert code == 0
    found = {row["text"]: row["entity"] for row in lines(tmp_path)}
    assert found[TEXTS[0]] == ["Teddy Roosevelt"]
    assert found[""] == []


def test_a_pipeline_that_fails_writes_nothing(score, beam, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    code, said = score("--input=in.txt", "--signature=greedy")
    assert (code, said.count("\n")) == (1, 1)
    assert "signature 'greedy': expected one of the signatures" in said
    assert lines(tmp_path, "*.jsonl") == []


def test_rows_of_which_none_is_of_use_are_an_error_that_says_why(score, beam, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "so"}\n')
    (tmp_path / "b.jsonl").write_text('{"text": 3}\n')
    code, said = score("--input=a.jsonl", "--input=b.jsonl", "--column=nope")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("zoo: out: no row is of use, and 2 are bad. The first: ")
    assert "jsonl:1: expected" in said
    code, said = score("--input=[ab].jsonl", "--output=other")
    assert (code, said) == (0, "other: 1 texts, 1 bad rows\n")
