"""Training from Python, without flags: what a notebook does."""

import json
import shlex

import numpy as np
import pytest
import tensorflow as tf
from programs import program

import zoo
from tasks import lm, ner, pos, sentiment
from tasks.classification import ClassificationConfig, Sentiment
from tasks.data.errors import DataError, UserError
from tasks.framework import fitting, train
from tasks.framework.configuration import TaskConfig
from tasks.framework.evaluating import predicted_answers
from tasks.framework.training import command_of, fingerprint, restore
from tasks.language import Language, LanguageConfig
from tasks.tagging import NamedEntities, PartsOfSpeech, TaggingConfig
from zoo.catalog import building
from zoo.catalog.results import RunResults
from zoo.models import Tagger
from zoo.predictions import ScoredTokens
from zoo.text.tags import Sentence

PROGRAMS = {"ner": ner, "pos": pos, "sentiment": sentiment, "lm": lm}
SMALL = {"units": 4, "embedding_dim": 4, "epochs": 1, "batch_size": 8, "min_count": 1, "jit": False}
SMALL["cell"] = "rnn"


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def conll(path, name="Anna"):
    rows = f"{name}\tB-PER\nlives\tO\n\nin\tO\nRome\tB-LOC\n\n"
    return write(path, rows * 8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tagger in five lines, on files whose path has a blank and a quote."""
    folder = tmp_path_factory.mktemp("it's here")
    data = conll(folder / "a b.conll")
    config = TaggingConfig.of(
        data="files", train_file=data, valid_file=data, character_dim=2, **SMALL
    )
    trained = train(NamedEntities(), config, str(folder / "model"))
    return {"folder": folder, "config": config, "trained": trained}


# --- What it gives -------------------------------------------------------------------------------


def test_a_trained_model_answers_texts_and_is_exported_and_loaded(trained, tmp_path):
    model = trained["trained"]
    assert isinstance(model.model, Tagger)
    answer = model("Anna lives in Rome")
    assert answer["tokens"][0].tolist() == ["Anna", "lives", "in", "Rome"]
    assert set(answer["tags"].ravel()) <= {"O", "B-PER", "B-LOC"}
    texts = ["Anna", b"Rome is old", ""]
    version = model.export(str(tmp_path))
    assert version == str(tmp_path / "1")
    loaded = zoo.load(version)
    expected = model(tf.constant(texts))
    for name, values in loaded(texts).items():
        if values.dtype == object:
            assert values.tolist() == expected[name].tolist()
        else:
            np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_results_are_a_record_of_schema_2(trained):
    path = trained["folder"] / "model" / "results.json"
    found = json.loads(path.read_text())
    assert found["schema"] == 2
    assert found["versions"].keys() == {"ours", "keras", "tensorflow"}
    assert found["versions"]["ours"] == zoo.__version__
    assert found["model"] == trained["trained"].model.config.as_dict()
    assert found["model"]["tags"] == ["O", "B-LOC", "B-PER"]
    assert found["config"]["train_file"] == trained["config"].data.train_file
    assert "jit" not in found["config"]
    assert "test" not in found
    assert RunResults.read(path) == trained["trained"].results
    corpus = trained["trained"].trainer.corpus
    assert found["data_fingerprint"] == fingerprint(corpus)


def test_a_fingerprint_changes_with_any_example_split_or_order():
    corpus = {"train": [Sentence(("a",), ("O",)), Sentence(("b",), ("O",))], "test": []}
    other = [
        {"train": corpus["train"][::-1], "test": []},
        {"train": corpus["train"][:1], "test": corpus["train"][1:]},
        {"train": [Sentence(("a",), ("O",)), Sentence(("b",), ("X",))], "test": []},
        {"train": corpus["train"]},
        {"train": ["a", "b"], "test": []},
        {"train": ["ab"], "test": []},
    ]
    found = [fingerprint(one) for one in (corpus, *other)]
    assert len(set(found)) == len(found)
    assert fingerprint(dict(reversed(corpus.items()))) == found[0]


# --- Commands ------------------------------------------------------------------------------------


def test_the_command_of_a_run_does_the_same(trained):
    command = trained["trained"].results.command
    program_, *flags = shlex.split(command)[2:]
    assert program_ == "tasks.ner"
    assert ner.PROGRAM.parse(flags)[0] == trained["config"]


@pytest.mark.parametrize(
    ("task", "config"),
    [
        (NamedEntities(), TaggingConfig()),
        (
            PartsOfSpeech(),
            TaggingConfig.of(crf=False, data="files", train_file='a b/it\'s "it".conll', units=7),
        ),
        (Sentiment(), ClassificationConfig.of(text_column="--x=y z", pretrain=True, dropout=0)),
        (Language(), LanguageConfig.of(running=True, tied=False, tokens="split", average=0.999)),
    ],
)
def test_a_command_is_read_back_as_the_recipe_that_it_is_made_of(task, config):
    python, m, module, *flags = shlex.split(command_of(task, config))
    assert (python, m, module) == ("python", "-m", f"tasks.{task.name}")
    assert PROGRAMS[task.name].PROGRAM.parse(flags)[0] == config


def test_a_programs_own_command_is_quoted(trained):
    _, run = ner.PROGRAM.parse(["--train_file=a b's.conll", "--mode=train"])
    assert run.command == """python -m tasks.ner '--train_file=a b'"'"'s.conll' --mode=train"""
    assert shlex.split(run.command)[3] == "--train_file=a b's.conll"


# --- Mixed precision -----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_for_training_alone(policy, tmp_path):
    """What it gives is measured, answers and is saved in float32, with the weights of the run."""
    text = write(tmp_path / "t", "a\n" * 30)
    files = {"data": "files", "train_file": text, "valid_file": text, "running": True}
    training = {**SMALL, "cell": "lstm", "mixed_precision": policy, "average": 0.9}
    config = LanguageConfig.of(**files, **training)
    with fitting.precision(policy):  # a notebook's own policy says nothing of what is saved
        trained = train(Language(), config, str(tmp_path / "m"))
    assert trained.model.compute_dtype == "float32"
    (states,) = {tuple(state.dtype.name for state in trained.model.zero_states(1))}
    assert states == ("float32", "float32")
    with np.load(tmp_path / "m" / "best.npz") as best:
        kept = [best[name] for name in best.files]
    for weight in trained.model.trainable_variables:
        assert any(np.array_equal(weight.numpy(), other) for other in kept)
    nats = trained.results.validation["nats_per_token"]
    answer = trained("\n".join(["a"] * 30))
    assert -answer["log_probability"] / answer["token_count"] == pytest.approx(nats, rel=1e-3)
    _, again = restore(Language(), config, str(tmp_path / "m"))
    assert again.compute_dtype == "float32"
    for one, other in zip(again.parameters, trained.model.parameters, strict=True):
        np.testing.assert_array_equal(one, other)


# --- Resuming ------------------------------------------------------------------------------------


def test_a_finished_run_is_not_trained_again(trained, capsys):
    again = train(NamedEntities(), trained["config"], str(trained["folder"] / "model"))
    assert "Trained: all 1 epoch(s) of " in capsys.readouterr().out
    assert again.results.epochs == trained["trained"].results.epochs
    for one, other in zip(
        again.model.get_weights(), trained["trained"].model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_other_data_under_the_same_flags_is_refused_with_the_split_that_differs(tmp_path):
    files = {"train_file": conll(tmp_path / "t"), "valid_file": conll(tmp_path / "v")}
    config = TaggingConfig.of(data="files", character_dim=2, **files, **SMALL)
    folder = str(tmp_path / "model")
    train(NamedEntities(), config, folder)
    conll(tmp_path / "v", "Paul")
    for task_flags in ([], ["--mode=export", "--export_dir", tmp_path / "s"]):
        flags = shlex.split(command_of(NamedEntities(), config))[3:]
        run = program("ner", *flags, "--model_dir", folder, *task_flags, check=False)
        assert run.returncode == 1
        (line,) = run.stderr.splitlines()
        assert "holds a run on other data" in line
        assert "validation" in line
        assert "train" not in line.partition("it began")[2].partition("data.")[0]
    conll(tmp_path / "v")
    conll(tmp_path / "t", "Paul")
    with pytest.raises(UserError, match="it began with other train data"):
        train(NamedEntities(), config, folder)


def test_a_damaged_configuration_is_one_line(trained, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for content in ("{", "[1]", "3", ""):
        (folder / "config.json").write_text(content)
        with pytest.raises(UserError, match="expected what this program writes there") as error:
            train(NamedEntities(), trained["config"], str(folder))
        assert "\n" not in str(error.value)
        assert str(folder / "config.json") in str(error.value)


def test_errors_of_data_are_errors_of_the_user():
    assert issubclass(DataError, UserError)
    assert issubclass(DataError, ValueError)
    config = TaggingConfig.of(data="demo", train_file="a.conll")
    with pytest.raises(UserError, match="a train file goes with --data=files"):
        train(NamedEntities(), config)


# --- All tasks -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    data = write(folder / "a.txt", "the cat was full .\nthe cats were full .\n" * 8)
    config = LanguageConfig.of(data="files", train_file=data, valid_file=data, **SMALL)
    return train(Language(), config, str(folder / "model"))


def test_texts_of_a_language_model_are_sorted_by_length_and_an_empty_one_has_an_answer(
    language_model,
):
    task, long = Language(), "the cat was full . " * 300
    texts = [long, "", *["the cats"] * 80, "", "a"]
    found = predicted_answers(task, language_model.predictor, texts)
    assert all(isinstance(one, ScoredTokens) for one in found)
    assert [one.text for one in found] == texts
    assert [one.token_count for one in found] == [1501, 1, *[3] * 80, 1, 2]
    assert found[1].log_probability == pytest.approx(found[-2].log_probability, abs=1e-5)
    assert [task.length(one) for one in ("", "a", long)] == [0, 1, len(long)]

    batches = []

    class Counting(Language):
        def predict_examples(self, model, examples):
            batches.append(sorted(map(len, examples)))
            return super().predict_examples(model, examples)

    predicted_answers(Counting(), language_model.predictor, texts)
    assert batches[0][-1] == len("the cats")  # the long text makes no other one wait
    assert predicted_answers(task, language_model.predictor, [""])[0].token_count == 1
    assert predicted_answers(task, language_model.predictor, []) == []


def test_a_language_model_scores_and_draws(language_model):
    assert language_model("the cat")["token_count"].tolist() == [3]
    answer = language_model.predictor.ask("tokens", {"text": ["the cat"]})
    assert answer["tokens"].tolist() == [["the", "cat", "<EOS>"]]


def test_examples_of_every_task_have_a_text():
    for task, example in (
        (NamedEntities(), Sentence(("Teddy", "smiled"), ("B-PER", "O"))),
        (Sentiment(), _example("Teddy smiled", "pos")),
        (Language(), "Teddy smiled"),
    ):
        assert task.text(example) == "Teddy smiled"


def _example(text, label):
    from tasks.classification.reading import Example

    return Example(text, label)


@pytest.mark.parametrize("kind", ["trained", "frozen"])
def test_a_model_on_vectors_of_others_is_rebuilt_with_their_width(tmp_path, kind):
    """results.json has the whole configuration of the model, and not only the flags."""
    vectors = write(tmp_path / "v.txt", "good 1 2 3 4 5 6 7\nbad 7 6 5 4 3 2 1\n")
    rows = write(tmp_path / "a.csv", "text,label\n" + "very good,yes\nso bad,no\n" * 8)
    config = ClassificationConfig.of(
        data="files", train_file=rows, valid_file=rows, embeddings_file=vectors,
        vectors=kind, embeddings_vocabulary=0, **SMALL
    )  # fmt: skip
    trained = train(Sentiment(), config, str(tmp_path / "model"))
    results = RunResults.read(tmp_path / "model" / "results.json")
    assert results.config["embedding_dim"] == 4
    assert results.model["embedding_dim"] == 7
    entry = json.loads((tmp_path / "model" / "results.json").read_text())
    entry |= {"name": "mine", "version": 1, "files": {}, "signatures": {}, "samples": []}
    folder = tmp_path / "saved_models" / "mine"
    trained.export(str(folder))
    write(folder / "results.json", json.dumps(entry))
    rebuilt = building.build("mine", folder.parent)
    assert rebuilt.config == trained.model.config
    rebuilt.set_weights(trained.model.get_weights())
    again = config.replace(
        init_from=str(tmp_path / "model"),
        embeddings_file=None,
        vectors="trained",
        embedding_dim=100,
    )
    # Whether they are trained is said anew.
    assert train(Sentiment(), again).model.config == trained.model.config.replace(vectors="trained")


def test_vectors_want_a_file():
    with pytest.raises(UserError, match="--vectors=frozen: expected --embeddings_file"):
        train(Sentiment(), ClassificationConfig.of(vectors="frozen", **SMALL))


def test_vectors_go_with_an_embedding(tmp_path):
    for options in ({"inputs": "one_hot"}, {"cell": "none", "standard": "concatenated"}):
        config = ClassificationConfig.of(**{**SMALL, "embeddings_file": "none.txt", **options})
        with pytest.raises(UserError, match="--embeddings_file goes with --inputs=embedding"):
            train(Sentiment(), config)


def test_a_recipe_of_no_task_has_defaults():
    assert TaskConfig.of(units=64).model.units == 64
    with pytest.raises(ValueError, match="units: expected 1 or more"):
        TaggingConfig.of(units=0)
