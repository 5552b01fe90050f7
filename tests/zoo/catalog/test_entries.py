"""The committed models: whole, as their cards say, and right about the lecture's sentences."""

import dataclasses
import json
import pathlib
import shutil
import sys
import types

import keras
import pytest
from google.protobuf import text_format
from programs import contents, graph_of, program, small_corpus, warmup_requests
from stand_in import serve
from tensorflow_serving.config import model_server_config_pb2

import zoo
from tasks.classification import demo
from zoo import __main__ as command
from zoo.catalog import building, cards, markdown, verifying
from zoo.catalog.entries import ENTRIES
from zoo.catalog.results import RESULTS, EntryResults, Speed, read_entry
from zoo.saving.versions import home, list_models
from zoo.serving import configuration as serving
from zoo.serving.served import served

NAMES = [name for name in list_models(home()) if name in ENTRIES]
README = pathlib.Path(__file__).parents[3] / "README.md"


def version_of(name):
    return home() / name / str(read_entry(name).version)


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(home() / "ner_demo", tmp_path / "ner_demo")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_whole_small_and_answers_as_its_card_says(name):
    assert verifying.problems(name) == []
    size = read_entry(name).megabytes
    assert size == sum(p.stat().st_size for p in version_of(name).rglob("*") if p.is_file()) / 1e6
    assert size <= 12
    assert list(warmup_requests(version_of(name), name))
    functions = graph_of(version_of(name)).graph_def.library.function
    assert not any(node.attr["_XlaMustCompile"].b for one in functions for node in one.node_def)


@pytest.mark.parametrize("name", NAMES)
def test_cards_follow_from_results(name):
    path = home() / name / cards.CARD
    assert path.read_text("utf-8") == cards.card(name, read_entry(name))


def test_the_table_in_the_readme_follows_from_results():
    text = README.read_text("utf-8")
    assert markdown.replace(text, "zoo", cards.table()) == text


def test_every_entry_is_there():
    assert sorted(NAMES) == sorted(ENTRIES)


def test_entries_fit_together_on_disk():
    assert sum(read_entry(name).megabytes for name in NAMES) <= 88


@pytest.fixture(scope="module")
def config():
    """The committed configuration of the server."""
    written = (home() / serving.MODELS_CONFIG).read_text()
    return text_format.Parse(written, model_server_config_pb2.ModelServerConfig())


def test_the_committed_configuration_names_every_model_that_is_served(config):
    models = config.model_config_list.config
    assert [one.name for one in models] == [one.name for one in served(home())]
    for one in models:
        assert one.base_path == f"/models/{one.name}"
        assert one.model_platform == "tensorflow"


# The smallest model of each kind, but for those whose warm-up takes long; the others are graphs of
# the same signatures, and have answered above.
SERVED = {
    read_entry(one.name).task: one.name
    for one in sorted(served(home()), key=lambda one: -read_entry(one.name).megabytes)
    if read_entry(one.name).task not in ("pos", "translate")
}
SERVED = list(SERVED.values())


@pytest.fixture(scope="module")
def server(config, tmp_path_factory):
    """Serves committed models as the configuration says, where the container sees them; it replays
    their warm-up requests first."""
    root = tmp_path_factory.mktemp("container")
    (root / "models").symlink_to(home())
    some = [one for one in config.model_config_list.config if one.name in SERVED]
    del config.model_config_list.config[:]
    config.model_config_list.config.extend(some)
    with serve(text_format.MessageToString(config), str(root)) as addresses:
        yield addresses


@pytest.mark.parametrize("name", SERVED)
def test_a_server_answers_over_both_protocols_as_the_card_says(server, name):
    for sample in read_entry(name).samples:
        for address in server:
            out = zoo.connect(address, name, timeout=60).ask(sample.signature, sample.inputs)
            assert verifying.differences(out, sample.outputs) == []


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
    results = read_entry(name)
    model = zoo.build(name)
    assert model.count_params() == results.parameters


def test_build_takes_changes_and_names_wrong_ones():
    small = zoo.build("ner_demo", units=8)
    assert isinstance(small, keras.Model)
    assert small.count_params() < zoo.build("ner_demo").count_params()
    with pytest.raises(ValueError, match=r"Received: \['size'\]"):
        zoo.build("ner_demo", size=8)


def test_build_reads_the_configuration_where_the_record_has_it(copied):
    results = read_entry("ner_demo")
    config = building.configuration(results, home() / "ner_demo").replace(embedding_dim=7)
    new = dataclasses.replace(results, schema=2, model=config.as_dict())
    new.config["embedding_dim"] = 100
    new.write(copied / "ner_demo" / RESULTS)
    assert zoo.build("ner_demo", copied).config == config


def test_build_asks_for_the_width_of_word_vectors_that_an_old_record_does_not_say(copied):
    results = dataclasses.replace(read_entry("ner_demo"), schema=1, model={})
    results.config["embeddings_file"] = "glove/vectors.txt"
    results.write(copied / "ner_demo" / RESULTS)
    with pytest.raises(ValueError, match="expected `embedding_dim`, the width"):
        zoo.build("ner_demo", copied)
    assert zoo.build("ner_demo", copied, embedding_dim=50).config.embedding_dim == 50


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


def test_a_folder_without_models_is_an_error(tmp_path, capsys):
    assert command.main(["--folder", str(tmp_path)]) == 1
    assert "expected a folder with models. Received: none" in capsys.readouterr().err


def test_verify_names_what_is_broken(copied, capsys):
    results = read_entry("ner_demo", copied)
    folder = copied / "ner_demo" / str(results.version)
    results.samples[0].outputs["tags"][0][0] = "B-LOC"
    cards.write_results("ner_demo", results, copied)
    assert command.main(["--folder", str(copied), "verify"]) == 1
    assert "expected [['B-LOC'" in capsys.readouterr().err
    (folder / "assets" / "tags.txt").write_text("O\n")
    (folder / "fingerprint.pb").unlink()
    assert command.main(["--folder", str(copied), "verify", "ner_demo"]) == 1
    error = capsys.readouterr().err
    assert "tags.txt: expected sha256" in error
    assert "fingerprint.pb: missing" in error
    (copied / "ner_demo" / RESULTS).write_text("{")
    assert command.main(["--folder", str(copied), "verify", "ner_demo"]) == 1
    assert "expected what was measured of 'ner_demo'" in capsys.readouterr().err


def test_a_model_of_a_newer_format_is_named(copied):
    (next((copied / "ner_demo").glob("*/saved_model.pb"))).write_bytes(b"\xff" * 20)
    with pytest.raises(OSError, match="expected a SavedModel that this TensorFlow"):
        zoo.load("ner_demo", folder=copied)


def test_a_card_has_figures_of_a_model_that_is_asked_in_other_ways(tmp_path):
    shutil.copytree(home() / "lm_demo", tmp_path / "lm_demo")
    path = tmp_path / "lm_demo" / RESULTS
    run = json.loads(path.read_text())
    run["neural_cache"] = {"size": 2000, "lambda": 0.1, "validation": {"perplexity": 3.5}}
    run["something_else"] = {"size": 3}
    run["test"] = {"perplexity": 2.0, "of_the_test_alone": 1.5}
    path.write_text(json.dumps(run))
    assert command.main(["--folder", str(tmp_path), "collect", "lm_demo", str(path.parent)]) == 0
    rows = (path.parent / cards.CARD).read_text().splitlines()
    assert "| perplexity with neural cache (size 2,000, lambda 0.1) | 3.5000 | – |" in rows
    assert f"| perplexity | {run['validation']['perplexity']:.4f} | 2.0000 |" in rows
    assert "| of the test alone | – | 1.5000 |" in rows  # what a split lacks
    assert read_entry("lm_demo", tmp_path).further == {"neural_cache": run["neural_cache"]}


def test_a_savedmodel_of_another_run_is_not_collected(tmp_path, capsys):
    shutil.copytree(home() / "lm_demo", tmp_path / "lm_demo")
    run = json.loads((tmp_path / "lm_demo" / RESULTS).read_text())
    run["config"]["seed"] += 7
    (tmp_path / RESULTS).write_text(json.dumps(run))
    before = contents(tmp_path / "lm_demo")
    assert command.main(["--folder", str(tmp_path), "collect", "lm_demo", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "Received one of another run: --seed=" in error and error.count("\n") == 1
    assert contents(tmp_path / "lm_demo") == before


def test_a_run_of_another_task_or_none_is_not_collected(tmp_path, capsys):
    shutil.copytree(home() / "lm_demo", tmp_path / "lm_demo")
    before = contents(tmp_path)
    for run, said in (
        (home() / "sentiment_demo", "lm_demo: expected a run of tasks.lm. Received: one of tasks."),
        (tmp_path / "none", "none: expected the --model_dir of a finished run"),
    ):
        assert command.main([f"--folder={tmp_path}", "collect", "lm_demo", str(run)]) == 1
        assert said in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_damaged_results_hide_no_other_model(tmp_path, capsys):
    for name in ("lm_demo", "sentiment_demo"):
        shutil.copytree(home() / name, tmp_path / name)
    run = tmp_path / RESULTS
    (tmp_path / "lm_demo" / RESULTS).rename(run)
    (tmp_path / "lm_demo" / RESULTS).write_text('{"a"')
    (tmp_path / "sentiment_demo" / cards.CARD).unlink()
    folder = f"--folder={tmp_path}"
    assert command.main([folder]) == 0
    shown = capsys.readouterr().out
    assert "| sentiment_demo |" in shown and "damaged ones: lm_demo" in shown
    assert command.main([folder, "cards"]) == 1
    assert "lm_demo/results.json: expected what was measured" in capsys.readouterr().err
    assert (tmp_path / "sentiment_demo" / cards.CARD).exists()
    assert command.main([folder, "verify"]) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "lm_demo: broken", "sentiment_demo: whole, and answers as its card says"
    ]  # fmt: skip
    assert "lm_demo/results.json: expected what was measured" in shown.err
    # What is written anew need not be whole.
    (tmp_path / "run").mkdir()
    run.rename(tmp_path / "run" / RESULTS)
    assert command.main([folder, "collect", "lm_demo", str(tmp_path / "run")]) == 0
    assert command.main([folder, "verify", "lm_demo"]) == 0
    capsys.readouterr()
    assert command.main([folder, "cards"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert command.main([f"--folder={tmp_path / 'nowhere'}", "cards"]) == 1


def test_benchmark_writes_into_the_card(tmp_path, capsys, monkeypatch):
    copied = tmp_path
    shutil.copytree(home() / "sentiment_demo", copied / "sentiment_demo")
    one = Speed(median_ms=1.25, p99_ms=2.5, per_second=800.0)
    monkeypatch.setattr(command.speed, "measure", lambda *_: {"1": one})
    assert command.main(["--folder", str(copied), "benchmark", "sentiment_demo"]) == 0
    assert "median 1.25 ms" in capsys.readouterr().out
    assert read_entry("sentiment_demo", copied).speed["1"] == {"1": one}
    card = copied / "sentiment_demo" / cards.CARD
    assert "| 1 | 1 | 1.25 | 2.50 | 800 |" in card.read_text()
    collect = ["--folder", str(copied), "collect", "sentiment_demo", str(copied / "sentiment_demo")]
    assert command.main(collect) == 0
    assert "| 1 | 1 | 1.25 | 2.50 | 800 |" in card.read_text()
    assert "baseline" not in card.read_text()
    next((copied / "sentiment_demo").glob("*/fingerprint.pb")).write_bytes(b"another")
    assert command.main(collect) == 0
    assert "## Speed" not in card.read_text()


@pytest.mark.slow
def test_training_an_entry_ends_in_its_card(tmp_path, monkeypatch):
    """Its processes run in this one, where TensorFlow is loaded already."""

    def run(words):
        assert words[:2] == [sys.executable, "-m"]
        return program(words[2].removeprefix("tasks."), *words[3:])

    monkeypatch.setattr(command, "subprocess", types.SimpleNamespace(run=run))
    flags = ["--epochs=1", "--units=8", "--nojit", "--runs", str(tmp_path / "runs")]
    words = ["--folder", str(tmp_path / "z"), "train", "sentiment_demo", *flags]
    with small_corpus(demo):
        assert command.main(words) == 0
    results = EntryResults.read(tmp_path / "z" / "sentiment_demo" / RESULTS)
    assert results.config["units"] == 8
    assert results.stored["weights"] == "float16"
    assert 0 < results.baseline.test["accuracy"] <= 1
    assert zoo.build("sentiment_demo", tmp_path / "z").config.units == 8
    assert verifying.problems("sentiment_demo", tmp_path / "z") == []
    assert "--model_dir" not in results.command
