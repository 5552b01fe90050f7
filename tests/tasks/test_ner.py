"""The tagging programs, run as a user runs them, and their SavedModels."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf
from programs import (
    ODD_TEXTS,
    ROOT,
    ask_server,
    check_saved_once_without_xla,
    command,
    environment,
    program,
    program_process,
    program_stopped_after,
    replay_warmup,
    small_corpus,
)

from tasks import ner
from tasks.framework import train
from tasks.framework.task import Trainer
from tasks.tagging import NamedEntities, demo

SMALL = ["--units=8", "--character_dim=4", "--embedding_dim=8", "--batch_size=16", "--epochs=4"]
# Traced and compiled in less time.
QUICK = ["--cell=rnn", "--nojit"]

TRAIN = [
    [("Anna", "B-PER"), ("Smith", "I-PER"), ("lives", "O"), ("in", "O"), ("Rome", "B-LOC")],
    [("Rome", "B-LOC"), ("is", "O"), ("old", "O")],
    [("Paul", "B-PER"), ("met", "O"), ("Anna", "B-PER"), (".", "O")],
]


def write_conll(path, sentences, times=1):
    text = "\n".join("".join(f"{w}\t{t}\n" for w, t in s) for s in sentences * times)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small tagger, trained on files, its loops compiled."""
    folder = tmp_path_factory.mktemp("ner")
    data = write_conll(folder / "data.conll", TRAIN, times=20)
    flags = ["--data=files", f"--train_file={data}", f"--valid_file={data}", f"--test_file={data}"]
    flags += [*SMALL, "--learning_rate=0.02", "--min_count=1", "--cell=rnn"]
    export = ["--model_dir", folder / "model", "--export_dir", folder / "saved"]
    run = program("ner", *flags, *export)
    return {"folder": folder, "flags": flags, "data": data, "run": run}


@pytest.fixture(scope="module")
def served(trained):
    return tf.saved_model.load(str(trained["folder"] / "saved" / "1"))


def tagging_config(flags):
    return ner.PROGRAM.parse(list(map(str, flags)))[0]


def tag(served, *texts):
    return served.signatures["serving_default"](text=tf.constant(texts, tf.string))


def test_training_writes_results_logs_and_figures(trained):
    model = trained["folder"] / "model"
    results = json.loads((model / "results.json").read_text())
    assert results["test"]["f1"] == pytest.approx(results["validation"]["f1"])
    assert results["counts"]["train"] == {"sentences": 60, "tokens": 240}
    assert results["config"]["units"] == 8
    for name in ("log.csv", "learning_curves.png", "confusion_test.png", "tensorboard"):
        assert (model / name).exists()


def test_the_savedmodel_scores_as_training_did(trained, tmp_path):
    program(
        "ner", "--mode=evaluate", f"--model={trained['folder'] / 'saved'}", "--data=files",
        f"--test_file={trained['data']}", "--model_dir", tmp_path / "evaluated",
    )  # fmt: skip
    trained_results = json.loads((trained["folder"] / "model" / "results.json").read_text())
    results = json.loads((tmp_path / "evaluated" / "evaluation.json").read_text())
    assert results["test"] == trained_results["test"]
    assert (tmp_path / "evaluated" / "confusion_test.png").exists()


def test_words_are_tagged_as_they_come():
    """Each is answered before the next one is there."""
    with subprocess.Popen(
        command("ner", "--mode=stream", "--model=ner_demo_forward"), cwd=ROOT, env=environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        for chunk, answer in (
            ("Teddy Roos", "Teddy\tB-PER"),
            ("evelt smiled.", "Roosevelt\tI-PER"),
        ):
            process.stdin.write(chunk)
            process.stdin.flush()
            assert process.stdout.readline() == f"{answer}\n"
        rest, errors = process.communicate()
        assert (rest, errors) == ("smiled\tO\n.\tO\n", "")


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_ends_as_an_uninterrupted_one(trained, tmp_path):
    flags = [*trained["flags"], *QUICK, "--nobidirectional"]
    configuration = tagging_config(flags)
    train(NamedEntities(), configuration, str(tmp_path / "whole"))
    export = ["--export_dir", tmp_path / "s"]
    flags += ["--model_dir", tmp_path / "m"]
    checkpoint = tmp_path / "m" / "checkpoint.npz"
    killed = subprocess.Popen(
        command("ner", *flags, *export), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while killed.poll() is None and time.monotonic() < deadline and not checkpoint.exists():
        time.sleep(0.02)
    killed.kill()
    message = killed.communicate()[1].decode()
    assert killed.returncode == -signal.SIGKILL, message
    assert "Traceback" not in message
    stopped = program_stopped_after(checkpoint, "ner", *flags, *export, stop=signal.SIGINT)
    assert stopped.returncode == 128 + signal.SIGINT, stopped.stderr
    assert "the same command resumes it" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not list((tmp_path / "m").glob("*.tmp*"))
    assert not (tmp_path / "s").exists()
    train(NamedEntities(), configuration, str(tmp_path / "m"))
    whole = np.load(tmp_path / "whole" / "best.npz")
    resumed = np.load(tmp_path / "m" / "best.npz")
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], resumed[name])
    rows = [json.loads((m / "results.json").read_text())["epochs"]
            for m in (tmp_path / "whole", tmp_path / "m")]  # fmt: skip
    assert [(r["loss"], r["f1"]) for r in rows[0]] == [(r["loss"], r["f1"]) for r in rows[1]]


def test_a_folder_of_another_run_is_refused_with_the_differing_flags(trained):
    flags = [*trained["flags"], "--units=9", "--model_dir", trained["folder"] / "model"]
    run = program("ner", *flags, check=False)
    assert run.returncode == 1
    assert "--units=8 there, 9 now" in run.stderr
    assert "Traceback" not in run.stderr


def test_predictions_go_to_the_terminal_json_lines_and_conll(trained, tmp_path):
    model = f"--model={trained['folder'] / 'saved'}"
    text = "Anna Smith lives in Rome"
    shown = program("ner", "--mode=predict", model, "--text", text).stdout
    assert "Rome" in shown
    assert program("ner", "--mode=predict", model, input=text + "\n").stdout == shown
    source = tmp_path / "in.txt"
    source.write_text(f"{text}\n\n" * 40)
    for name in ("out.jsonl", "out.conll"):
        output = ["--input_file", source, "--output_file", tmp_path / name]
        program("ner", "--mode=predict", model, *output)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(lines) == 80
    assert json.loads(lines[0])["tokens"] == text.split()
    assert json.loads(lines[1])["tokens"] == []
    assert (tmp_path / "out.conll").read_text().startswith("Anna\t")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=nonsense"], "expected demo, files or tfds:NAME"),
        (["--data=files", "--train_file=/nowhere.conll"], "/nowhere.conll"),
        (["--mode=predict"], "--model"),
        (["--mode=stream", "--model=ner_demo"], "expected a model of one direction"),
        (["--mode=stream", "--text=a"], "--mode=stream reads standard input"),
        (["--mode=predict", "--model=no_such_model"], "no_such_model"),
        (["--preset=nonsense"], "wikiann"),
        (["--train_file=a.conll"], "--data=files"),
        (["--data=files", "--train_file=/dev/null"], "/dev/null: expected one or more sentences"),
        (["--export_dir=/dev/null/x"], "--export_dir: expected a folder to write to"),
        (["--mode=predict", "--text=a", "--input_file=b"], "--text or --input_file"),
        (["train.conll"], "unexpected arguments: train.conll"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(flags, message, tmp_path):
    run = program("ner", *flags, "--model_dir", tmp_path / "m", check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "m").exists()


def test_tags_that_the_model_does_not_know_are_refused(trained, tmp_path):
    other = write_conll(tmp_path / "other.conll", [[("x", "B-NEW")]])
    run = program(
        "ner", "--mode=evaluate", f"--model={trained['folder'] / 'saved'}",
        "--data=files", f"--test_file={other}", check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "B-NEW" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_any_text_gets_an_answer_that_does_not_depend_on_its_batch(served, text):
    alone = tag(served, text)
    n = int(alone["lengths"][0])
    assert alone["tags"].shape[1] == n
    beside = tag(served, "Anna Smith lives in Rome and Paul does not", text, "")
    assert int(beside["lengths"][1]) == n
    np.testing.assert_array_equal(beside["tags"][1, :n], alone["tags"][0])
    np.testing.assert_allclose(beside["confidence"][1, :n], alone["confidence"][0], atol=1e-4)
    assert int(beside["lengths"][2]) == 0


def test_a_batch_of_a_thousand_and_tokens_that_are_split_already(served):
    out = tag(served, *["Anna met Paul ."] * 1000)
    assert out["tags"].shape == (1000, 4)
    tokens = tf.constant([["Anna", "met", "Paul", ".", "junk"]])
    split = served.signatures["tokens"](tokens=tokens, lengths=tf.constant([4]))
    np.testing.assert_array_equal(split["tags"][0, :4], out["tags"][0])


def test_weights_are_saved_once_and_graphs_hold_no_xla(trained):
    folder = trained["folder"] / "saved" / "1"
    check_saved_once_without_xla(folder, trained["folder"] / "model" / "best.npz")
    assert (folder / "assets" / "vocabulary.txt").exists()


def test_the_servers_runtime_gives_the_same_answers_to_any_text(trained, served):
    texts = [b"Anna Smith lives in Rome", *ODD_TEXTS.values()]
    requests = [("serving_default", {"text": [text.decode("latin-1")]}) for text in texts]
    requests.append(("serving_default", {"text": [text.decode("latin-1") for text in texts[:3]]}))
    split = {"tokens": [["Anna", "Smith", "junk"], ["Rome", "junk", "junk"]], "lengths": [2, 1]}
    requests.append(("tokens", split))
    *answers, three, tokens = ask_server(trained["folder"] / "saved" / "1", *requests)
    for text, answer in zip(texts, answers, strict=True):
        expected = tag(served, text)
        assert answer["lengths"] == expected["lengths"].numpy().tolist()
        assert answer["tags"] == expected["tags"].numpy().astype("U").tolist()
        np.testing.assert_allclose(answer["confidence"], expected["confidence"], atol=1e-5)
    assert three["tags"][0] == answers[0]["tags"][0]
    assert three["lengths"] == [5, 0, 0]
    assert tokens["tokens"] == [["Anna", "Smith"], ["Rome", ""]]
    assert tokens["tags"][0] == answers[0]["tags"][0][:2]


def test_warm_up_requests_are_what_a_server_replays(trained):
    folder = trained["folder"] / "saved" / "1"
    answers = dict(replay_warmup(folder, model="saved"))
    assert list(answers) == ["serving_default", "tokens", "entities", "n_best"]
    assert all(len(values) == 4 for answer in answers.values() for values in answer.values())


def test_help_shows_the_tasks_own_flags_first():
    run = program("ner", "--help", check=False)
    assert "--word_dropout" in run.stdout
    assert "--learning_rate" in run.stdout
    assert run.stdout.index("--word_dropout") < run.stdout.index("--learning_rate")


def test_a_process_says_the_same_and_nothing_on_stderr_and_a_terminal_sees_colours(trained):
    flags = ["--mode=predict", f"--model={trained['folder'] / 'saved'}", "--text=Anna Smith"]
    expected = program("ner", *flags).stdout
    ours, theirs = pty.openpty()
    run = subprocess.run(
        command("ner", *flags), cwd=ROOT, env=environment(), stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert (run.returncode, run.stderr) == (0, b"")
    assert "[Anna Smith" in expected
    assert "\033[1;" in shown
    assert "Anna Smith" in shown


@pytest.mark.slow
def test_both_directions_are_compared_at_words_that_only_what_follows_decides(tmp_path):
    flags = [*SMALL, *QUICK, "--nocrf", "--epochs=1", "--model_dir", tmp_path]
    with small_corpus(demo):
        run = program("ner", "--mode=directions", *flags)
    found = json.loads((tmp_path / "directions.json").read_text())
    shares = found["accuracy_at_ambiguous_words"]
    assert shares.keys() == {"bidirectional", "forward_only"}
    assert all(0 <= share <= 1 for share in shares.values())
    assert found["command"].startswith("python -m tasks.ner --mode=directions --units=8")
    assert f"forward only {shares['forward_only']:.1%}" in run.stdout
    for name, both in (("bidirectional", True), ("forward_only", False)):
        results = json.loads((tmp_path / name / "results.json").read_text())
        assert results["config"]["bidirectional"] is both
    refused = program("ner", "--mode=directions", "--data=files", check=False)
    assert refused.returncode == 1
    assert "about the built-in corpus" in refused.stderr


def test_parts_of_speech_are_trained_likewise(tmp_path):
    """Without recurrence and CRF, with vectors of others, and with sentences cut in training."""
    corpus = tmp_path / "a.conllu"
    rows = [("Teddy", "PROPN"), ("bears", "NOUN"), ("sleep", "VERB")]
    sentence = "".join(f"{i}\t{w}\t_\t{t}\t_\t_\t0\t_\t_\t_\n" for i, (w, t) in enumerate(rows, 1))
    corpus.write_text((sentence + "\n") * 30)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("3 5\nTeddy 1 2 3 4 5\nsleep 5 4 3 2 1\nzebra 0 0 0 0 9\n")
    run = program(
        "pos", *SMALL, "--data=files", f"--train_file={corpus}", "--cell=none", "--nocrf",
        f"--embeddings_file={vectors}", "--max_length=2", "--mixed_precision=mixed_bfloat16",
        "--model_dir", tmp_path / "m", "--export_dir", tmp_path / "s",
    )  # fmt: skip
    assert "27 training sentences are cut to --max_length=2 words" in run.stderr
    results = json.loads((tmp_path / "m" / "results.json").read_text())
    assert results["validation"]["by_tag"]["VERB"]["support"] == 3
    assert results["model"]["embedding_dim"] == 5
    predict = ["--mode=predict", f"--model={tmp_path / 's'}"]
    shown = program("pos", *predict, input="Teddy sleeps\n").stdout
    assert len(re.findall("Teddy|sleeps", shown)) == 2
    assert "zebra" in (tmp_path / "m" / "vocabulary.txt").read_text().split()
    vectors.write_text("Teddy 1 2 3\nsleep 1 x 3\n")
    run = program(
        "pos", "--data=files", f"--train_file={corpus}", f"--embeddings_file={vectors}", check=False
    )
    assert run.returncode == 1
    assert f"{vectors}:2: expected a word and 3 numbers" in run.stderr


@pytest.mark.slow
def test_the_benchmark_of_models_measures_both_and_the_savedmodel(trained, tmp_path, monkeypatch):
    # A model like that which it would save now.
    saved = str(trained["folder"] / "saved" / "1")
    monkeypatch.setattr(Trainer, "save", lambda trainer, model, folder: saved)
    output = tmp_path / "models.json"
    flags = [*trained["flags"], *QUICK, "--nocrf", "--nobidirectional", "--batches=2", "--turns=1"]
    flags.append(f"--output_file={output}")
    program("benchmark_models", *flags)
    (results,) = json.loads(output.read_text())
    trained_per_second = results["trained_per_second"]
    ratio = trained_per_second["ours"] / trained_per_second["keras"]
    assert results["times_keras"] == pytest.approx(ratio)
    assert all(speed > 0 for speed in results["served_per_second"].values())


def test_the_benchmark_of_models_takes_the_flags_of_a_task():
    run = program_process("benchmark_models", "--task=lm", "--turns=0", check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "benchmark_models: --turns: expected 1 or more. Received: 0\n"
    run = program("benchmark_models", "--task=lm", "--crf", check=False)
    assert "Unknown command line flag 'crf'" in run.stderr


def test_the_most_probable_sequences_of_tags_are_shown_and_written(trained, tmp_path):
    model = ["--mode=predict", f"--model={trained['folder'] / 'saved'}", "--n_best=3"]
    text = "Marie Curie visited Paris."
    shown = program("ner", *model, f"--text={text}").stdout.splitlines()
    assert len(shown) == 3
    p = [float(line.split()[0]) for line in shown]
    assert p == sorted(p, reverse=True) and 0 < sum(p) <= 1.0001
    plain = program("ner", *model[:2], f"--text={text}").stdout.splitlines()
    assert shown[0].split(maxsplit=1)[1] == plain[0]
    (tmp_path / "in.txt").write_text(f"{text}\n")
    flags = [f"--input_file={tmp_path / 'in.txt'}", f"--output_file={tmp_path / 'out.jsonl'}"]
    program("ner", *model, *flags, "--tag_scheme=BIOES")
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row["n_best"][0]["tags"] == row["tags"] and len(row["n_best"]) == 3
    run = program("ner", *model, f"--input_file={trained['data']}", check=False)
    assert run.returncode == 1 and "--n_best: expected texts" in run.stderr
    for more in ([f"--output_file={tmp_path / 'out.csv'}"], ["--mode=evaluate"]):
        run = program("ner", *model, *flags[:1], *more, check=False)
        assert "--n_best: expected --mode=predict" in run.stderr, more
    old = ["--mode=predict", "--model=sentiment_demo", "--n_best=0"]
    assert "--n_best: expected 1 to 1000" in program("ner", *old, check=False).stderr
