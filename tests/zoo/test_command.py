"""python -m zoo as a process: what it imports, and what it writes to standard error."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.saving.versions import home

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Runs a command on a copy of a model, as a user who has set nothing."""
    shutil.copytree(home() / "ner_demo", tmp_path / "models" / "ner_demo")

    def run(*arguments, path=()):
        environment = {name: v for name, v in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        environment["PYTHONPATH"] = os.pathsep.join([*path, str(ROOT)])
        command = [sys.executable, "-m", "zoo", "--folder", "models", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment
        )

    return run


@pytest.mark.parametrize("command", [[], ["list"], ["card", "ner_demo"], ["--help"]])
def test_tables_cards_and_help_need_no_tensorflow_and_no_keras(run, tmp_path, command):
    for name in ("tensorflow", "keras", "absl"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not needed here')")
    done = run(*command, path=[str(tmp_path)])
    assert (done.returncode, done.stderr) == (0, "")
    assert "ner_demo" in done.stdout or "COMMAND" in done.stdout


@pytest.mark.slow
def test_no_line_on_standard_error_is_tensorflows(run):
    done = run("verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ner_demo" in done.stdout


def test_a_mistake_is_one_line(run):
    done = run("card", "ner_deno")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("zoo: expected a model of ")
    assert done.stderr.count("\n") == 1
