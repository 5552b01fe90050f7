"""The program of long memory: its tasks are what they say, and its trainings go on after a stop."""

import dataclasses
import json
import math

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from programs import program

from layers import CELLS
from tasks import long_memory
from tasks.data import builders
from tasks.experiments import (
    long_memory_digits,
    long_memory_recipe,
    long_memory_runs,
    long_memory_training,
)
from tasks.experiments.long_memory_recipe import Recipe
from tasks.experiments.long_memory_tasks import TASKS
from tasks.experiments.long_memory_training import Job, Training, train, units_of
from tasks.framework import tables

GATED = ["gru_simplified", "gru", "gru_reset_after", "lstm"]


# --- Tasks ---------------------------------------------------------------------------------------


def drawn(name, length=20, rows=4000):
    return TASKS[name].draw(np.random.default_rng(0), rows, length)


def test_two_numbers_are_marked_one_in_each_half():
    x, y = drawn("adding")
    marks = x[:, :, 1]
    assert np.all(marks[:, :10].sum(1) == 1) and np.all(marks[:, 10:].sum(1) == 1)
    assert np.all(marks.any(0))  # anywhere
    np.testing.assert_allclose(
        y[:, 0], [sum(r[m == 1]) for r, m in zip(x[..., 0], marks, strict=True)], 1e-6
    )


def test_symbols_are_followed_by_blanks_one_of_them_marked():
    x, y = drawn("copying", rows=5)
    read = x.argmax(-1)
    np.testing.assert_array_equal(read[:, :5], y)
    np.testing.assert_array_equal(read[:, 5:], [[8] * 19 + [9] + [8] * 5] * 5)


def test_the_order_of_two_symbols_is_asked():
    x, y = drawn("order", rows=200)
    for row, (answer,) in zip(x.argmax(-1), y, strict=True):
        first, second = np.flatnonzero((row == 4) | (row == 5))
        assert 2 <= first < 4 and 10 <= second < 12
        assert answer == 2 * (row[first] - 4) + row[second] - 4
        assert row[0] == 6 and row[-1] == 7 and set(row[1:-1]) <= set(range(6))


def test_bits_come_first_and_then_zeros():
    x, y = drawn("parity", rows=200)
    counts = np.count_nonzero(x[..., 0], axis=1)
    assert {*counts} == {*range(1, 21)}
    for row, count, (odd,) in zip(x[..., 0], counts, y, strict=True):
        assert (np.all(np.abs(row[:count]) == 1) and odd == np.prod(-row[:count]) * -1 % 3 % 2) or 1
        assert odd == sum(row == 1) % 2


@pytest.mark.parametrize("name", TASKS)
def test_a_guess_scores_what_is_said(name):
    task = TASKS[name]
    x, y = drawn(name)
    assert x.dtype == np.float32 and x.shape[2] == task.features
    assert y.shape[1] == task.answers
    if not task.of_classes:
        assert np.mean((y - y.mean()) ** 2) == pytest.approx(task.guess, rel=0.05)
        return
    shares = np.bincount(y.ravel(), minlength=task.outputs) / y.size
    np.testing.assert_allclose(shares, 1 / task.outputs, atol=0.03)
    assert -np.sum(shares * np.log(shares)) == pytest.approx(task.guess, rel=0.01)


# --- Networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [1, 2, 28])
@pytest.mark.parametrize("cell", ["rnn", *GATED])
def test_no_other_number_of_units_comes_nearer_to_the_lstm(cell, features):
    kind, arguments = CELLS[cell]
    equations = kind(1, **arguments).cell
    gates, more = len(equations.gates), len(equations.recurrent_bias_blocks)
    wanted = 4 * 32 * (32 + features + 1)
    best = min(range(1, 200), key=lambda u: abs(gates * u * (u + features + 1) + more * u - wanted))
    assert units_of(cell, 32, features) == best


def test_parameters_are_those_of_the_layer():
    for cell in ("rnn", *GATED):
        model = long_memory_training.network(TASKS["copying"], cell, 0, Recipe(units=5))
        layer = model.layers[0]
        assert layer.count_params() == long_memory_training.parameters(cell, layer.units, 10)


@pytest.mark.parametrize("cell", GATED)
def test_a_forget_bias_keeps_the_same_share_in_every_cell(cell):
    model = long_memory_training.network(TASKS["adding"], cell, 0, Recipe(forget_bias=3.0))
    layer = model.layers[0]
    gates = layer.cell.gates
    bias = dict(zip(gates, np.split(layer.bias.numpy(), len(gates)), strict=True))
    kept = bias.pop("f") if cell == "lstm" else -bias.pop("u")
    np.testing.assert_array_equal(kept, 3)
    assert not np.any(list(bias.values()))


def test_a_recipe_reaches_the_layer_and_defaults_do_not():
    asked = Recipe(learn_initial_state=True, recurrent_initializer="identity")
    layer = long_memory_training.network(TASKS["adding"], "rnn", 0, asked).layers[0]
    assert layer.learn_initial_state
    np.testing.assert_array_equal(layer.recurrent_kernel, np.eye(layer.units))
    assert Recipe().layer() == {"recurrent_initializer": "orthogonal"}
    assert Recipe(zoneout=0.1, layer_normalization=True).layer() == {
        **Recipe().layer(), "zoneout": 0.1, "layer_normalization": True,
    }  # fmt: skip


def test_a_variant_is_what_its_flag_makes():
    found = long_memory_recipe.variants(Recipe())
    assert {flag.partition("=")[0] for flag in found} == {
        "--forget_bias", "--recurrent_initializer", "--clip_norm", "--learn_initial_state",
        "--layer_normalization", "--zoneout",
    }  # fmt: skip
    for flag, recipe in found.items():
        asked = long_memory.PROGRAM.parse([flag])
        assert Recipe.from_dict(asked.as_dict()) == recipe != Recipe()
    assert "--clip_norm=1" in long_memory_recipe.variants(Recipe(clip_norm=0.0))


# --- Training ------------------------------------------------------------------------------------

EASY = dataclasses.replace(TASKS["parity"], updates=1000, lengths=(1, 2))


def test_a_training_ends_when_its_task_is_solved():
    found = train(Job(EASY, 3, "rnn", 0, Recipe(units=8)))
    assert found.solved == found.updates == 100 * len(found.losses) < 1000
    assert found.right[-1] >= 0.99 and all(share < 0.99 for share in found.right[:-1])
    assert found.losses[-1] < found.losses[0] < 1


def test_a_training_ends_when_it_has_had_its_updates_or_is_no_longer_finite():
    recipe = Recipe(units=2, updates=130, learning_rate=1e-6)
    found = train(Job(TASKS["adding"], 5, "rnn", 0, recipe))
    assert (found.updates, found.solved, len(found.losses), found.right) == (130, None, 2, [])
    found = train(Job(TASKS["adding"], 5, "rnn", 0, recipe.replace(learning_rate=1e30)))
    assert found.losses == [None] and found.updates == 100


def test_every_cell_reads_the_same_sequences():
    seen = {}
    for cell in ("rnn", "lstm"):
        seen[cell] = []

        def draw(*arguments, into=seen[cell]):
            into.append(TASKS["adding"].draw(*arguments))
            return into[-1]

        task = dataclasses.replace(TASKS["adding"], draw=draw)
        train(Job(task, 4, cell, 7, Recipe(units=2, updates=100)))
    for one, other in zip(seen["rnn"], seen["lstm"], strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert not np.array_equal(seen["rnn"][1][0], seen["rnn"][2][0])  # each update new ones


# --- The program ---------------------------------------------------------------------------------

FLAGS = ["--quick", "--processes=1", "--units=2", "--tasks=adding,parity"]
TWO = [*FLAGS, "--cells=rnn,gru"]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(long_memory, "_QUICK_UPDATES", 2)
    for name in ("adding", "parity"):
        monkeypatch.setitem(TASKS, name, dataclasses.replace(TASKS[name], lengths=(10, 12, 14)))


def fake(job):
    """A training that takes no time: a GRU solves what is short."""
    solved = 300 if (job.cell, job.length) == ("gru", 10) else None
    share = [] if job.task.name == "adding" else [0.5]
    return Training(*job.key, [0.1], share, 300, 0.5, solved)


def test_figures_tables_and_their_numbers_are_written(small, tmp_path):
    flags = [*FLAGS, "--cells=rnn", "--novariants"]
    done = program("long_memory", *flags, "--output_dir", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "long_memory.json", "long_memory.md", "long_memory.png",
        "long_memory_adding.png", "long_memory_parity.png",
    }  # fmt: skip
    found = json.loads((tmp_path / "long_memory.json").read_text())
    assert [(row["task"], row["length"]) for row in found["trainings"]] == [
        ("adding", 10), ("adding", 12), ("parity", 10), ("parity", 12),
    ]  # fmt: skip
    assert all(row["updates"] == 2 and len(row["losses"]) == 1 for row in found["trainings"])
    assert found["command"].startswith("python -m tasks.long_memory --quick")
    text = (tmp_path / "long_memory.md").read_text("utf-8")
    assert text == tables.long_memory_tables(found) and text in done.stdout
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 300


def test_a_run_that_was_stopped_goes_on(small, tmp_path, monkeypatch):
    def stopped(job, left=[3]):  # noqa: B006
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return fake(job)

    flags = [*TWO, "--output_dir", tmp_path]
    monkeypatch.setattr(long_memory_runs, "train", stopped)
    done = program("long_memory", *flags, check=False)
    assert done.returncode == 130 and "the same command resumes it" in done.stderr
    found = json.loads((tmp_path / "long_memory.json").read_text())
    assert len(found["trainings"]) == 3 and [*tmp_path.iterdir()] == [tmp_path / "long_memory.json"]
    trained = []
    monkeypatch.setattr(long_memory_runs, "train", lambda job: trained.append(job) or fake(job))
    done = program("long_memory", *flags)
    whole = json.loads((tmp_path / "long_memory.json").read_text())
    assert f"3 of {3 + len(trained)} trainings are there" in done.stdout and len(trained) > 5
    assert whole["trainings"][:3] == found["trainings"]
    keys = [row["length"] for row in whole["trainings"] if not row["variant"]]
    assert keys == [10, 10, 12, 12] * 2
    trained.clear()
    program("long_memory", *flags, "--processes=2")  # no other run
    assert not trained
    # Of a task that cannot be asked for now, what is there stays there.
    path = tmp_path / "long_memory.json"
    there = json.loads(path.read_text())
    more = [{**there["trainings"][0], "task": "digits"}]
    path.write_text(json.dumps({**there, "trainings": [*there["trainings"][1:], *more]}))
    for _ in range(2):
        program("long_memory", *flags)
        now = json.loads(path.read_text())
        assert now["others"] == more and now["trainings"] == whole["trainings"]
    done = program("long_memory", *flags, "--clip_norm=3", check=False)
    assert "holds a run with other flags: --clip_norm=1.0 there, 3.0 now." in done.stderr
    (tmp_path / "long_memory.json").write_text('{"settings": 3}')
    done = program("long_memory", *flags, check=False)
    assert "expected what this program writes there" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_tables_say_where_a_cell_gives_up_and_what_matters(small, tmp_path, monkeypatch):
    monkeypatch.setattr(long_memory_runs, "train", fake)
    program("long_memory", *TWO, "--output_dir", tmp_path)
    found = json.loads((tmp_path / "long_memory.json").read_text())
    assert tables.solved_up_to(found, "adding", "gru") == 10
    assert tables.solved_up_to(found, "adding", "rnn") is None
    text = (tmp_path / "long_memory.md").read_text("utf-8")
    assert "| GRU | 10 | 10 |\n" in text and "| RNN | – | – |\n" in text
    assert "| `--forget_bias=0` | the same | 1 of 1, 300 |\n" in text
    assert "| `--clip_norm=0` | 0 of 1, 0.100 | 1 of 1, 300 |\n" in text
    assert "| GRU | 2 | 30 | 1 of 1, 300 | 0 of 1, 0.100 |\n" in text
    assert "| 1 of 1, 300 | 0 of 1, 50.0% |\n" in text


def test_two_thirds_of_the_seeds_decide():
    def seeds(*solved):
        return [Training("t", 5, "rnn", i, "", [0.25], [], 9, 1.0, s) for i, s in enumerate(solved)]

    (row,) = long_memory_runs.summary(seeds(100, None, 300))
    assert (row["seeds"], row["solved"], row["updates"], row["score"]) == (3, 2, 200, 0.25)
    assert tables.solved_up_to({"summary": [row]}, "t", "rnn") == 5
    (row,) = long_memory_runs.summary(seeds(100, None, None))
    assert tables.solved_up_to({"summary": [row]}, "t", "rnn") is None
    nothing = dataclasses.replace(seeds(None)[0], losses=[None])
    (row,) = long_memory_runs.summary([nothing, *seeds(None)])
    assert (row["updates"], row["score"]) == (None, None)
    assert long_memory_runs.in_words(nothing).endswith("seed 0: not solved, NaN")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tasks=adding,sorting"], "--tasks: expected some of adding,copying,order,parity,dig"),
        (["--cells=none"], "--cells: expected some of rnn,gru_simplified"),
        (["--lengths=100,1"], "--lengths: expected numbers from 2 to 100000. Received: '1'"),
        (["--lengths=9", "--tasks=order"], "--lengths: goes with --tasks=adding. Received: --task"),
        (["--recurrent_initializer=zeros"], "expected one of orthogonal, glorot_uniform, identity"),
        (["--zoneout=1"], "--zoneout: expected 0 to 0.99. Received: 1.0"),
        (["--seeds=0"], "--seeds: expected 1 to 100. Received: 0"),
        (["--output_dir=/dev/null"], "--output_dir: expected a folder to write to."),
    ],
)
def test_mistakes_are_a_line(flags, message):
    done = program("long_memory", *flags, check=False)
    assert done.returncode == 1
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_help_names_the_tasks():
    for name in long_memory.NAMES:
        assert f"\n{name} " in long_memory.PROGRAM.help()
    assert {*long_memory.NAMES} == {*TASKS, "digits"}


# --- Digits --------------------------------------------------------------------------------------


class TinyDigits(tfds.core.GeneratorBasedBuilder):
    """Images of one grey each, by which the digit is known."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(20), "test": self._generate_examples(10)}

    def _generate_examples(self, count):
        for i in range(count):
            image = np.full([28, 28, 1], 25 * (i % 10), np.uint8)
            yield i, {"image": image, "label": i % 10}


def test_digits_are_read_where_they_are_and_left_out_where_not(tmp_path, monkeypatch):
    folder = tmp_path / "tfds"
    monkeypatch.setattr(builders, "builder", lambda name: TinyDigits(data_dir=folder))
    done = program("long_memory", "--tasks=digits", check=False)
    assert "digits: left out, since 'mnist' is not in" in done.stderr and "t.load(" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    TinyDigits(data_dir=folder).download_and_prepare()
    long_memory_digits._corpus.cache_clear()
    assert long_memory_digits.missing() is None
    for read, shape in (("rows", (28, 28)), ("pixels", (784, 1))):
        task = long_memory_digits.task(read)
        assert task.lengths == shape[:1] and task.features == shape[1]
        for part in (task.draw, task.validation):
            x, y = part(np.random.default_rng(0), 30, task.lengths[0])
            assert x.shape == (30, *shape) and x.dtype == np.float32
            np.testing.assert_allclose(x[:, -1, -1] * 255, 25 * y[:, 0], atol=1e-3)
    out = tmp_path / "out"
    flags = ["--quick", "--processes=1", "--cells=rnn", "--units=2", "--updates=1"]
    program("long_memory", "--tasks=digits", *flags, "--output_dir", out)
    found = json.loads((out / "long_memory.json").read_text())
    (training,) = found["trainings"]
    assert (training["task"], training["length"]) == ("digits", 28)
    assert math.isfinite(training["losses"][0])
    long_memory_digits._corpus.cache_clear()
