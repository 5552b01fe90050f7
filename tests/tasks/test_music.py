"""The music program, run as a user runs it, and its SavedModel."""

import json
import re
import signal

import mido
import numpy as np
import pytest
from programs import (
    ask_server,
    check_saved_once_without_xla,
    program,
    program_stopped_after,
    replay_warmup,
    small_corpus,
)

import zoo
from tasks.framework import train
from tasks.melody import Melody, MelodyConfig, demo, midi

SMALL = ["--units=12", "--chain_units=8", "--depth=2", "--batch_size=8", "--epochs=2", "--nojit"]
SMALL += ["--window=24", "--learning_rate=0.01"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    flags = [*SMALL, f"--model_dir={folder / 'model'}", f"--export_dir={folder / 'saved'}"]
    with small_corpus(demo):
        shown = program("music", *flags, "--weights=float16").stdout
    return {"model": folder / "model", "saved": folder / "saved", "shown": shown}


def test_training_evaluation_and_the_savedmodel_agree(trained, tmp_path):
    results = json.loads((trained["model"] / "results.json").read_text())
    losses = [row["loss"] for row in results["epochs"]]
    assert losses[-1] < losses[0]
    assert results["counts"]["test"] == {"pieces": 4, "frames": 512, "notes": 2560}
    found = results["test"]
    assert found["frame_log_likelihood"] < 0
    assert 0 <= found["accuracy"] <= 1
    best = max(row["frame_log_likelihood"] for row in results["epochs"])
    assert results["validation"]["frame_log_likelihood"] == pytest.approx(best, rel=1e-5)
    for name in ("learning_curves", "validation_roll", "test_roll"):
        assert (trained["model"] / f"{name}.png").exists()
    assert re.search(r"^C4 E4 G4 [|×]", trained["shown"], re.MULTILINE)
    with small_corpus(demo):
        program("music", "--mode=evaluate", f"--model={trained['saved']}", "--model_dir", tmp_path)
    again = json.loads((tmp_path / "evaluation.json").read_text())["test"]
    score = "frame_log_likelihood"
    assert again[score] == pytest.approx(found[score], rel=1e-2)


def test_accuracy_counts_what_sounds_and_nothing_else():
    task = Melody()
    piece = [[60, 64], [], [60]]
    predicted = zoo.predictions.ScoredPiece([-1.0, -2.0, -3.0], [[60, 65], [], []])
    found = task.metrics([piece], [predicted])
    assert found == {"frame_log_likelihood": -2.0, "accuracy": 1 / 4}


def test_a_run_that_was_stopped_goes_on(trained, tmp_path, capsys):
    flags = [*SMALL, "--model_dir", tmp_path / "m", "--export_dir", tmp_path / "s"]
    with small_corpus(demo):
        stopped = program_stopped_after(tmp_path / "m" / "checkpoint.npz", "music", *flags)
        assert stopped.returncode == 128 + signal.SIGTERM
        config = MelodyConfig.of(
            units=12, chain_units=8, depth=2, batch_size=8, epochs=2, jit=False, window=24,
            learning_rate=0.01,
        )  # fmt: skip
        train(Melody(), config, str(tmp_path / "m"))
    assert "Resuming after epoch" in capsys.readouterr().out
    rows = [
        json.loads((folder / "results.json").read_text())["epochs"]
        for folder in (trained["model"], tmp_path / "m")
    ]
    assert [r["loss"] for r in rows[0]] == [r["loss"] for r in rows[1]]


def test_a_server_composes_and_scores_without_xla(trained):
    folder = trained["saved"] / "1"
    model = zoo.load(folder)
    asked = {
        "notes": [[60, 64], [0, 0]],
        "length": [5, 9],
        "temperature": [1.0, 0.8],
        "seed": [3, 4],
    }
    here = model.ask("serving_default", asked)
    frames = here["frames"].tolist()
    found = ask_server(
        folder, ("serving_default", asked), ("score", {"frames": frames, "lengths": [5, 9]})
    )
    assert found[0]["frames"] == frames
    expected = model.ask("score", {"frames": frames, "lengths": [5, 9]})
    np.testing.assert_allclose(found[1]["log_probability"], expected["log_probability"], rtol=1e-4)
    answers = dict(replay_warmup(folder, "saved"))
    assert answers.keys() == {"serving_default", "score", "stream"}


def test_weights_are_saved_once(trained, tmp_path):
    # The recipe is the run's own.
    flags = ["--mode=export", "--model_dir", trained["model"], "--export_dir", tmp_path]
    with small_corpus(demo):
        program("music", *flags)
    check_saved_once_without_xla(tmp_path / "1", trained["model"] / "best.npz")
    again = zoo.keras_model(tmp_path / "1")
    assert again.config.rows == 0 and again.config.output == "chained"


def test_a_piece_is_written_as_midi_roll_and_sound_and_scored_again(trained, tmp_path):
    flags = ["--mode=generate", f"--model={trained['saved']}", "--seed_notes=C4 E4 G4", "--seed=3"]
    flags += ["--length=12", "--temperature=0.9", f"--output_file={tmp_path / 'out.mid'}"]
    shown = program("music", *flags).stdout
    assert shown.startswith("C4 E4 G4")
    assert {path.name for path in tmp_path.iterdir()} == {"out.mid", "out.png", "out.wav"}
    asked = {"notes": [[60, 64, 67]], "length": [12], "temperature": [0.9], "seed": [3]}
    frames = zoo.load(trained["saved"]).ask("serving_default", asked)["frames"][0]
    piece = [(np.flatnonzero(frame) + 21).tolist() for frame in frames]
    while not piece[-1]:
        piece.pop()
    assert midi.read(str(tmp_path / "out.mid")) == piece
    score = ["--mode=score", f"--model={trained['saved']}", f"--input_file={tmp_path / 'out.mid'}"]
    shown = program("music", *score, "--surprises=2").stdout.splitlines()
    total = float(re.match(r"piece 1: log P (\S+), ", shown[0])[1])
    lengths = np.array([len(piece)], np.int32)
    told = {"frames": frames[None, : len(piece)], "lengths": lengths}
    expected = zoo.load(trained["saved"]).ask("score", told)
    assert total == pytest.approx(float(expected["log_probability"][0]), abs=0.01)
    least = int(expected["log_probabilities"][0].argmin())
    assert len(shown) == 3 and shown[1].startswith(f"  frame {least + 1}: ")
    output = tmp_path / "scored.jsonl"
    program("music", *score, f"--output_file={output}")
    row = json.loads(output.read_text())
    assert row["surprises"][0]["frame"] == least + 1 and len(row["surprises"]) == 5
    assert row["nats_per_frame"] == pytest.approx(-total / len(piece), abs=0.01)


def test_only_what_is_asked_for_is_written(trained, tmp_path):
    flags = ["--mode=generate", f"--model={trained['saved']}", "--length=1"]
    for ending in ("png", "wav"):
        program("music", *flags, f"--output_file={tmp_path / f'a.{ending}'}")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.wav"}
    program("music", *flags, "--seed_notes=21 108", f"--output_file={tmp_path / 'b.mid'}")
    assert mido.MidiFile(tmp_path / "b.mid").length > 0
    predicted = program(
        "music", "--mode=predict", f"--model={trained['saved']}", "--text=A4"
    ).stdout
    assert predicted.startswith("A4 ")
    asked, answers = tmp_path / "lines.txt", tmp_path / "answers.jsonl"
    asked.write_text("A4\nC4 E4\nA4\n")
    flags = ["--mode=predict", f"--model={trained['saved']}", f"--input_file={asked}"]
    program("music", *flags, f"--output_file={answers}")
    rows = [json.loads(line)["frames"] for line in answers.read_text().splitlines()]
    assert rows[0] == rows[2] != rows[1] and rows[1][0] == [60, 64]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=generate"], "--mode=generate needs --model"),
        (["--mode=generate", "--seed_notes=C9"], "A0 to C8"),
        (["--mode=generate", "--seed_notes=do re"], "expected notes such as C4"),
        (["--mode=generate", "--length=0"], "--length: expected 1 to 100000. Received: 0"),
        (["--mode=generate", "--length=3000000000"], "--length: expected 1 to 100000"),
        (["--mode=generate", "--tempo=1"], "--tempo: expected 4"),
        (["--mode=generate", "--model={saved}", "--step=quarter"], "'eighth' there, 'quarter' now"),
        (["--mode=evaluate", "--model={saved}", "--step=quarter"], "'eighth' there, 'quarter' now"),
        (["--mode=score", "--input_file={deep}", "--model={saved}"], "expected JSON"),
        (["--mode=predict", "--model={saved}", "--input_file={lines}"], "lines.txt: input 2: expe"),
        (["--mode=generate", "--temperature=-1"], "--temperature: expected 0 or more"),
        (["--mode=generate", "--output_file=a.txt"], "ends in .mid or .png or .wav"),
        (["--mode=generate", "--output_file=no/a.mid"], "in a folder that there is"),
        (["--mode=score"], "--mode=score needs --input_file"),
        (
            ["--mode=score", "--input_file={bad}", "--model={saved}"],
            "expected a readable MIDI",
        ),
        (["--mode=score", "--input_file={bad}", "--output_file=a.csv"], "ends in .jsonl"),
        (["--mode=stream", "--model={saved}"], "--mode=stream: expected a task of texts"),
        (["--mode=predict", "--model={saved}", "--text=H2"], "--text: expected notes"),
        (["--bidirectional"], "reads forward only"),
        (["--cell=none"], "expected a recurrent layer"),
        (["--data=tfds:maestro"], "expected demo or files"),
        (["--data=files", "--train_file={bad}"], "expected a readable MIDI"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(flags, message, trained, tmp_path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"no")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "lines.txt").write_text("C4\nH2\n")
    named = {"bad": bad, "saved": trained["saved"]}
    named |= {"deep": tmp_path / "deep.json", "lines": tmp_path / "lines.txt"}
    run = program("music", *[flag.format(**named) for flag in flags], check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_help_has_no_flags_of_words():
    shown = program("music", "--help").stdout
    for name in ("output", "chain_units", "seed_notes", "length", "temperature", "step", "window"):
        assert re.search(rf"^  --(\[no\])?{name}: ", shown, re.MULTILINE)
    for name in ("vocab_size", "embedding_dim", "word_dropout", "max_length", "text_column"):
        assert not re.search(rf"^  --{name}: ", shown, re.MULTILINE)
