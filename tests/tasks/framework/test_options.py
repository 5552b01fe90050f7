"""Flags follow from the fields of configurations, and are those that they were before."""

import dataclasses
import json
import subprocess
import sys

import pytest
from programs import ROOT, environment

from tasks import benchmark_models, lm, ner, pos, sentiment
from tasks.data.errors import UserError
from tasks.framework.configuration import DataConfig, RunConfig, TaskConfig, TrainingConfig
from tasks.framework.options import Options
from zoo.catalog.entries import PRESETS
from zoo.configuration import RecurrentConfig, option, options

PROGRAMS = {program.PROGRAM.name: program.PROGRAM for program in (ner, pos, sentiment, lm)}

# The flags of version 0.1.0 and their defaults. Two are gone, which did nothing: --text_column of
# taggers, and --embeddings_file of language models, which was always an error.
COMMON = {
    "data": "demo", "train_file": None, "valid_file": None, "test_file": None,
    "cell": "lstm", "depth": 1, "recurrent_dropout": 0.0, "jit": True,
    "batch_size": 32, "optimizer": "adam", "learning_rate": 0.002, "decay": 0.05,
    "schedule": "inverse", "average": 0.0, "clip_norm": 5.0, "seed": 0,
    "mixed_precision": "float32",
    "mode": "train", "preset": None, "model_dir": None, "export_dir": None, "weights": "float32",
    "model": None, "text": [], "input_file": None, "output_file": None,
}  # fmt: skip
TAGGING = {
    "bidirectional": True, "units": 128, "embedding_dim": 100, "dropout": 0.5, "word_dropout": 0.1,
    "character_dim": 32, "crf": True, "vocab_size": 30_000, "min_count": 2, "max_length": 100,
    "epochs": 20, "patience": 8, "embeddings_file": None,
}  # fmt: skip
CLASSIFICATION = {
    "bidirectional": True, "units": 64, "embedding_dim": 100, "dropout": 0.5, "word_dropout": 0.1,
    "pooling": "attention", "inputs": "embedding", "standard": "bag", "vocab_size": 30_000,
    "min_count": 2, "max_length": 400, "keep": "both", "text_column": None, "label_column": None,
    "epochs": 8, "patience": 3, "pretrain": False, "pretrain_epochs": 5, "permutations": 32,
    "embeddings_file": None,
}  # fmt: skip
LANGUAGE = {
    "bidirectional": False, "units": 256, "embedding_dim": 128, "dropout": 0.2, "word_dropout": 0.0,
    "tied": True, "weight_dropout": 0.0, "sampled_softmax": 0, "vocab_size": 10_000, "min_count": 1,
    "max_length": 100, "tokens": "words", "running": False, "window": 100, "text_column": None,
    "epochs": 8, "patience": 3, "dynamic_evaluation": 0.0, "prompt": [], "temperature": 1.0,
    "top_k": 0, "top_p": 1.0, "num_samples": 1, "allow_unk": False,
}  # fmt: skip
BEFORE = {
    "ner": COMMON | TAGGING,
    "pos": COMMON | TAGGING,
    "sentiment": COMMON | CLASSIFICATION,
    "lm": COMMON | LANGUAGE,
}


def flags_of(program, *arguments):
    """The values of all flags, by name."""
    config, run = program.parse(arguments)
    return config.as_dict() | {name: run.as_dict()[name] for name in options(type(run))}


@pytest.mark.parametrize("task", PROGRAMS)
def test_every_flag_is_there_with_the_default_it_had(task):
    found = flags_of(PROGRAMS[task])
    assert {name: found.get(name, "no such flag") for name in BEFORE[task]} == BEFORE[task]
    shown = PROGRAMS[task].help()
    for name, default in BEFORE[task].items():
        assert f"\n  --{'[no]' if isinstance(default, bool) else ''}{name}: " in shown


def test_the_benchmark_takes_the_flags_of_a_task_and_its_own(capsys):
    assert benchmark_models.main(["--task=lm", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("task", "batches", "turns", "output_file", "sampled_softmax", "window"):
        assert f"\n  --{name}: " in shown
    assert "--character_dim" not in shown
    assert "\nPresets: " in shown and "Modes: " not in shown and "--input_file" not in shown


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task in PROGRAMS for name in PRESETS[task]]
)
def test_presets_win_over_defaults_and_flags_over_presets(task, name):
    preset = PRESETS[task][name]
    found = flags_of(PROGRAMS[task], f"--preset={name}")
    assert {flag: found[flag] for flag in preset} == preset
    rest = {flag: v for flag, v in found.items() if flag not in {*preset, "preset"}}
    assert rest == {flag: v for flag, v in flags_of(PROGRAMS[task]).items() if flag in rest}
    found = flags_of(PROGRAMS[task], "--units=7", f"--preset={name}", "--seed=3", "--data=demo")
    assert (found["units"], found["seed"], found["data"]) == (7, 3, "demo")


@dataclasses.dataclass(frozen=True)
class Toy(RecurrentConfig):
    """A model with options of every type."""

    names: tuple[str, ...] = option((), "Names; may be repeated.")
    share: float = option(0.5, "A share.", at_least=0, at_most=1)
    where: str | None = option(None, "A place.")
    kind: str = option("a", "Which kind.", choices=("a", "b"))
    on: bool = option(True, "Whether.")
    derived: int = 3


@dataclasses.dataclass(frozen=True)
class ToyTask(TaskConfig):
    """A recipe with them."""

    model: Toy = dataclasses.field(default_factory=Toy)


TOY = Options(ToyTask, RunConfig)


def toy(*arguments, presets=None):
    return TOY.parse(arguments, presets)[0].model


def test_values_have_the_types_of_their_fields():
    model = toy("--names=x", "--names=y,z", "--share=1", "--where=", "--kind=b", "--noon")
    assert (model.names, model.share, model.where) == (("x", "y,z"), 1.0, "")
    assert (model.kind, model.on, model.derived) == ("b", False, 3)
    assert isinstance(model.share, float)
    assert toy("--on=false", "-units=9", "--seed", "4").on is False
    assert toy("--share=0.25", presets=None).share == 0.25
    assert toy("--preset=p", presets={"p": {"names": ["u"], "share": 0}}).names == ("u",)


def test_the_help_says_default_bounds_and_choices():
    shown = TOY.help()
    assert "--share: A share.\n    (default: '0.5')\n    (a number in the range [0, 1])" in shown
    assert "--kind: <a|b>: Which kind.\n    (default: 'a')" in shown
    assert "--[no]on: Whether.\n    (default: 'true')" in shown
    assert "--derived" not in shown
    places = [shown.index(f"\n{title}:") for title in ("toy", "data", "training", "run")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--units=a"], "--units: expected an integer. Received: 'a'"),
        (["--units=1.5"], "--units: expected an integer. Received: '1.5'"),
        (["--units=0"], "--units: expected 1 or more. Received: 0"),
        (["--share=x"], "--share: expected a number. Received: 'x'"),
        (["--share=nan"], "--share: expected a number. Received: nan"),
        (["--share=2"], "--share: expected 0 to 1. Received: 2.0"),
        (["--kind=c"], "--kind: expected one of a, b. Received: 'c'"),
        (["--on=perhaps"], "--on: expected true or false. Received: 'perhaps'"),
        (["--unit=3"], "Unknown command line flag 'unit'. Did you mean: units ?"),
        (["--derived=3"], "Unknown command line flag 'derived'"),
        (["--units"], "Missing value for flag --units"),
        (["a", "b"], "unexpected arguments: a b"),
        (["--preset=q"], "--preset: expected one of ['p']. Received: 'q'"),
        (["--preset=p"], "preset 'p': expected names of flags. Received: ['unit']"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, message):
    with pytest.raises(UserError) as error:
        TOY.parse(arguments, {"p": {"unit": 3}})
    assert str(error.value) == message


def test_a_wrong_value_of_a_preset_is_an_error_too():
    with pytest.raises(UserError, match="--units: expected an integer"):
        toy("--preset=p", presets={"p": {"units": "many"}})


def test_programs_do_not_share_what_was_parsed():
    assert toy("--units=9").units == 9
    assert toy().units == 128
    config, _ = ner.PROGRAM.parse(["--units=9"])
    assert pos.PROGRAM.parse([])[0].model.units == 128
    assert config.model.units == 9


def test_no_name_is_that_of_two_options():
    for program in PROGRAMS.values():
        kinds = [*program.config.parts().values(), program.run]
        names = [name for kind in kinds for name in options(kind)]
        assert len(names) == len(set(names))


def test_recipes_are_flat_and_back():
    config = ToyTask.of(units=5, names=["x"], epochs=2, data="files", train_file="a b")
    assert config.as_dict()["names"] == ["x"]
    assert ToyTask.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert ToyTask.from_dict({"units": 5, "of another version": 1}).model.units == 5
    assert config.replace(units=6).as_dict() == config.as_dict() | {"units": 6}
    assert "jit" not in config.as_dict(recipe_only=True)
    assert "test_file" not in config.as_dict(recipe_only=True)
    with pytest.raises(ValueError, match=r"expected some of .*Received: \['unit'\]"):
        ToyTask.of(unit=3)
    assert ToyTask.parts() == {"data": DataConfig, "model": Toy, "training": TrainingConfig}


@pytest.mark.parametrize(
    "task", [*PROGRAMS, "benchmark_models", "benchmark", "results"]
)  # fmt: skip
def test_help_needs_no_tensorflow(task):
    """In a process that cannot import it."""
    script = (
        "import runpy, sys\n"
        "class Refused:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('tensorflow', 'keras'):\n"
        "            raise ImportError(f'{name}: not in this process')\n"
        "sys.meta_path.insert(0, Refused())\n"
        f"sys.argv = ['{task}', '--help']\n"
        f"runpy.run_module('tasks.{task}', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert run.stderr == ""
    assert f"python -m tasks.{task}" in run.stdout


def test_help_shows_models_flags_before_those_of_training():
    run = PROGRAMS["ner"].help()
    assert run.index("--word_dropout") < run.index("--learning_rate")
