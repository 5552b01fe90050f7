"""The tagging programs, run as a user runs them, and their SavedModels."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SMALL = ["--units=8", "--character_dim=4", "--embedding_dim=8", "--batch_size=16", "--epochs=3"]
ROOT = pathlib.Path(__file__).parent.parent

TRAIN = [
    [("Anna", "B-PER"), ("Smith", "I-PER"), ("lives", "O"), ("in", "O"), ("Rome", "B-LOC")],
    [("Rome", "B-LOC"), ("is", "O"), ("old", "O")],
    [("Paul", "B-PER"), ("met", "O"), ("Anna", "B-PER"), (".", "O")],
]


def program(task, *arguments, check=True, **options):
    command = [sys.executable, "-m", f"tasks.{task}", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)
    if check:
        assert run.returncode == 0, run.stderr
    return run


def write_conll(path, sentences, times=1):
    text = "\n".join("".join(f"{w}\t{t}\n" for w, t in s) for s in sentences * times)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small tagger, trained on files."""
    folder = tmp_path_factory.mktemp("ner")
    data = write_conll(folder / "data.conll", TRAIN, times=20)
    flags = ["--data=files", f"--train_file={data}", f"--valid_file={data}", f"--test_file={data}"]
    flags += [*SMALL, "--learning_rate=0.02", "--min_count=1"]
    export = ["--model_dir", folder / "model", "--export_dir", folder / "saved"]
    run = program("ner", *flags, *export)
    return {"folder": folder, "flags": flags, "data": data, "run": run}


@pytest.fixture(scope="module")
def served(trained):
    return tf.saved_model.load(str(trained["folder"] / "saved" / "1"))


def tag(served, *texts):
    return served.signatures["serving_default"](text=tf.constant(texts, tf.string))


def test_training_writes_results_logs_and_figures(trained):
    model = trained["folder"] / "model"
    results = json.loads((model / "results.json").read_text())
    assert results["test"]["f1"] == pytest.approx(results["validation"]["f1"])
    assert results["sentences"] == {"train": 60, "validation": 60, "test": 60}
    assert results["config"]["units"] == 8
    for name in ("log.csv", "learning_curves.png", "confusion_test.png", "tensorboard"):
        assert (model / name).exists()


def test_the_savedmodel_scores_as_training_did(trained):
    run = program(
        "ner", "--mode=evaluate", f"--model={trained['folder'] / 'saved'}",
        "--data=files", f"--test_file={trained['data']}",
    )  # fmt: skip
    results = json.loads((trained["folder"] / "model" / "results.json").read_text())
    assert f"{results['test']['f1']:.4f}" in run.stdout


def test_resuming_a_killed_run_ends_as_an_uninterrupted_one(trained, tmp_path):
    flags = [*trained["flags"], "--model_dir", tmp_path / "m", "--export_dir", tmp_path / "s"]
    command = [sys.executable, "-m", "tasks.ner", *map(str, flags)]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "m" / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = json.loads(str(np.load(tmp_path / "m" / "checkpoint.npz")["history"]))
    assert len(done) < 3
    program("ner", *flags)
    whole = np.load(trained["folder"] / "model" / "best.npz")
    resumed = np.load(tmp_path / "m" / "best.npz")
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], resumed[name])


def test_a_folder_of_another_run_is_refused_with_the_differing_flags(trained):
    flags = [*trained["flags"], "--units=9", "--model_dir", trained["folder"] / "model"]
    run = program("ner", *flags, check=False)
    assert run.returncode == 1
    assert "--units=8 there, 9 now" in run.stderr
    assert "Traceback" not in run.stderr


def test_exports_count_up_and_never_overwrite(trained, tmp_path):
    flags = [*trained["flags"], "--model_dir", trained["folder"] / "model", "--mode=export"]
    for version in ("1", "2"):
        program("ner", *flags, "--export_dir", tmp_path)
        assert version in os.listdir(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


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
        (["--mode=predict", "--model=no_such_model"], "no_such_model"),
        (["--preset=nonsense"], "wikiann"),
        (["--train_file=a.conll"], "--data=files"),
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


@pytest.mark.parametrize(
    "text",
    ["", " ", "word " * 20_000, "👍🏽 é e\u0301", "שלום עולם", "a\0b", b"\xff\xfe bad \x80"],
)
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
    with np.load(trained["folder"] / "model" / "best.npz") as best:
        weights = sum(best[name].nbytes for name in best.files)
    saved = sum(f.stat().st_size for f in (folder / "variables").iterdir())
    assert saved < 1.2 * weights + 20_000
    saved_model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            assert not node.attr["_XlaMustCompile"].b
    assert (folder / "assets" / "vocabulary.txt").exists()


def test_it_loads_where_our_packages_are_not(trained, tmp_path):
    code = (
        "import sys, tensorflow as tf; assert 'layers' not in sys.modules; "
        f"m = tf.saved_model.load({str(trained['folder'] / 'saved' / '1')!r}); "
        "print(m.signatures['serving_default'](text=tf.constant(['Anna in Rome']))['tokens'])"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert b"Rome" in run.stdout.encode(), run.stderr


SERVER = """
import ctypes, glob, sys
library, folder = sys.argv[1:]
tf = ctypes.CDLL(library)
tf._ZN10tensorflow21DisableXlaCompilationEv()
for f in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel", "TF_Message"):
    getattr(tf, f).restype = ctypes.c_void_p
void = ctypes.c_void_p
status = void(tf.TF_NewStatus())
session = tf.TF_LoadSessionFromSavedModel(
    void(tf.TF_NewSessionOptions()), None, folder.encode(), (ctypes.c_char_p * 1)(b"serve"), 1,
    void(tf.TF_NewGraph()), None, status)
assert tf.TF_GetCode(status) == 0, ctypes.string_at(tf.TF_Message(status))
assert session and "tensorflow" not in sys.modules
print("loaded")
"""  # noqa: E501


def test_the_servers_loader_takes_it_with_xla_disabled(trained):
    library = os.path.join(os.path.dirname(tf.__file__), "libtensorflow_cc.so.2")
    folder = str(trained["folder"] / "saved" / "1")
    run = subprocess.run(
        [sys.executable, "-c", SERVER, library, folder], capture_output=True, text=True
    )
    assert run.stdout.strip().endswith("loaded"), run.stderr


def test_parts_of_speech_take_the_same_road(tmp_path):
    corpus = tmp_path / "a.conllu"
    rows = [("Teddy", "PROPN"), ("bears", "NOUN"), ("sleep", "VERB")]
    sentence = "".join(f"{i}\t{w}\t_\t{t}\t_\t_\t0\t_\t_\t_\n" for i, (w, t) in enumerate(rows, 1))
    corpus.write_text((sentence + "\n") * 30)
    program(
        "pos", *SMALL, "--data=files", f"--train_file={corpus}", "--cell=none", "--nocrf",
        "--model_dir", tmp_path / "m", "--export_dir", tmp_path / "s",
    )  # fmt: skip
    results = json.loads((tmp_path / "m" / "results.json").read_text())
    assert results["validation"]["by_tag"]["NOUN"]["support"] == 3
