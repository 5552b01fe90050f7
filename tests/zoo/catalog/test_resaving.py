"""A SavedModel that is saved again has the same weights and gives the same answers."""

import json
import shutil

import numpy as np
import pytest

import zoo
from zoo import __main__ as command
from zoo import files
from zoo.catalog import resaving
from zoo.catalog.resaving import resave
from zoo.saving import versions

TEXT = "He said, Teddy Roosevelt was a great President!"


@pytest.mark.parametrize("name", ["lm_demo", "translate_demo"])
def test_the_same_bytes_and_the_same_answers(name, tmp_path):
    old, new = versions.find(name), resave(name, tmp_path / name)
    assert new == tmp_path / name / "1"
    names = sorted(path.name for path in (old / "assets").iterdir())
    assert names == sorted(path.name for path in (new / "assets").iterdir())
    for file in names:
        assert (new / "assets" / file).read_bytes() == (old / "assets" / file).read_bytes()
    expected, found = zoo.load(name)(TEXT), zoo.load(new)(TEXT)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[key], value, rtol=1e-4)
        else:
            np.testing.assert_array_equal(found[key], value)
    assert zoo.catalog.sources.source(new) == zoo.catalog.sources.source(new.parent)


def test_a_translator_that_does_not_say_how_it_searches(tmp_path):
    version = tmp_path / "translator" / "1"
    shutil.copytree(versions.find("translate_demo"), version)
    said = version / versions.CONFIGURATION
    files.write_json(said, json.loads(said.read_text()) | {"saved": {}})
    with pytest.raises(ValueError, match=r"how it searches.*--mode=export"):
        resave(version)
    assert [path.name for path in version.parent.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["lm_demo", "sentiment_demo"], "--to: expected the name of one model"),
        (["lm_deno"], "expected a model of "),
    ],
)
def test_what_cannot_be_saved_leaves_nothing(names, said, tmp_path, capsys):
    assert command.main(["resave", *names, "--to", str(tmp_path / "new")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"zoo: {said}") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_a_card_was_not_measured_of_is_saved_elsewhere(tmp_path, capsys):
    shutil.copytree(versions.home() / "lm_demo", tmp_path / "lm_demo")
    before = sorted(tmp_path.rglob("*"))
    assert command.main([f"--folder={tmp_path}", "resave", "lm_demo", "--weights=int8"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zoo: --weights: expected float16 for lm_demo") and "--to=" in error
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_is_no_folder_of_versions(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["resave", "lm_demo", "--to", str(tmp_path / "file")]) == 1
    assert "--to: expected a folder. Received: " in capsys.readouterr().err


def test_a_command_that_is_stopped_says_so(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(resaving, "resave", stop)
    assert command.main(["resave", "lm_demo"]) == 130
    assert capsys.readouterr().err == "\nzoo: stopped.\n"
