"""The translation program, run as a user runs it, and its SavedModel."""

import csv
import json
import signal

import numpy as np
import pytest
import tensorflow as tf
from programs import (
    ODD_TEXTS,
    ask_elsewhere,
    check_saved_once_without_xla,
    program,
    program_stopped_after,
    replay_warmup,
)

import zoo
from tasks import translate
from tasks.experiments import attention
from tasks.framework import train
from tasks.framework.training import load
from tasks.translation import Translating, demo
from zoo.saving import export
from zoo.text import subwords, tokens

SMALL = ["--units=48", "--embedding_dim=48", "--batch_size=4", "--learning_rate=0.01", "--nojit"]
SMALL += ["--dropout=0", "--label_smoothing=0", "--epochs=25", "--patience=25", "--decay=0"]
PAIRS = sorted({pair for pair in demo.corpus()["train"][:400] if len(pair.source.split()) < 6})[:40]


def write_corpus(folder):
    for language, index in (("en", 0), ("fr", 1)):
        lines = "".join(f"{pair[index]}\n" for pair in PAIRS)
        (folder / f"all.{language}").write_text(lines, "utf-8")
    name = folder / "all"
    files = [f"--train_file={name}", f"--valid_file={name}", f"--test_file={name}"]
    return ["--data=files", *files, "--source=en", "--target=fr"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translate")
    flags = [*write_corpus(folder), *SMALL, "--subwords=200", "--cell=gru"]
    program("translate", *flags, "--model_dir", folder / "model", "--export_dir", folder / "saved")
    return {"flags": flags, "folder": folder, "model": folder / "model", "saved": folder / "saved"}


@pytest.fixture(scope="module")
def model(trained):
    return zoo.load(trained["saved"])


def test_training_and_the_savedmodel_agree(trained, model):
    results = json.loads((trained["model"] / "results.json").read_text())
    answer = model([pair.source for pair in PAIRS])
    exact = np.mean([t == p.target for t, p in zip(answer["text"], PAIRS, strict=True)])
    assert results["validation"]["exact"] == pytest.approx(exact)
    assert results["validation"]["chrf"] > 35
    assert "|tok:13a|" in results["validation"]["bleu_signature"]
    assert results["model"]["vocabulary_size"] == 1 + len(
        (trained["model"] / "vocabulary.txt").read_text("utf-8").splitlines()
    )
    assert (trained["model"] / "bleu_by_length_test.png").exists()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(trained, tmp_path, capsys):
    """Dropout of words and of states included: the seeds are in the checkpoint."""
    flags = [*trained["flags"], "--epochs=2", "--dropout=0.3", "--word_dropout=0.1"]
    flags += ["--cell=rnn", "--beam_size=1"]

    def parsed(*more):
        return translate.PROGRAM.parse([*map(str, flags), *more])[0]

    whole = train(Translating(), parsed(), str(tmp_path / "whole")).results
    folder = tmp_path / "stopped"
    stopped = program_stopped_after(
        folder / "checkpoint.npz", "translate", *flags, f"--model_dir={folder}"
    )
    assert stopped.returncode == 128 + signal.SIGTERM
    assert not list(folder.glob("*.tmp*")) and not (folder / "results.json").exists()
    capsys.readouterr()
    resumed = train(Translating(), parsed(), str(folder)).results
    assert "Resuming after epoch 1" in capsys.readouterr().out
    assert [row["loss"] for row in resumed.epochs] == [row["loss"] for row in whole.epochs]
    assert resumed.validation == whole.validation


def test_the_probability_is_that_of_the_model(trained, model):
    sources = [pair.source for pair in PAIRS[:6]]
    answer = model(sources)
    keras_model = zoo.keras_model(trained["model"])
    reader = subwords.Subwords(str(trained["model"] / "vocabulary.txt"))
    x, y = (reader.ids(tf.constant(some)).to_tensor() for some in (sources, list(answer["text"])))
    expected = tf.reduce_sum(keras_model.log_probabilities(x, y), axis=1)
    # What was written in other pieces than it would be read in is another sequence.
    written = model.ask("alignment", {"text": sources})["target_tokens"].tolist()
    names = [[one.decode() for one in row] for row in reader.names(y).numpy().tolist()]
    same = [[*filter(None, a)] == [*filter(None, b)] for a, b in zip(written, names, strict=True)]
    assert sum(same) > 2
    found = answer["log_probability"]
    np.testing.assert_allclose(found[same], expected.numpy()[same], rtol=1e-3, atol=1e-3)


def test_the_best_of_n_is_the_answer_and_the_others_are_others(model):
    sources = [pair.source for pair in PAIRS[:8]]
    answer, several = model(sources), model.ask("n_best", {"text": sources})
    assert several["text"].shape == (8, 5)
    assert several["text"][:, 0].tolist() == answer["text"].tolist()
    np.testing.assert_allclose(several["log_probability"][:, 0], answer["log_probability"], 1e-4)
    score, log_p = several["score"], several["log_probability"]
    assert (np.diff(score, axis=1) <= 0).all()
    assert (score >= log_p).all()  # the penalty is 1 or more
    for row, p in zip(several["text"], log_p, strict=True):
        found = row[np.isfinite(p)].tolist()
        assert len(found) == len({*found}) >= 2


def test_weights_of_an_alignment_sum_to_one_over_the_source(model):
    pair = PAIRS[0]
    own = model.ask("alignment", {"text": [pair.source, ""]})
    given = model.ask("alignment_of", {"text": [pair.source], "translation": [pair.target]})
    for answer in (own, given):
        x, y = answer["source_lengths"][0], answer["target_lengths"][0]
        weights = answer["weights"][0]
        np.testing.assert_allclose(weights[:y].sum(axis=1), 1, atol=1e-4)
        assert not weights[:, x:].any()
        assert answer["source_tokens"][0, x - 1] == answer["target_tokens"][0, y - 1] == "<EOS>"
    written = "".join(given["target_tokens"][0][:-1]).replace("▁", " ").strip()
    assert written == pair.target


def test_the_same_seed_draws_the_same_alone_or_in_a_batch(model):
    def ask(texts, seeds):
        ones = np.ones(len(texts), np.float32)
        return model.ask(
            "sample",
            {
                "text": texts,
                "temperature": ones,
                "top_p": ones,
                "top_k": [0] * len(texts),
                "seed": seeds,
            },
        )["text"].tolist()

    texts = [pair.source for pair in PAIRS[:4]]
    drawn = ask(texts, [3, 4, 5, 6])
    assert drawn == [ask([text], [seed])[0] for text, seed in zip(texts, [3, 4, 5, 6], strict=True)]
    assert drawn != ask(texts, [7, 8, 9, 10])


@pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_any_text_gets_an_answer_that_does_not_depend_on_its_batch(model, odd):
    odd = odd[:10_000]
    beside = model.ask("greedy", {"text": [PAIRS[0].source, odd, ""]})
    alone = model.ask("greedy", {"text": [odd]})
    assert beside["text"][1] == alone["text"][0]
    assert np.isfinite(beside["log_probability"]).all()


def test_the_translation_of_nothing_is_nothing(model):
    blank = ["", " \n\t", "\u200b"]
    assert model(blank)["text"].tolist() == [""] * 3
    several = model.ask("n_best", {"text": [PAIRS[0].source, *blank]})["text"]
    assert several[0].any() and not several[1:].any()


def test_it_loads_elsewhere_as_a_server_loads_it(trained, model):
    folder, texts = trained["saved"] / "1", [PAIRS[0].source, ""]
    answer = ask_elsewhere(folder, *texts)
    np.testing.assert_allclose(
        answer["log_probability"], model(texts)["log_probability"], atol=1e-3
    )
    check_saved_once_without_xla(folder, trained["model"] / "best.npz")
    answers = dict(replay_warmup(folder, "saved"))
    assert set(answers) == set(model.signatures) - {"gates"}  # which is there to look at


def test_predictions_keep_what_came_with_the_texts(trained, tmp_path):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,en\n7,The cat sleeps.\n8,\n", "utf-8")
    flags = ["--mode=predict", f"--model={trained['saved']}", f"--input_file={source}"]
    program("translate", *flags, "--text_column=en", f"--output_file={output}")
    with open(output, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["7", "8"]
    assert set(rows[0]) == {"id", "en", "translation", "log_probability"}
    shown = program("translate", *flags[:2], "--text=The cat sleeps.").stdout
    assert shown == f"{rows[0]['translation']}\n"
    program("translate", *flags, "--source=en", f"--output_file={tmp_path / 'out.txt'}")
    assert (tmp_path / "out.txt").read_text("utf-8") == f"{rows[0]['translation']}\n\n"


def test_all_of_n_best_are_shown_and_written(trained, tmp_path):
    flags = ["--mode=predict", f"--model={trained['saved']}", "--text=The cat sleeps."]
    flags += ["--text=The dog runs.", "--n_best=3"]
    shown = program("translate", *flags).stdout
    first, second, rest = shown.split("\n\n")
    assert [len(text.splitlines()) for text in (first, second)] == [3, 3]
    assert rest == ""
    for name in ("a.csv", "a.txt"):
        program("translate", *flags, f"--output_file={tmp_path / name}")
    assert (tmp_path / "a.txt").read_text("utf-8") == shown
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["translation"] for row in rows] == [*first.splitlines(), *second.splitlines()]
    assert [row["text"] for row in rows] == 3 * ["The cat sleeps."] + 3 * ["The dog runs."]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=predict", "--text=a", "--n_best=6"], "--n_best: expected at most 5"),
        (["--mode=predict", "--text=a", "--beam_size=9"], "--beam_size: a SavedModel has its own"),
        (["--mode=evaluate", "--length_penalty=0"], "--length_penalty: a SavedModel has its own"),
        (["--mode=align", "--text=a", "--beam_size=2"], "--beam_size: a SavedModel has its own"),
    ],
)
def test_what_a_saved_model_cannot_do_is_one_line(trained, flags, message):
    model = f"--model={trained['saved']}"
    run = program("translate", model, *flags, *write_corpus(trained["folder"]), check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"translate: {message}")
    assert run.stderr.strip().count("\n") == 0


def answer_to_nothing(signature):
    """What a signature says of no texts."""
    _, named = signature.structured_input_signature
    return signature(**{name: tf.zeros([0], spec.dtype) for name, spec in named.items()})


def test_no_texts_are_no_translations(trained):
    for name, signature in tf.saved_model.load(str(trained["saved"] / "1")).signatures.items():
        assert all(len(value) == 0 for value in answer_to_nothing(signature).values()), name


def test_an_alignment_is_drawn(trained, tmp_path):
    model = f"--model={trained['saved']}"
    texts = ["--text=The $$ cat $_$ sleeps.", "--translation=Le $$ chat dort."]
    shown = program(
        "translate", "--mode=align", model, *texts, f"--output_file={tmp_path}/a.png"
    ).stdout
    drawn, path = shown.split("\n\n")
    assert "<EOS>" in drawn.splitlines()[-1]
    assert path == f"{tmp_path}/a.png\n"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_words_in_place_of_pieces(tmp_path):
    flags = [*write_corpus(tmp_path), *SMALL, "--epochs=1", "--subwords=0", "--min_count=3"]
    flags += ["--attention=additive", "--cell=rnn", "--beam_size=1", "--replace_unknown"]
    task, config = Translating(), translate.PROGRAM.parse(flags)[0]
    folder = tmp_path / "m"
    folder.mkdir()
    trainer = task.trainer(load(task, config, ["train", "validation"]), config, str(folder))
    untrained = trainer.build()
    # A model that never knows a word copies what it looks at, and <UNK> is never seen.
    bias = untrained.b.numpy()
    bias[tokens.UNKNOWN] = 50
    untrained.b.assign(bias)
    module = trainer.module(untrained)
    signatures = {name: getattr(module, name) for name in ("serving_default", "alignment")}
    model = zoo.load(export.save(module, signatures, str(tmp_path / "saved")))
    texts = [PAIRS[0].source, "Zyx qwv.", ""]
    written = model(texts)["text"].tolist()
    looked = model.ask("alignment", {"text": texts})
    read = tokens.tokenize(tf.constant(texts), "words").to_list()
    words = [text[:-1] for text in read]  # without <EOS>
    for i in range(2):
        steps = int(looked["target_lengths"][i]) - 1
        at = np.argmax(looked["weights"][i, :steps, : len(words[i])], axis=1)
        assert len(at) > 10
        expected = b"".join(words[i][place] for place in at)
        assert written[i].replace(" ", "") == expected.decode()
    assert written[2] == model([""])["text"][0] == ""
    for name, signature in model.saved.signatures.items():
        assert all(len(value) == 0 for value in answer_to_nothing(signature).values()), name
    found = {path.name for path in folder.glob("*vocabulary.txt")}
    assert found == {"vocabulary.txt", "source_vocabulary.txt"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--subwords=5"], "--subwords: expected a number that holds every character"),
        (["--replace_unknown"], "--replace_unknown goes with --subwords=0"),
        (["--attention=none", "--input_feeding"], "--input_feeding: expected False"),
        (["--mode=align"], "--mode=align: expected one --text or more"),
        (["--mode=align", "--text=a", "--translation=b", "--translation=c"], "Received: 1 and 2"),
        (["--mode=align", "--text=a", "--output_file=a.txt"], "--mode=align writes .png"),
        (["--mode=attention", "--data=files"], "is about the built-in corpus"),
        (["--mode=attention", "--cell=gru"], "--mode=attention: expected no --cell"),
        (["--data=files", "--train_file=x"], "expected two languages"),
        (["--mode=stream"], "--mode: expected one of train, evaluate, predict, export, align,"),
    ],
)
def test_mistakes_are_one_line(tmp_path, flags, message):
    run = program("translate", *flags, f"--export_dir={tmp_path}", check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert run.stderr.strip().count("\n") == 0


@pytest.mark.slow
def test_attention_is_compared_by_length(tmp_path, monkeypatch):
    for name in ("RNN", "GRU", "LSTM"):
        monkeypatch.delitem(attention.NETWORKS, name)
    monkeypatch.setattr(attention, "_PAIRS", 8)
    monkeypatch.setattr(demo, "SIZES", {"train": 60, "validation": 8, "test": 8})
    demo.corpus.cache_clear()
    flags = ["--mode=attention", *SMALL, "--epochs=1", "--subwords=200", "--beam_size=1"]
    shown = program("translate", *flags, f"--model_dir={tmp_path}").stdout
    demo.corpus.cache_clear()
    demo.by_clauses.cache_clear()
    found = json.loads((tmp_path / "attention.json").read_text())
    assert list(found["bleu"]) == ["LSTM, attention"]
    assert "LSTM, attention" in shown
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")
