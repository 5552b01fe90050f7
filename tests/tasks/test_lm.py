"""The language model program, run as a user runs it, and its SavedModel."""

import json
import re
import signal

import numpy as np
import pytest
import tensorflow as tf
from programs import (
    ODD_TEXTS,
    ask_server,
    check_saved_once_without_xla,
    program,
    program_stopped_after,
    replay_warmup,
    small_corpus,
)

from tasks import lm
from tasks.experiments import agreement
from tasks.framework import train
from tasks.language import Language, attractors, neural_cache

SMALL = ["--units=8", "--embedding_dim=8", "--batch_size=4", "--epochs=3", "--learning_rate=0.02"]
SMALL += ["--nojit", "--cell=rnn"]
LINES = ["the cat was full .", "the cats were full .", "a dog\\ ran , ran"] * 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of running text, in characters."""
    folder = tmp_path_factory.mktemp("lm")
    data = folder / "data.txt"
    data.write_text("\n".join(LINES))
    flags = ["--data=files", f"--train_file={data}", f"--valid_file={data}", f"--test_file={data}"]
    flags += [*SMALL, "--running", "--tokens=characters", "--window=20", "--depth=2"]
    flags += ["--dynamic_evaluation=0.05", "--neural_cache=200"]
    program("lm", *flags, "--model_dir", folder / "model", "--export_dir", folder / "saved")
    return {"flags": flags, "data": data, "model": folder / "model", "saved": folder / "saved"}


@pytest.fixture(scope="module")
def served(trained):
    return tf.saved_model.load(str(trained["saved"] / "1"))


def test_training_evaluation_and_the_savedmodel_agree(trained, served, tmp_path):
    results = json.loads((trained["model"] / "results.json").read_text())
    losses = [row["loss"] for row in results["epochs"]]
    assert losses[-1] < losses[0]
    text = "\n".join(LINES)
    out = served.signatures["serving_default"](text=tf.constant([text]))
    assert int(out["token_count"][0]) == len(text) + 1
    assert results["counts"]["train"]["tokens"] == len(text) + 1
    nats = results["test"]["nats_per_token"]
    assert -float(out["log_probability"][0]) / (len(text) + 1) == pytest.approx(nats, abs=1e-4)
    assert float(out["perplexity"][0]) == pytest.approx(results["test"]["perplexity"], rel=1e-4)
    assert results["test"]["bits_per_token"] == pytest.approx(nats / np.log(2))
    learning = results["dynamic_evaluation"]["test"]
    assert learning["perplexity"] < results["test"]["perplexity"]
    looking_back = results["neural_cache"]  # the text repeats itself
    assert looking_back["test"]["perplexity"] < 0.9 * results["test"]["perplexity"]
    assert looking_back["size"] == 200 and looking_back["lambda"] in neural_cache.LAMBDAS
    program(
        "lm", "--mode=evaluate", f"--model={trained['saved']}", "--data=files", "--running",
        f"--test_file={trained['data']}", "--model_dir", tmp_path,
    )  # fmt: skip
    again = json.loads((tmp_path / "evaluation.json").read_text())["test"]
    assert again["nats_per_token"] == pytest.approx(nats, abs=1e-4)


def test_a_run_that_was_stopped_goes_on_with_its_carried_state(trained, tmp_path, capsys):
    """One epoch, and then the rest, as one run: the states at the end of the epoch are kept."""
    flags = [*trained["flags"], "--model_dir", tmp_path / "m"]
    export = ["--export_dir", tmp_path / "s"]
    stopped = program_stopped_after(tmp_path / "m" / "checkpoint.npz", "lm", *flags, *export)
    assert stopped.returncode == 128 + signal.SIGTERM
    assert "the same command resumes it" in stopped.stderr
    assert not (tmp_path / "m" / "results.json").exists()
    assert not list((tmp_path / "m").glob("*.tmp*"))
    assert not (tmp_path / "s").exists()
    train(Language(), lm.PROGRAM.parse(list(map(str, flags)))[0], str(tmp_path / "m"))
    assert "Resuming after epoch" in capsys.readouterr().out
    rows = [
        json.loads((folder / "results.json").read_text())["epochs"]
        for folder in (trained["model"], tmp_path / "m")
    ]
    assert [(r["loss"], r["log_likelihood"]) for r in rows[0]] == [
        (r["loss"], r["log_likelihood"]) for r in rows[1]
    ]


def test_score_prints_each_tokens_probability(trained, tmp_path):
    text = "the cat"
    question = ["--mode=score", f"--model={trained['saved']}", f"--text={text}"]
    run = program("lm", *question)
    total, perplexity = map(float, re.search(r"log P (\S+), perplexity (\S+)", run.stdout).groups())
    each = [float(p) for p in re.findall(r"\(([\d.e-]+)\)", run.stdout)]
    assert len(each) == len(text) + 1
    assert np.sum(np.log(each)) == pytest.approx(total, rel=0.05)
    assert perplexity == pytest.approx(np.exp(-total / len(each)), rel=0.01)
    output = tmp_path / "out.jsonl"
    program(
        "lm", "--mode=score", f"--model={trained['saved']}", "--text=x", f"--output_file={output}"
    )
    row = json.loads(output.read_text())
    assert row["tokens"] == ["<UNK>", "<EOS>"]
    assert row["unknown_count"] == 1


def ask(served, prompts, seeds, lengths, temperature=1.0, top_k=0, top_p=1.0):
    count = len(prompts)
    return served.signatures["generate"](
        prompt=tf.constant(prompts), max_length=tf.constant(lengths), seed=tf.constant(seeds),
        temperature=tf.fill([count], temperature), top_k=tf.fill([count], top_k),
        top_p=tf.fill([count], top_p),
    )  # fmt: skip


def test_the_same_seed_gives_the_same_text_alone_or_in_a_batch(served):
    prompts, seeds, lengths = ["the cat", "", "☃ unknown", "the"], [3, 1, 2, 3], [40, 300, 5, 0]
    together = ask(served, prompts, seeds, lengths)
    for i in range(4):
        alone = ask(served, prompts[i : i + 1], seeds[i : i + 1], lengths[i : i + 1])
        assert alone["text"][0] == together["text"][i]
        np.testing.assert_allclose(
            alone["log_probability"][0], together["log_probability"][i], rtol=1e-4, atol=1e-4
        )
    assert together["text"][0].numpy().startswith(b"the cat")
    assert together["text"][3] == b"the"
    assert float(together["log_probability"][3]) == 0
    other = ask(served, ["the cat"], [4], [40])
    assert other["text"][0] != together["text"][0]


def test_what_is_drawn_has_the_probability_that_scoring_gives_it(served):
    out = ask(served, ["the "], [5], [12], top_k=5)
    text = out["text"].numpy()[0]
    tokens = served.signatures["tokens"](text=tf.constant([text]))
    drawn = tokens["log_probabilities"].numpy()[0, len("the ") : len(text)]
    assert len(text) == len("the ") + 12
    assert float(out["log_probability"][0]) == pytest.approx(float(drawn.sum()), abs=1e-3)


def test_greedy_decoding_takes_the_likeliest_and_unknown_is_never_drawn(served):
    greedy = ask(served, ["the", "the"], [1, 2], [30, 30], temperature=0.0)["text"].numpy()
    assert greedy[0] == greedy[1] == ask(served, ["the"], [3], [30], top_k=1)["text"].numpy()[0]
    wild = ask(served, [""] * 50, list(range(50)), [40] * 50, temperature=float("inf"))["text"]
    assert not any(b"<UNK>" in text for text in wild.numpy())


def test_the_terminal_shows_what_the_signature_gives(trained, served):
    flags = ["--prompt=the cat", "--max_length=40", "--seed=3", "--num_samples=2"]
    shown = program("lm", "--mode=generate", f"--model={trained['saved']}", *flags).stdout
    expected = ask(served, ["the cat"] * 2, [3, 4], [40, 40])["text"].numpy()
    assert shown == "".join(one.decode() + "\n" for one in expected)


@pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_any_text_has_a_probability_that_does_not_depend_on_its_batch(served, odd):
    score = served.signatures["serving_default"]
    alone, beside = score(text=tf.constant([odd])), score(text=tf.constant(["the cat", odd, ""]))
    np.testing.assert_allclose(
        beside["log_probability"][1], alone["log_probability"][0], rtol=1e-4, atol=1e-3
    )
    assert int(beside["token_count"][2]) == 1
    assert np.isfinite(alone["log_probability"].numpy()).all()


def test_servers_get_the_same_answers(trained, served):
    folder, texts = trained["saved"] / "1", ["the cat", "", "\\ ☃"]
    expected = served.signatures["serving_default"](text=tf.constant(texts))["log_probability"]
    request = {
        "prompt": ["the cat", ""], "max_length": [20, 30], "temperature": [1.0, 0.5],
        "top_k": [0, 3], "top_p": [0.9, 1.0], "seed": [1, 2],
    }  # fmt: skip
    here = served.signatures["generate"](
        **{name: tf.constant(value) for name, value in request.items()}
    )
    latin = [text.encode().decode("latin-1") for text in texts]
    scored, drawn = ask_server(folder, ("serving_default", {"text": latin}), ("generate", request))
    np.testing.assert_allclose(scored["log_probability"], expected, atol=1e-3)
    assert drawn["text"] == [one.decode("latin-1") for one in here["text"].numpy()]
    check_saved_once_without_xla(folder, trained["model"] / "best.npz")
    assert [name for name, _ in replay_warmup(folder, "saved")] == [
        "serving_default", "tokens", "generate", "stream",
    ]  # fmt: skip


def test_standard_input_is_scored_as_it_comes(trained, served):
    text = "the cats\nwere ☃"
    run = program("lm", "--mode=stream", "--model", trained["saved"], input=text)
    tokens, found = zip(*(line.split("\t") for line in run.stdout.splitlines()), strict=True)
    assert "".join(tokens[:8]) == "the cats"
    assert tokens[-2:] == ("<UNK>", "<EOS>")
    expected = served.signatures["tokens"](text=tf.constant([text]))["log_probabilities"][0]
    np.testing.assert_allclose(np.array(found, float), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=generate", "--temperature=-1"], "--temperature: expected 0 or more"),
        (["--mode=generate", "--top_p=0"], "--top_p: expected a probability"),
        (["--mode=generate", "--top_p=1.5"], "--top_p: expected 0 to 1. Received: 1.5"),
        (["--mode=generate", "--top_k=-2"], "--top_k: expected 0 to 2147483647"),
        (["--mode=generate"], "--mode=generate needs --model"),
        (["--bidirectional"], "reads forward only"),
        (["--cell=none"], "expected a recurrent layer"),
        (["--dynamic_evaluation=0.1"], "goes with --running"),
        (["--neural_cache=9"], "goes with --running"),
        (["--mode=evaluate", "--model=lm_demo", "--neural_cache=9"], "expected --mode=train"),
        (["--mode=export", "--neural_cache=9"], "expected --mode=train"),
        (["--data=files", "--train_file=/dev/null"], "expected text, found none"),
        (["--data=files", "--train_file={short}", "--running"], "tokens or more"),
        (["--mode=agreement", "--data=files"], "about sentences of its own"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(flags, message, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("one two\nthree four")
    run = program("lm", *[flag.format(short=short) for flag in flags], check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_agreement_is_a_table_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(agreement, "CELLS", ("lstm",))
    monkeypatch.setattr(agreement, "SEEDS", 1)
    monkeypatch.setattr(agreement, "CASES", 5)
    flags = ["--units=8", "--epochs=1", "--batch_size=128", "--nojit", "--model_dir", tmp_path]
    with small_corpus(attractors):
        run = program("lm", "--mode=agreement", *flags)
        again = program("lm", "--mode=agreement", *flags)
    assert "ms/step" in run.stdout and "ms/step" not in again.stdout  # what is done stays done
    rows = json.loads((tmp_path / "agreement.json").read_text())["rows"]
    assert [row["network"] for row in rows] == ["lstm, 8 units", "rnn, 26 units"]
    for row in rows:
        assert list(row["shares"]["attractors"]) == [str(n) for n in range(9)]
        assert all(0 <= share <= 1 for (share,) in row["shares"]["attractors"].values())
    assert (tmp_path / "agreement.png").exists()
    assert "| lstm, 8 units |" in run.stdout
