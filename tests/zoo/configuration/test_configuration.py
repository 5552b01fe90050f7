"""Configurations check what they are given, and come back from JSON, also from other versions."""

import dataclasses
import json
import subprocess
import sys
import typing

import hypothesis
import pytest
from hypothesis import strategies
from programs import ROOT

import layers
from tasks.classification.configuration import ClassificationConfig, ClassificationRun
from tasks.framework.configuration import DataConfig, RunConfig, TrainingConfig
from tasks.language.configuration import LanguageConfig, LanguageData, LanguageRun
from tasks.tagging.configuration import TaggingConfig
from zoo.configuration import (
    CELLS,
    MODELS,
    ClassifierConfig,
    Configuration,
    EncoderDecoderConfig,
    LanguageModelConfig,
    RecurrentConfig,
    TaggerConfig,
    WordPredictorConfig,
    changed,
    option,
    options,
)
from zoo.configuration.base import hints
from zoo.text import tokens

ALL = [
    RecurrentConfig, TaggerConfig, ClassifierConfig, LanguageModelConfig, WordPredictorConfig,
    EncoderDecoderConfig,
    DataConfig, TrainingConfig, RunConfig, ClassificationRun, LanguageRun,
    *[kind for task in (TaggingConfig, ClassificationConfig, LanguageConfig)
      for kind in (task.parts()["data"], task.parts()["training"])],
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Toy(Configuration):
    """Fields of every type."""

    count: int = option(3, "A number.", at_least=1, at_most=9)
    share: float = option(0.5, "A share.", at_least=0)
    on: bool = option(True, "Whether.")
    kind: str = option("a", "Which.", choices=("a", "b"))
    where: str | None = option(None, "Where.")
    names: tuple[str, ...] = option((), "Names.", recipe=False)
    derived: int = 0


# --- What is said twice, says the same -----------------------------------------------------------


def test_choices_are_what_the_code_behind_them_knows():
    """Configurations need no TensorFlow, so they cannot ask."""
    assert ("none", *layers.CELLS) == CELLS
    assert ("last", *layers.POOLINGS) == choices(ClassifierConfig, "pooling")
    assert set(choices(LanguageData, "tokens")) == set(tokens.KINDS)


def choices(kind, name):
    return options(kind)[name][1].choices


def test_they_need_no_tensorflow():
    script = (
        "import sys; import zoo.configuration, tasks.language.configuration\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.parametrize("kind", ALL)
def test_every_option_says_what_it_means_and_has_a_default_within_its_bounds(kind):
    kind()
    for name, (field, said) in options(kind).items():
        assert said.help[0].isupper() or said.help.startswith(("<", "demo", "train")), name
        assert said.help.endswith("."), name
        assert field.default is not dataclasses.MISSING
        if said.choices:
            assert field.default in said.choices


# --- Checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": "3"}, "count: expected an integer. Received: '3'"),
        ({"count": 3.0}, "count: expected an integer. Received: 3.0"),
        ({"count": True}, "count: expected an integer. Received: True"),
        ({"count": None}, "count: expected an integer. Received: None"),
        ({"count": 0}, "count: expected 1 to 9. Received: 0"),
        ({"count": 10}, "count: expected 1 to 9. Received: 10"),
        ({"share": -0.1}, "share: expected 0 or more. Received: -0.1"),
        ({"share": float("nan")}, "share: expected a number. Received: nan"),
        ({"share": "x"}, "share: expected a number. Received: 'x'"),
        ({"share": False}, "share: expected a number. Received: False"),
        ({"on": 1}, "on: expected True or False. Received: 1"),
        ({"kind": "c"}, "kind: expected one of a, b. Received: 'c'"),
        ({"where": 3}, "where: expected a text or None. Received: 3"),
        ({"names": "ab"}, "names: expected a list of str. Received: 'ab'"),
        ({"names": ["a", 3]}, "names: expected a list of str. Received: ('a', 3)"),
    ],
)
def test_what_a_field_does_not_take_is_named(values, message):
    with pytest.raises(ValueError) as error:
        Toy(**values)
    assert str(error.value) == message
    with pytest.raises(ValueError):
        Toy().replace(**values)
    with pytest.raises(ValueError):
        Toy.from_dict(values)


def test_values_become_those_of_their_type():
    toy = Toy(share=2, names=["a", "b"], where="here")
    assert (toy.share, toy.names, toy.where) == (2.0, ("a", "b"), "here")
    assert isinstance(toy.share, float)
    assert hash(toy) == hash(toy.replace(share=2.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy.count = 4


def test_an_option_of_a_base_has_another_default_and_is_otherwise_the_same():
    @dataclasses.dataclass(frozen=True)
    class Other(Toy):
        count: int = changed(Toy, "count", 5)

    assert (Other().count, Other(count=2).count) == (5, 2)
    assert options(Other)["count"][1] == options(Toy)["count"][1]
    assert list(options(Other)) == list(options(Toy))
    assert "derived" not in options(Toy)


def test_unknown_fields_are_refused_by_replace():
    with pytest.raises(ValueError, match=r"expected fields of Toy, .*Received: \['counts'\]"):
        Toy().replace(counts=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bidirectional": True}, "bidirectional: a language model reads forward only"),
        ({"cell": "none"}, "cell: expected a recurrent layer"),
    ],
)
def test_a_language_model_reads_forward_and_is_recurrent(values, message):
    with pytest.raises(ValueError, match=message):
        LanguageModelConfig(**values)


def test_the_likeliest_tokens_have_some_probability():
    with pytest.raises(ValueError, match="top_p: expected a probability above 0"):
        LanguageRun(top_p=0)


# --- There and back ------------------------------------------------------------------------------


def values_of(kind):
    """Strategies for the options of a configuration, by name."""
    found = {}
    for name, (_, said) in options(kind).items():
        expected, low, high = hints(kind)[name], said.at_least, said.at_most
        if said.choices:
            found[name] = strategies.sampled_from(said.choices)
        elif expected is int:
            found[name] = strategies.integers(low, high)
        elif expected is float:
            found[name] = strategies.floats(low, high, allow_nan=False, allow_infinity=False)
        elif expected is bool:
            found[name] = strategies.booleans()
        elif typing.get_origin(expected) is tuple:
            found[name] = strategies.lists(strategies.text()).map(tuple)
        elif expected is str:
            found[name] = strategies.text()
        elif int in typing.get_args(expected):
            found[name] = strategies.none() | strategies.integers(low, high)
        else:
            found[name] = strategies.none() | strategies.text()
    if kind is LanguageModelConfig:
        found |= {"bidirectional": strategies.just(False), "cell": strategies.just("gru")}
    if kind is ClassifierConfig:
        found["adversarial"] = strategies.just(0.0)
    if kind is EncoderDecoderConfig:
        found |= {"input_feeding": strategies.just(False), "cell": strategies.just("gru")}
    if kind is LanguageRun:
        found["top_p"] = strategies.floats(0.01, 1)
    return found


@pytest.mark.parametrize("kind", [*ALL, Toy])
@hypothesis.given(data=strategies.data())
def test_every_configuration_comes_back_from_json(kind, data):
    made = kind(**data.draw(strategies.fixed_dictionaries({}, optional=values_of(kind))))
    plain = json.loads(json.dumps(made.as_dict()))
    assert kind.from_dict(plain) == made
    assert kind.from_dict(plain | {"of a later version": [1]}) == made


@pytest.mark.parametrize("kind", [*ALL, Toy])
def test_a_record_without_a_field_reads_its_default(kind):
    for field in dataclasses.fields(kind):
        rest = {name: v for name, v in kind().as_dict().items() if name != field.name}
        assert kind.from_dict(rest) == kind()
    assert kind.from_dict({}) == kind()


def test_every_task_has_a_configuration_of_its_models():
    assert {name: kind.__name__ for name, kind in MODELS.items()} == {
        "ner": "TaggerConfig", "pos": "TaggerConfig", "sentiment": "ClassifierConfig",
        "lm": "LanguageModelConfig", "translate": "EncoderDecoderConfig",
        "music": "MusicConfig",
    }  # fmt: skip
    assert RecurrentConfig().layer_jit == "auto"
    assert RecurrentConfig(jit=False).layer_jit is False
