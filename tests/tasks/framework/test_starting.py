"""`--init_from`: training starts from a trained model, with its vocabulary and new labels."""

import re
import shutil

import numpy as np
import pytest
from programs import program

import zoo
from tasks import ner
from tasks.classification import ClassificationConfig
from tasks.data.errors import UserError
from tasks.framework import starting, train
from tasks.tagging import NamedEntities, TaggingConfig
from tasks.translation import TranslationConfig
from zoo.catalog.sources import Source, source
from zoo.configuration import ClassifierConfig, EncoderDecoderConfig, TaggerConfig
from zoo.models import Classifier, Tagger

SMALL = {"units": 4, "embedding_dim": 4, "character_dim": 4, "epochs": 1, "jit": False}
SMALL["cell"] = "rnn"
SENTENCES = "Anna\tB-PER\nmet\tO\nRome\tB-LOC\n\n" * 20
OTHERS = "Anna\tB-PER\nsings\tO\nAida\tB-WORK\n\n" * 20


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run, and its model saved with 16 bits."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "a.conll").write_text(SENTENCES)
    config = TaggingConfig.of(data="files", train_file=str(folder / "a.conll"), **SMALL)
    trained = train(NamedEntities(), config, str(folder / "run"))
    trained.export(str(folder / "saved"), weights="float16")
    return folder, trained


def weights_of(model):
    return [value.numpy() for value in model.trainable_variables]


@pytest.mark.parametrize(("name", "tolerance"), [("run", 0), ("saved", 1e-3)])
def test_a_keras_model_of_a_run_or_savedmodel_is_the_trained_one(first, name, tolerance):
    folder, trained = first
    model = zoo.keras_model(folder / name)
    assert model.config == trained.model.config
    for mine, theirs in zip(weights_of(model), weights_of(trained.model), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance)


def test_training_goes_on_from_weights_and_vocabulary_with_new_tags(first, tmp_path):
    folder, trained = first
    (tmp_path / "b.conll").write_text(OTHERS)
    config = TaggingConfig.of(
        data="files", train_file=str(tmp_path / "b.conll"), init_from=str(folder / "run"), epochs=1,
        learning_rate=0.0,
    )  # fmt: skip
    second = train(NamedEntities(), config, str(tmp_path / "run"))
    assert second.model.config.units == 4
    assert second.model.config.tags == ("O", "B-PER", "B-WORK")
    assert second.model.config.vocabulary_size == trained.model.config.vocabulary_size
    before, after = trained.model.scores.kernel.numpy(), second.model.scores.kernel.numpy()
    tags = trained.model.config.tags
    for i, tag in enumerate(second.model.config.tags):
        same = tag in tags and np.array_equal(after[:, i], before[:, tags.index(tag)])
        assert same == (tag in tags)
    for mine, theirs in zip(
        second.model.stack.get_weights(), trained.model.stack.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_flag_takes_a_name_of_the_zoo(tmp_path):
    (tmp_path / "b.conll").write_text(OTHERS)
    flags = ["--data=files", f"--train_file={tmp_path / 'b.conll'}", "--init_from=ner_demo"]
    config, _ = ner.PROGRAM.parse([*flags, "--epochs=1", "--nojit"])
    results = train(NamedEntities(), config, str(tmp_path / "m")).results
    assert results.model["units"] == source("ner_demo").config.units
    assert results.config["init_from"] == "ner_demo"
    assert results.model["tags"] == ["O", "B-PER", "B-WORK"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--init_from=ner_deno"], r"--init_from: .*such as \['ner_demo'"),
        (["--init_from=sentiment_demo"], "expected a model of tasks.ner or tasks.pos"),
        (["--init_from=ner_demo", "--units=7"], "--units=128 there, 7 now"),
        (["--init_from=ner_demo", "--cell=gru", "--nocrf"], "--cell='lstm' there, 'gru' now"),
    ],
)
def test_what_cannot_be_started_from_is_one_line(flags, message):
    run = program("ner", *flags, check=False)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1

    assert re.search(message, run.stderr)


def test_a_run_that_is_not_finished_says_so(tmp_path):
    (tmp_path / "best.npz").touch()
    run = program("ner", f"--init_from={tmp_path}", check=False)
    assert "--init_from: " in run.stderr and "expected a run that is finished" in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("damage", ["best.npz", "vocabulary.txt", "saved_model.pb", "weights"])
def test_a_damaged_model_to_start_from_is_one_line(first, tmp_path, damage):
    folder, _ = first
    of_run = damage in ("best.npz", "vocabulary.txt")
    copy = shutil.copytree(folder / ("run" if of_run else "saved/1"), tmp_path / "1")
    if damage == "vocabulary.txt":
        (copy / damage).unlink()
    for path in copy.rglob("*.float16" if damage == "weights" else damage):
        path.write_bytes(path.read_bytes()[:-40])
    (tmp_path / "b.conll").write_text(OTHERS)
    flags = ["--data=files", f"--train_file={tmp_path / 'b.conll'}", f"--init_from={copy}"]
    run = program("ner", *flags, check=False)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert "--init_from" in run.stderr


def test_how_text_is_read_is_the_models_and_how_it_is_trained_is_the_runs(tmp_path, monkeypatch):
    of_words = EncoderDecoderConfig(units=8, label_smoothing=0.2, dropout=0.1)
    found = Source(tmp_path, "translate", of_words, {"subwords": 0, "epochs": 9})
    monkeypatch.setattr(starting, "source", lambda _: found)
    config = TranslationConfig.of(label_smoothing=0.0, init_from="trained")
    shaped = starting.shaped(config, given=("label_smoothing",))
    assert (shaped.data.subwords, shaped.model.units) == (0, 8)
    assert (shaped.model.label_smoothing, shaped.model.dropout) == (0.0, config.model.dropout)
    assert shaped.training.epochs == config.training.epochs
    with pytest.raises(UserError, match=r"--subwords=0 there, 8000 now"):
        starting.shaped(config, given=("subwords",))


def test_a_recipe_that_does_not_go_with_the_shape_is_one_line(tmp_path, monkeypatch):
    found = Source(tmp_path, "sentiment", ClassifierConfig(inputs="one_hot"), {})
    monkeypatch.setattr(starting, "source", lambda _: found)
    config = ClassificationConfig.of(adversarial=0.02, init_from="trained")
    with pytest.raises(UserError, match=r"^--adversarial: expected 0 where words are one-hot"):
        starting.shaped(config, given=("adversarial",))


def test_words_are_those_of_the_model_and_not_counted():
    recipe = TranslationConfig.of(min_count=7, init_from="trained")
    assert recipe.without_effect() == {"min_count": "with --init_from, whose words it knows"}
    assert TranslationConfig.of(min_count=7).without_effect() == {}


def test_from_python_another_kind_of_model_is_refused():
    config = TaggingConfig.of(init_from="lm_demo")
    with pytest.raises(UserError, match=r"expected a model of tasks\.ner or tasks\.pos"):
        train(NamedEntities(), config)


def test_models_of_other_shapes_are_refused_and_nothing_changes():
    sizes = {"vocabulary_size": 9, "units": 3, "embedding_dim": 2}
    models = [
        Classifier(ClassifierConfig(labels=("a", "b"), **{**sizes, **change}))
        for change in ({}, {"units": 4})
    ]
    for model in models:
        model.build()
    before = weights_of(models[0])
    with pytest.raises(ValueError, match="expected weights of the shapes"):
        models[0].start_from(models[1])
    for mine, kept in zip(weights_of(models[0]), before, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_transitions_of_known_tags_are_taken_over_by_their_names():
    sizes = {"vocabulary_size": 9, "units": 3, "embedding_dim": 2, "character_dim": 2}
    old = Tagger(TaggerConfig(tags=("O", "B-X", "B-Y"), **sizes))
    new = Tagger(TaggerConfig(tags=("O", "B-Z", "B-X"), **sizes))
    old.build()
    new.build()
    old.crf.transitions.assign(np.arange(9.0).reshape(3, 3))
    new.start_from(old)
    expected = [[0.0, 0, 1], [0, 0, 0], [3, 0, 4]]
    np.testing.assert_array_equal(new.crf.transitions.numpy(), expected)
