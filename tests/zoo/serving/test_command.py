"""python -m zoo serve-config: where its files go, and what stays as git knows it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from server_files import batching_of, compose_of, models_of

from zoo import __main__ as command
from zoo.catalog.entries import ENTRIES

ROOT = Path(__file__).parents[3]
OWN = ["compose.yaml", *(f"saved_models/{name}.config" for name in ("models", "batching"))]
OWN.append("saved_models/monitoring.config")


def add(folder, name, version="1"):
    (folder / name / version).mkdir(parents=True)
    (folder / name / version / "saved_model.pb").touch()


@pytest.fixture
def clone(tmp_path):
    """The package and the names of its models, as in a clone; and a command to run there."""
    shutil.copytree(ROOT / "zoo", tmp_path / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").touch()
    for name in ENTRIES:
        add(tmp_path / "saved_models", name)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "zoo", "serve-config", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    run.folder = tmp_path
    return run


def written(folder):
    return {name: (folder / name).read_text("utf-8") for name in OWN}


def test_a_clean_clone_gets_what_is_committed(clone):
    lines = clone()
    assert lines[-1] == f"Start it: docker compose -f {clone.folder / 'compose.yaml'} up"
    assert sorted(lines[:-1]) == sorted(str(clone.folder / name) for name in OWN)
    assert written(clone.folder) == written(ROOT)


def test_what_a_user_saves_or_asks_for_changes_nothing_that_git_knows(clone):
    add(clone.folder / "saved_models", "ner")
    clone()
    assert written(clone.folder) == written(ROOT)
    lines = clone("--models", "ner", "--cpus=4")
    serving = clone.folder / "serving"
    assert lines[:-1] == [
        str(serving / name)
        for name in ("models.config", "batching.config", "monitoring.config", "compose.yaml")
    ]
    assert written(clone.folder) == written(ROOT)
    assert [model.name for model in models_of((serving / "models.config").read_text())] == ["ner"]
    assert batching_of((serving / "batching.config").read_text())["num_batch_threads"] == 4
    assert "/serving/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a folder of models."""
    add(tmp_path / "models", "mine")
    add(tmp_path / "models", "mine", "2")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_of_ones_own(here, capsys):
    compose = here / "serving" / "compose.yaml"
    for arguments in (["--folder", "models", "serve-config"], ["serve-config", "--folder=models"]):
        assert command.main(arguments) == 0
        assert f"Start it: docker compose -f {compose} up\n" in capsys.readouterr().out
    assert not list((here / "models").glob("*.config"))
    volumes = compose_of(compose.read_text())[0]["volumes"]
    assert volumes == ['"../models:/models:ro"', '".:/config:ro"']


def test_flags(here):
    flags = ["--versions", "mine=stable:1,canary:2", "--output=out", "--rest_port=9000"]
    flags += ["--grpc_port=9001", "--memory=1g", "--image=serving:mine", "--max_batch_size=32"]
    assert command.main(["serve-config", "--folder=models", *flags]) == 0
    lists, values = compose_of((here / "out" / "compose.yaml").read_text())
    assert lists["ports"] == ['"9001:8500"', '"9000:8501"']
    assert (values["mem_limit"], values["image"]) == ("1g", "serving:mine")
    (model,) = models_of((here / "out" / "models.config").read_text())
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}
    assert batching_of((here / "out" / "batching.config").read_text())["max_batch_size"] == 32


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--models", "mien"], "such as ['mine']. Received: 'mien'"),
        (["--versions", "mine=3"], "expected versions that are there, [1, 2]. Received: [3]"),
        (["--memory=0.1"], "memory: expected a number with b, k, m or g"),
        (["--memory=much"], "memory: expected a number with b, k, m or g"),
        (["--folder=none"], "expected a folder with at least one model"),
    ],
)
def test_a_mistake_is_one_line(here, capsys, flags, message):
    assert command.main(["serve-config", "--folder=models", *flags]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zoo: ") and message in error and error.count("\n") == 1
    assert not (here / "serving").exists()


def test_help_says_the_defaults(capsys):
    with pytest.raises(SystemExit):
        command.main(["serve-config", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("there is no limit. Default: 4g", "its machine has. Default: 2 ", "serving/"):
        assert words in shown
