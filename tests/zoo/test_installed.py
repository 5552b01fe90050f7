"""python -m zoo beside an installed package, and its flags; no model is loaded or trained."""

import shutil
import subprocess

import pytest
from programs import contents

import zoo.__main__ as command
from zoo.catalog.entries import ENTRIES
from zoo.catalog.speed import Speed
from zoo.saving import versions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of a package that is installed, with a model's card and results."""
    package = tmp_path / "site-packages" / "zoo"
    own = package / "saved_models" / "ner_demo"
    shutil.copytree(versions.home() / "ner_demo", own)
    (own / "README.md").write_text("a card")
    monkeypatch.setattr(versions, "_PACKAGE", package)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    one = Speed(median_ms=1.25, p99_ms=2.5, per_second=800.0)
    monkeypatch.setattr(command.speed, "measure", lambda *_: {"1": one})
    return package


@pytest.mark.parametrize("say_folder", [False, True])
@pytest.mark.parametrize("words", [["benchmark", "ner_demo"], ["cards"]])
def test_nothing_is_written_into_an_installed_package(package, capsys, words, say_folder):
    before = contents(package)
    folder = ["--folder", str(package / "saved_models")] if say_folder else []
    assert command.main([*folder, *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zoo: expected a folder of models of your own, to write into.")
    assert error.count("\n") == 1
    assert contents(package) == before


def test_a_copy_of_its_models_is_written_into(package, tmp_path):
    shutil.copytree(package / "saved_models", "saved_models")
    assert command.main(["--folder", "saved_models", "benchmark", "ner_demo"]) == 0
    card = tmp_path / "work" / "saved_models" / "ner_demo" / "README.md"
    assert "| 1 | 1 | 1.25 |" in card.read_text("utf-8")
    card.write_text("another")
    assert command.main(["--folder", "saved_models", "cards"]) == 0
    assert "| 1 | 1 | 1.25 |" in card.read_text("utf-8")


def test_cards_of_other_models_leave_the_readme_of_a_clone_alone(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    parts = [
        f"<!-- {name}: begin -->\nbefore\n<!-- {name}: end -->\n" for name in ("zoo", "published")
    ]
    (tmp_path / "README.md").write_text("".join(parts))
    for folder in ("saved_models", "others"):
        shutil.copytree(versions.home() / "ner_demo", tmp_path / folder / "ner_demo")
    monkeypatch.setattr(versions, "_PACKAGE", tmp_path / "zoo")
    assert command.main(["--folder", str(tmp_path / "others"), "cards"]) == 0
    assert "before" in (tmp_path / "README.md").read_text()
    assert command.main(["cards"]) == 0
    assert "before" not in (tmp_path / "README.md").read_text()


def test_a_clone_is_one_for_all_commands(tmp_path, monkeypatch):
    assert versions.is_clone()
    monkeypatch.setattr(versions, "_PACKAGE", tmp_path / "zoo")
    assert not versions.is_clone()
    with pytest.raises(ValueError, match="belongs to an installed package"):
        versions.check_writable(tmp_path / "saved_models" / "ner")
    versions.check_writable(tmp_path / "others")
    (tmp_path / "pyproject.toml").touch()
    versions.check_writable(tmp_path / "saved_models")


def test_paths_that_an_entry_needs_may_be_words_of_their_own(tmp_path, monkeypatch, capsys):
    ran = []

    def run(words):
        ran.append(words)
        return subprocess.CompletedProcess(words, 3)

    monkeypatch.setattr(command.subprocess, "run", run)
    assert ENTRIES["lm_wikitext2"].needs == ("train_file", "valid_file")
    train = ["--folder", str(tmp_path), "train", "lm_wikitext2"]
    assert command.main([*train, "--train_file", "a.txt", "--valid_file=b.txt"]) == 3
    assert ran[0][4:7] == ["--train_file", "a.txt", "--valid_file=b.txt"]
    for rest in (["--train_file", "a.txt"], ["--train_file=a.txt", "valid_file"]):
        assert command.main([*train, *rest]) == 1
        assert "--train_file=PATH --valid_file=PATH" in capsys.readouterr().err
    assert len(ran) == 1


def test_verify_where_there_is_nothing_says_so(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert command.main([f"--folder={folder}", "verify"]) == 1
        said = capsys.readouterr()
        assert said.err == (
            f"zoo: {folder}: expected a folder with models of the zoo. Received: none\n"
        )
        assert said.out == ""
