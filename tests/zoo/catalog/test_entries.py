"""The committed models: whole, as their cards say, and right about the lecture's sentences."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import replay_warmup
from stand_in import serve

import zoo
from zoo import __main__ as command
from zoo.catalog import cards, loading, markdown
from zoo.catalog.entries import ENTRIES, PRESETS
from zoo.serving import configuration as serving

NAMES = [name for name in loading.list_models() if name in ENTRIES]
README = pathlib.Path(__file__).parents[3] / "README.md"


def version_of(name):
    return loading.SAVED_MODELS / name / str(cards.read_results(name)["version"])


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(loading.SAVED_MODELS / "ner_demo", tmp_path / "ner_demo")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_whole_small_and_answers_as_its_card_says(name):
    assert cards.problems(name) == []
    size = cards.megabytes(cards.read_results(name))
    assert size == sum(p.stat().st_size for p in version_of(name).rglob("*") if p.is_file()) / 1e6
    assert size <= 12
    assert [signature for signature, _ in replay_warmup(version_of(name), name)]


@pytest.mark.parametrize("name", NAMES)
def test_cards_follow_from_results(name):
    path = loading.SAVED_MODELS / name / cards.CARD
    assert path.read_text("utf-8") == cards.card(name, cards.read_results(name))


def test_the_table_in_the_readme_follows_from_results():
    text = README.read_text("utf-8")
    assert markdown.replace(text, "zoo", cards.table()) == text


def test_every_entry_is_there():
    assert sorted(NAMES) == sorted(ENTRIES)


def test_entries_are_recipes_of_their_tasks_and_fit_together_on_disk():
    for entry in ENTRIES.values():
        assert entry.preset in PRESETS[entry.task]
    assert sum(cards.megabytes(cards.read_results(name)) for name in NAMES) <= 60


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves the committed models by the committed configuration, where the container sees them."""
    root = tmp_path_factory.mktemp("container")
    (root / "models").symlink_to(loading.SAVED_MODELS)
    with serve((loading.SAVED_MODELS / serving.MODELS_CONFIG).read_text(), str(root)) as addresses:
        yield addresses


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_configuration_serves_every_model_over_both_protocols(server, name):
    for sample in cards.read_results(name)["samples"]:
        for address in server:
            out = zoo.connect(address, name, timeout=60).ask(sample["signature"], sample["inputs"])
            assert cards.differences(out, sample["outputs"]) == []


def test_the_lectures_names():
    model = zoo.load("ner_demo")
    out = model("Harry Potter and Hermione Granger invented a new spell.")
    persons = [i for i, tag in enumerate(out["tags"][0], start=1) if tag.endswith("PER")]
    assert persons == [1, 2, 4, 5]
    out = model(
        ["He said, Teddy Roosevelt was a great President!", "He said, Teddy bears are on sale!"]
    )
    teddies = [dict(zip(out["tokens"][i], out["tags"][i], strict=True))["Teddy"] for i in range(2)]
    assert teddies == ["B-PER", "O"]


def test_the_lectures_salad_and_its_cats():
    model = zoo.load("lm_demo")

    def log_p(text):
        return model(text)["log_probability"][0]

    assert log_p("The apple and pear salad.") > log_p("The apple and pair salad.")
    far = "which already ate the fish near the old barns,"
    assert log_p(f"The cat, {far} was full.") > log_p(f"The cat, {far} were full.")
    assert log_p(f"The cats, {far} were full.") > log_p(f"The cats, {far} was full.")


@pytest.mark.parametrize("name", NAMES)
def test_build_gives_an_untrained_model_of_the_same_shape(name):
    results = cards.read_results(name)
    model = zoo.build(name)
    carried = sum(int(np.prod(v.shape)) for v in getattr(model, "carried", []))
    rows = results["config"]["batch_size"] if results["config"].get("running") else 0
    states = rows * results["config"]["units"] * (2 if results["config"]["cell"] == "lstm" else 1)
    assert model.count_params() - carried == results["parameters"] - states


def test_build_takes_changes_and_names_wrong_ones():
    small = zoo.build("ner_demo", units=8)
    assert isinstance(small, keras.Model)
    assert small.count_params() < zoo.build("ner_demo").count_params()
    with pytest.raises(ValueError, match=r"Received: \['size'\]"):
        zoo.build("ner_demo", size=8)


def test_the_command_shows_tables_and_cards(capsys):
    assert command.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"| {name} |" in shown for name in NAMES)
    assert command.main(["card", "ner_demo"]) == 0
    assert capsys.readouterr().out.startswith("# ner_demo\n")
    assert command.main(["card", "ner_deno"]) == 1
    assert "such as ['ner_demo'" in capsys.readouterr().err
    assert command.main(["train", "lm_wikitext2", "--epochs=1"]) == 1
    assert "--train_file=PATH" in capsys.readouterr().err


def test_verify_names_what_is_broken(copied, capsys):
    results = cards.read_results("ner_demo", copied)
    folder = copied / "ner_demo" / str(results["version"])
    results["samples"][0]["outputs"]["tags"][0][0] = "B-LOC"
    cards.write_results("ner_demo", results, copied)
    assert command.main(["--folder", str(copied), "verify"]) == 1
    assert "expected [['B-LOC'" in capsys.readouterr().err
    (folder / "assets" / "tags.txt").write_text("O\n")
    (folder / "fingerprint.pb").unlink()
    assert command.main(["--folder", str(copied), "verify", "ner_demo"]) == 1
    error = capsys.readouterr().err
    assert "tags.txt: expected sha256" in error
    assert "fingerprint.pb: missing" in error
    (copied / "ner_demo" / cards.RESULTS).write_text("{")
    assert command.main(["--folder", str(copied), "verify", "ner_demo"]) == 1
    assert "expected what was measured of 'ner_demo'" in capsys.readouterr().err


def test_a_model_of_a_newer_format_is_named(copied):
    (next((copied / "ner_demo").glob("*/saved_model.pb"))).write_bytes(b"\xff" * 20)
    with pytest.raises(OSError, match="expected a SavedModel that this TensorFlow"):
        zoo.load("ner_demo", folder=copied)


def test_benchmark_writes_into_the_card(copied, capsys, monkeypatch):
    one = {"median_ms": 1.25, "p99_ms": 2.5, "per_second": 800.0}
    monkeypatch.setattr(command.speed, "measure", lambda *_: {"1": one})
    assert command.main(["--folder", str(copied), "benchmark", "ner_demo"]) == 0
    assert "median 1.25 ms" in capsys.readouterr().out
    assert cards.read_results("ner_demo", copied)["speed"]["1"] == {"1": one}
    card = copied / "ner_demo" / cards.CARD
    assert "| 1 | 1 | 1.25 | 2.50 | 800 |" in card.read_text()
    collect = ["--folder", str(copied), "collect", "ner_demo", str(copied / "ner_demo")]
    assert command.main(collect) == 0
    assert "| 1 | 1 | 1.25 | 2.50 | 800 |" in card.read_text()
    assert "baseline" not in card.read_text()
    next((copied / "ner_demo").glob("*/fingerprint.pb")).write_bytes(b"another")
    assert command.main(collect) == 0
    assert "## Speed" not in card.read_text()


def test_training_an_entry_ends_in_its_card(tmp_path):
    flags = ["--epochs=1", "--units=8", "--runs", str(tmp_path / "runs")]
    assert command.main(["--folder", str(tmp_path / "z"), "train", "sentiment_demo", *flags]) == 0
    results = json.loads((tmp_path / "z" / "sentiment_demo" / cards.RESULTS).read_text())
    assert results["config"]["units"] == 8
    assert results["stored"]["weights"] == "float16"
    assert 0 < results["baseline"]["test"]["accuracy"] <= 1
    assert cards.problems("sentiment_demo", tmp_path / "z") == []
    assert "--model_dir" not in results["command"]


@pytest.mark.parametrize(("kind", "error"), [("float16", 2e-3), ("int8", 2e-2), ("float32", 0)])
def test_stored_weights_are_read_as_they_were_but_for_rounding(tmp_path, kind, error):
    from zoo.saving.weights import StoredWeights

    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(300)])
    model.layers[0].bias.assign(np.random.default_rng(0).normal(size=300))
    module = tf.Module()
    module.weights = StoredWeights(model, kind)

    def answer(x):
        with module.weights.reading():
            return {"y": model(x)}

    spec = tf.TensorSpec([None, 4], name="x")
    module.answer = tf.function(answer, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"answer": module.answer})
    x = tf.constant(np.random.default_rng(1).normal(size=[3, 4]), tf.float32)
    found = tf.saved_model.load(str(tmp_path / "m")).signatures["answer"](x=x)["y"]
    np.testing.assert_allclose(found, model(x), atol=error * 5)
    sizes = {"float16": 2 * (4 * 300 + 300), "int8": 4 * 300 + 4 * 4 + 2 * 300}
    if kind in sizes:
        stored = sum(p.stat().st_size for p in (tmp_path / "m" / "assets").iterdir())
        assert stored == sizes[kind]


def test_a_kind_of_storage_that_there_is_not():
    from zoo.saving.weights import StoredWeights

    with pytest.raises(ValueError, match="Received: 'int4'"):
        StoredWeights(keras.Sequential(), "int4")
