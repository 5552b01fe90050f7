"""The folder of a run: what may go on there, and what is refused in one line."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tasks.data.errors import UserError
from tasks.framework import checkpoints, stages
from tasks.framework.stages import PRETRAINING, TEACHER

RECIPE = {"task": "t", "units": 4, "epochs": 2, "train_file": "a.csv"}
DATA = {"train": "1", "validation": "2"}


@pytest.fixture
def run(tmp_path):
    """A folder with a run that has come to the end of its first epoch."""
    checkpoints.claim(str(tmp_path), RECIPE, DATA)
    checkpoints.save(str(tmp_path), stages.CHECKPOINT, [], [{"epoch": 1, "seconds": 2.0}])
    return tmp_path


def variables(*shapes):
    return [keras.Variable(np.full(shape, i + 1.0)) for i, shape in enumerate(shapes)]


def test_the_same_run_goes_on(run):
    checkpoints.claim(str(run), RECIPE, DATA)
    checkpoints.save(str(run), "x.npz", variables((2,), (3, 1)), [{"epoch": 1, "seconds": 2.0}])
    other = [keras.Variable(np.zeros(shape)) for shape in ((2,), (3, 1))]
    assert checkpoints.restore(str(run), "x.npz", other) == [{"epoch": 1, "seconds": 2.0}]
    assert [float(np.mean(v)) for v in other] == [1.0, 2.0]
    assert checkpoints.restore(str(run), "none.npz", other) == []


def test_a_run_has_the_defaults_of_options_that_came_after_it(run):
    newer = {**RECIPE, "new": 8}
    with pytest.raises(UserError, match="--new=8 there, 9 now"):
        checkpoints.claim(str(run), {**RECIPE, "new": 9}, DATA, {**RECIPE, "new": 8})
    checkpoints.save(str(run), "x.npz", variables((2,)), [])
    checkpoints.claim(str(run), newer, DATA, newer)
    checkpoints.restore(str(run), "x.npz", variables((2,)))


def test_more_epochs_are_the_same_run_and_fewer_are_not(run):
    checkpoints.save(str(run), "x.npz", variables((2,)), [])
    checkpoints.claim(str(run), {**RECIPE, "epochs": 5}, DATA)
    assert json.loads((run / stages.CONFIG).read_text())["epochs"] == 5
    checkpoints.restore(str(run), "x.npz", variables((2,)))
    with pytest.raises(UserError, match="--epochs=5 there, 2 now"):
        checkpoints.claim(str(run), RECIPE, DATA)


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        ({**RECIPE, "units": 8}, DATA, "--units=4 there, 8 now"),
        ({**RECIPE, "new": 8}, DATA, "--new=None there, 8 now"),
        (RECIPE, {**DATA, "train": "3"}, "it began with other train data"),
        (RECIPE, {**DATA, "validation": "3"}, "it began with other validation data"),
        (RECIPE, {"train": "3", "validation": "3"}, "other train and validation data"),
    ],
)
def test_another_run_is_refused_and_leaves_the_folder_as_it_was(run, recipe, data, message):
    before = (run / stages.CONFIG).read_bytes()
    with pytest.raises(UserError, match=message):
        checkpoints.claim(str(run), recipe, data)
    assert (run / stages.CONFIG).read_bytes() == before


def test_a_run_that_never_came_to_an_epoch_leaves_its_place(tmp_path):
    folder = str(tmp_path)
    checkpoints.claim(folder, RECIPE, DATA)
    checkpoints.keep_lines(folder, "vocabulary.txt", ["a"])
    checkpoints.claim(folder, {**RECIPE, "units": 8}, {**DATA, "train": "3"})
    checkpoints.keep_lines(folder, "vocabulary.txt", ["b"])
    assert checkpoints.read_config(folder)["units"] == 8
    assert (tmp_path / "vocabulary.txt").read_text() == "b\n"
    (tmp_path / PRETRAINING).mkdir()
    checkpoints.save(str(tmp_path / PRETRAINING), stages.CHECKPOINT, [], [])
    with pytest.raises(UserError, match="--units=8 there, 4 now"):
        checkpoints.claim(folder, RECIPE, DATA)
    with pytest.raises(UserError, match="holds a run with another"):
        checkpoints.keep_lines(folder, "vocabulary.txt", ["a"])


def test_a_configuration_of_another_program_stays(tmp_path):
    (tmp_path / stages.CONFIG).write_text('{"units": 4}')
    with pytest.raises(UserError, match="holds a run with other flags"):
        checkpoints.claim(str(tmp_path), RECIPE, DATA)
    assert (tmp_path / stages.CONFIG).read_text() == '{"units": 4}'


def test_what_was_trained_before_is_of_the_run(run):
    """A language model or a teacher of another run is none of this one."""
    for name in (PRETRAINING, TEACHER):
        stage = run / name
        stage.mkdir()
        checkpoints.save(str(stage), "x.npz", variables((2,)), [{"seconds": 2.0}])
        assert checkpoints.restore(str(stage), "x.npz", variables((2,))) == [{"seconds": 2.0}]
    checkpoints.claim(str(run / "other"), {**RECIPE, "units": 8}, DATA)
    other = run / "other" / TEACHER
    (run / TEACHER).rename(other)
    with pytest.raises(UserError, match=r"other/config.json describes. Received"):
        checkpoints.restore(str(other), "x.npz", variables((2,)))
    # Those of older versions do not say of which run they are.
    with np.load(other / "x.npz") as arrays:
        np.savez(other / "x.npz", **{**arrays, "run": np.array("")})
    assert checkpoints.restore(str(other), "x.npz", variables((2,)))
    # A run may be called so.
    called = run / "elsewhere" / TEACHER
    checkpoints.claim(str(called), RECIPE, DATA)
    checkpoints.save(str(called), "x.npz", variables((2,)), [])
    assert checkpoints.restore(str(called), "x.npz", variables((2,))) == []


def test_checkpoints_of_nobody_knows_which_run_are_left_alone(run):
    (run / stages.CONFIG).unlink()
    with pytest.raises(UserError, match=r"holds checkpoints, and no config\.json"):
        checkpoints.claim(str(run), RECIPE, DATA)
    assert not (run / stages.CONFIG).exists()


def test_seconds_are_those_of_the_run_and_of_what_it_starts_from(run):
    for folder, row in (
        (PRETRAINING, {"seconds": 3.0, "scoring_seconds": 0.5}),
        ("another", {"seconds": 1000.0}),
    ):
        (run / folder).mkdir()
        checkpoints.save(str(run / folder), stages.CHECKPOINT, [], [row])
    assert checkpoints.seconds_before(str(run)) == 5.5


def test_one_process_at_a_time_trains_in_a_folder(run):
    killed = [run / "best.7-8.tmp.npz", run / "checkpoint.12-3.tmp.npz"]
    for path in (*killed, run / "mine.tmp.npz"):
        path.touch()
    code = (
        "import sys\nfrom tasks.framework import checkpoints\n"
        "with checkpoints.held(sys.argv[1]):\n    print('here', flush=True)\n    input()\n"
    )
    start = [sys.executable, "-c", code, str(run)]
    with subprocess.Popen(start, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "here\n"
        assert not any(path.exists() for path in killed) and (run / "mine.tmp.npz").exists()
        here = checkpoints.held(str(run))
        with pytest.raises(UserError, match="in which another process does"), here:
            raise AssertionError
        other.communicate("\n")
    with checkpoints.held(str(run)):
        pass
    with checkpoints.held("/dev/null/folder"):
        pass


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null", b"3"])
def test_a_damaged_configuration_is_named(run, content):
    (run / stages.CONFIG).write_bytes(content)
    with pytest.raises(UserError, match=r"config.json: expected what this program writes there"):
        checkpoints.claim(str(run), RECIPE, DATA)


def damaged(path, how):
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-40],
            "begun": whole[:30],
            "text": b"loss,score\n",
            "bits": whole[:120] + bytes(60) + whole[180:],
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "cut", "begun", "text", "bits"])
def test_a_damaged_checkpoint_is_named_and_changes_nothing(run, how):
    checkpoints.save(str(run), "x.npz", variables((50,), (3,)), [])
    damaged(run / "x.npz", how)
    kept = variables((50,), (3,))
    with pytest.raises(UserError, match=r"x.npz: expected a (whole )?checkpoint"):
        checkpoints.restore(str(run), "x.npz", kept)
    assert [float(np.mean(v)) for v in kept] == [1.0, 2.0]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(run, monkeypatch):
    before = (run / stages.CHECKPOINT).read_bytes()

    def full(path, **arrays):
        pathlib.Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match=r"to write a checkpoint\. Received: No space left"):
        checkpoints.save(str(run), stages.CHECKPOINT, [], [])
    assert (run / stages.CHECKPOINT).read_bytes() == before
    assert {path.name for path in run.iterdir()} == {stages.CHECKPOINT, stages.CONFIG}


def test_checkpoints_of_other_models_and_runs_are_refused(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    checkpoints.claim(str(other), {**RECIPE, "units": 5}, DATA)
    checkpoints.save(str(other), "x.npz", variables((2,)), [])
    (run / "x.npz").write_bytes((other / "x.npz").read_bytes())
    for shapes in [((2,),), ((3,),), ((2,), (2,)), ()]:
        with pytest.raises(UserError, match="one of another run or another model"):
            checkpoints.restore(str(run), "x.npz", variables(*shapes))
    np.savez(run / "y.npz", weights=np.zeros(3))
    with pytest.raises(UserError, match="a checkpoint that this program wrote"):
        checkpoints.restore(str(run), "y.npz", variables((3,)))


def test_lines_of_a_run_stay_as_they_were(run):
    path = checkpoints.keep_lines(str(run), "labels.txt", ["a", "b\u2028c"])
    assert checkpoints.keep_lines(str(run), "labels.txt", ["a", "b\u2028c"]) == path
    with pytest.raises(UserError, match=r"another labels.txt"):
        checkpoints.keep_lines(str(run), "labels.txt", ["b", "a"])
    assert pathlib.Path(path).read_bytes() == "a\nb\u2028c\n".encode()
