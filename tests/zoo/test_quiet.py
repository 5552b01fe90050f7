"""TensorFlow's import prints nothing, unless the user wants it or it fails."""

import os
import subprocess
import sys

import pytest

FAKE = """
import contextlib, os, sys
with contextlib.suppress(OSError):
    os.write(2, {notes!r})
{rest}
"""
NOTES = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795678525.882548    6893 port.cc:153] oneDNN custom operations are on.\n"
    b"To enable the following instructions: AVX2, rebuild TensorFlow.\n"
)


@pytest.fixture
def run(tmp_path):
    """Runs a script where `tensorflow` is a module that prints notes and whatever else."""

    def run(script, rest="pass", level=None, **arguments):
        (tmp_path / "tensorflow.py").write_text(FAKE.format(notes=NOTES, rest=rest))
        environment = {key: v for key, v in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
        if level is not None:
            environment["TF_CPP_MIN_LOG_LEVEL"] = level
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), os.getcwd()])
        script = f"import os, sys\nfrom zoo.quiet import import_tensorflow\n{script}"
        command = [sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, env=environment, **arguments)

    return run


def test_notes_are_gone_and_everything_else_is_there(run):
    done = run(
        "print('before', file=sys.stderr)\nimport_tensorflow()\nprint('after', file=sys.stderr)\n"
        "print(os.environ.get('TF_CPP_MIN_LOG_LEVEL'))",
        "print('A warning of Python.', file=sys.stderr); print(os.environ['TF_CPP_MIN_LOG_LEVEL'])",
    )
    assert done.stderr == b"before\nA warning of Python.\nafter\n"
    assert done.stdout == b"3\nNone\n"


def test_a_users_own_level_wins(run):
    done = run("import_tensorflow()\nprint(os.environ['TF_CPP_MIN_LOG_LEVEL'])", level="0")
    assert (done.stderr, done.stdout) == (NOTES, b"0\n")


def test_whoever_asks_for_silence_has_it(run):
    done = run("import_tensorflow()\nprint(os.environ['TF_CPP_MIN_LOG_LEVEL'])", level="3")
    assert (done.stderr, done.stdout) == (b"", b"3\n")


def test_a_failing_import_shows_everything(run):
    done = run("import_tensorflow()", "raise ImportError('no such library')")
    assert done.returncode == 1
    assert done.stderr.startswith(NOTES)
    assert b"ImportError: no such library" in done.stderr


def test_a_closed_standard_error_is_no_problem(run):
    close = "os.close(2)\nsys.stderr = sys.__stderr__ = None\n"
    done = run(f"{close}print(import_tensorflow().__name__)")
    assert (done.returncode, done.stdout) == (0, b"tensorflow\n")


def test_without_temporary_files_the_notes_are_shown(run):
    nowhere = "import tempfile\ntempfile.tempdir = '/no/such/folder'\n"
    done = run(f"{nowhere}print(import_tensorflow().__name__)")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"tensorflow\n", NOTES)


def test_the_real_one_is_silent_from_import_to_the_first_operations():
    environment = {key: v for key, v in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    script = (
        "from zoo.quiet import import_tensorflow\ntf = import_tensorflow()\n"
        "x = tf.ones([2, 2])\nmultiply = tf.function(lambda x: x @ x, jit_compile=True)\n"
        "print(multiply(x).numpy().sum())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment)
    assert (done.stdout, done.stderr) == (b"8.0\n", b"")
