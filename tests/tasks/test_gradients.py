"""The program of gradients: what it draws is what automatic differentiation finds."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs
from pages import Elements
from PIL import Image
from programs import program

from tasks import gradients
from tasks.experiments import exploding, gradient_flow, influence_views, influences, recall
from tasks.experiments.influence_readers import fresh_reader, reader_of
from tasks.experiments.influences import Influences
from tasks.framework import tables, train
from tasks.language import Language, LanguageConfig

QUICK = ["--quick", "--units=4", "--steps=30"]
reader_of = functools.cache(reader_of)


# --- Flow ----------------------------------------------------------------------------------------


def norms_by_tape(model, x, y):
    """‖∂L<T>/∂s<t>‖ by automatic differentiation of a loop of steps, `[batch, time]` by state."""
    layer, scores = model.layers
    states, seen = layer.get_initial_state(len(x)), []
    with tf.GradientTape() as tape:
        for t in range(x.shape[1]):
            _, states = layer.step(x[:, t], states)
            # As they enter the next step: a<t> of an LSTM does not move with c<t>.
            states = [tf.identity(state) for state in states]
            tape.watch(states)
            seen.append(states)
        loss = tf.reduce_sum((scores(states[0]) - y) ** 2)
    found = tape.gradient(loss, seen, unconnected_gradients="zero")
    return {
        name: np.stack([np.linalg.norm(step[i], axis=-1) for step in found], axis=1)
        for i, name in enumerate(layer.cell.states)
    }


@pytest.mark.parametrize("cell", gradient_flow.CELLS.values())
@without_graphs
def test_norms_are_those_of_automatic_differentiation(cell):
    model = recall.network(cell, units=5, seed=3, dtype="float64")
    x, y = recall.batch(np.random.default_rng(0), rows=3, steps=12)
    expected = norms_by_tape(model, x.astype("float64"), y.astype("float64"))
    last = next(iter(expected.values()))[:, -1:]  # by the output
    for name, found in gradient_flow.norms(model, x, y).items():
        with np.errstate(divide="ignore"):  # of c<T>, by which L<T> does not change
            each = np.exp(np.mean(np.log(expected[name] / last), axis=0))
        assert each.max() > 0.1
        np.testing.assert_allclose(found, each[::-1], rtol=1e-10)


def test_norms_are_known_where_squares_of_numbers_are_zero():
    model = recall.network("rnn", units=2, seed=0, dtype="float64", activation=None)
    model.layers[0].recurrent_kernel.assign(1e-2 * np.eye(2))
    found = gradient_flow.norms(model, *recall.batch(np.random.default_rng(0), 2, 121))["a"]
    np.testing.assert_allclose(found, 1e-2 ** np.arange(121), rtol=1e-6)


def test_small_radii_vanish_and_large_ones_explode():
    found = gradient_flow.by_radius(units=32, steps=200, seed=0)
    ends = [row[-1] for row in found["norms"].values()]
    assert found["distances"][-1] == 200
    assert ends == sorted(ends)
    assert ends[0] < 1e-50 and ends[-1] > 10


# --- Exploding -----------------------------------------------------------------------------------


def test_clipping_saves_what_becomes_nan_without_it():
    bare, clipped = exploding.runs(16, 1.0, seed=0, updates=20, say=lambda line: None)[2:]
    assert (bare["network"], bare["clip_norm"]) == (clipped["network"], 0)
    assert bare["losses"][0] == clipped["losses"][0]  # the same weights and batch
    assert bare["nan_steps"] == 20 - bare["first_nan"] + 1 and bare["last_loss"] is None
    assert clipped["nan_steps"] == 0 and clipped["first_nan"] is None
    table = tables.exploding_table({"command": "C", "runs": [bare, clipped]})
    assert f"{bare['nan_steps']} of 20, from step {bare['first_nan']} on |" in table
    assert "| 0 of 20 |" in table


@pytest.mark.parametrize("name", exploding.NETWORKS)
@without_graphs
def test_weights_follow_from_the_seed(name):
    layer, _ = exploding.NETWORKS[name]
    first, again, other = (
        recall.network("rnn", 4, seed, **layer).get_weights()[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    recurrent = {seed: recall.network("rnn", 4, seed, **layer).get_weights()[1] for seed in (0, 1)}
    if "radius" in name:
        assert not np.allclose(recurrent[0], recurrent[1])


@without_graphs
def test_a_clipped_update_is_as_long_as_it_may_be():
    class Seen(tf.keras.optimizers.SGD):
        def apply(self, gradients, variables):
            norms.append(tf.linalg.global_norm(gradients))

    for clip in (0.0, 0.5):
        norms = []
        model = recall.network("rnn", 4, 0)
        x, y = recall.batch(np.random.default_rng(0), 2, 3)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        whole = float(tf.linalg.global_norm(tape.gradient(loss, model.trainable_variables)))
        assert whole > 0.5
        (update,) = recall.train(model, [3], Seen(), clip, seed=0, rows=2)
        assert update.norm == pytest.approx(whole, rel=1e-5)
        assert float(norms[0]) == pytest.approx(clip or whole, rel=1e-5)


# --- The program ---------------------------------------------------------------------------------


def test_figures_and_their_numbers_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(gradient_flow, "LENGTHS", (6,))
    monkeypatch.setattr(exploding, "STEPS", 20)
    done = program("gradients", *QUICK, "--output_dir", tmp_path)
    names = ("gradient_flow", "gradient_radius", "exploding")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{ending}" for name in names for ending in ("png", "json")
    }
    found = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in names}
    flow = found["gradient_flow"]
    assert list(flow["fresh"]) == [*gradient_flow.CELLS, "LSTM, c"]
    assert all(len(row) == len(flow["distances"]) for row in flow["trained"].values())
    assert flow["fresh"] != flow["trained"]
    assert flow["command"].startswith("python -m tasks.gradients --quick")
    assert "NaN" not in (tmp_path / "exploding.json").read_text()
    assert tables.gradient_flow_table(flow) in done.stdout
    for name in names:
        with Image.open(tmp_path / f"{name}.png") as image:
            assert min(image.size) > 500


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=word"], "--mode: expected one of all, flow, radius, exploding, words."),
        (["--text=a b"], "--text: goes with --mode=words. Received: --mode=all"),
        (["--mode=radius", "--clip_norm=1"], "--clip_norm: goes with --mode=exploding."),
        (["--clip_norm=0"], "--clip_norm: expected 1e-06 or more. Received: 0.0"),
        (["--steps=x"], "--steps: expected an integer. Received: 'x'"),
        (["--mode=words", "--model=ner_dmo"], "--model: expected a model"),
        (["--mode=words", "--model=a", "--cell=rnn"], "expected one of --model, --model_dir and"),
        (
            ["--mode=words", "--model_dir=nowhere"],
            "--model_dir: expected the folder of a training run",
        ),
        (["--mode=words", "--text="], "--text: expected 2 to 300 words"),
        (["--mode=words", "--model=sentiment_demo", "--text=Good"], "Received: 1 word in 'Good'."),
        (["--mode=words", "--model=ner_demo", "--text= \n"], "Received: no words in ' \\n'."),
        (["--mode=words", "--text=" + "a " * 400], "Received: 401 words in 'a a a"),
        (["--mode=words", "--model=translate_demo", "--text= "], "Received: no words in ' '."),
        (["--output_dir=/dev/null"], "--output_dir: expected a folder to write to."),
    ],
)
def test_mistakes_are_a_line(flags, message):
    done = program("gradients", *flags, check=False)
    assert done.returncode == 1
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_help_names_the_modes():
    for mode in ("flow", "radius", "exploding", "words"):
        assert f"\n{mode} " in gradients.PROGRAM.help()


# --- Words ---------------------------------------------------------------------------------------


def difference_of_scores(reader, inputs, part, decision, step_of_time, size=1e-3):
    """‖∂s/∂x<t>‖ by moving what is read at one step along the gradient, both ways."""
    layer, _ = reader.layers[part]
    call, found = layer.call, []
    with tf.GradientTape() as tape, influences.watched(layer, tape) as seen:
        score = reader.decide(inputs)[0, decision]
    step = tape.gradient(score, seen[0])[0, step_of_time]
    step *= size / tf.norm(step)
    for sign in (1, -1):
        moved = tf.tensor_scatter_nd_add(tf.zeros_like(seen[0]), [[0, step_of_time]], [sign * step])
        layer.call = lambda x, *args, moved=moved, **kwargs: call(x + moved, *args, **kwargs)
        found.append(float(reader.decide(inputs)[0, decision]))
    del layer.call
    return (found[0] - found[1]) / (2 * size)


@pytest.mark.parametrize(
    ("model", "part", "decision", "word"),
    [
        ("ner_demo", 0, 1, 3),
        ("sentiment_demo", 0, 0, 2),
        ("lm_demo", 0, 3, 1),
        ("translate_demo", 0, 1, 2),
        ("translate_demo", 1, 2, 0),
    ],
)
def test_influences_are_derivatives(model, part, decision, word):
    reader, one = reader_of(model), "The cats were full."
    parts, inputs = reader.read(one)
    _, later = reader.layers[part]
    expected = difference_of_scores(reader, inputs, part, decision, word + later)
    assert expected > 1e-3
    column = word + sum(map(len, parts[:part]))
    assert reader(one).values[decision, column] == pytest.approx(expected, rel=2e-2)


def test_a_translator_reads_a_text_and_what_it_wrote():
    found = reader_of("translate_demo")("The cats were full.")
    assert found.words[-1] == "<EOS>" and found.decided[-1] == "<EOS>"
    read = len(found.words) - len(found.decided)
    assert found.words[read - 1] == "<EOS>"
    assert np.all(found.values[:, :read] > 0)
    written = found.values[:, read:]
    assert np.all(written[np.triu_indices(len(written))] == 0)
    assert np.all(written[np.tril_indices(len(written), -1)] > 0)
    elements = Elements(influence_views.as_html([found], "title"))
    shown = [tag for tag, a in elements.found if a.get("class") == "word"]
    assert shown == ["span"] * read + ["button"] * len(written)


def test_what_is_said_of_a_word_is_what_the_model_says():
    tagged = reader_of("ner_demo")("He met Harry Potter.")
    assert tagged.words == ["He", "met", "Harry", "Potter", "."]
    assert tagged.decisions == ["O", "O", "B-PER", "I-PER", "O"]
    assert reader_of("sentiment_demo")("It was good, not bad.").decisions == ["positive"]


@pytest.mark.parametrize(("model", "itself"), [("ner_demo_forward", True), ("lm_demo", False)])
def test_no_word_influences_what_was_said_before_it(model, itself):
    values = reader_of(model)("The cats, which ate the fish, were full.").values
    later = np.triu(np.ones_like(values, dtype=bool), k=1 if itself else 0)
    assert np.all(values[later] == 0)
    assert np.all(values[~later] > 0)


def test_both_directions_influence():
    assert np.all(reader_of("ner_demo")("He met Harry Potter.").values > 0)


@without_graphs
def test_many_decisions_are_found_as_few_are(monkeypatch):
    reader = fresh_reader("gru", 4, 0, ["a b c d e"])
    whole = reader("a b c d e").values
    monkeypatch.setattr(influences, "_AT_ONCE", 4)
    np.testing.assert_allclose(reader("a b c d e").values, whole, rtol=1e-4)


EVIL = ['<script>alert("1")</script>', "&amp;", "</section>"]


def test_a_page_holds_texts_as_they_are_and_needs_no_network():
    values = np.array([[0, 0, 0], [3.0, 0, 0], [1.0, 2.0, 0]])
    found = Influences(EVIL, ["<b>", "x", "y"], values)
    page = influence_views.as_html([found], "a < b")
    elements = Elements(page)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 1 and "b" not in tags and tags.count("section") == 1
    assert "<script>alert" not in page
    assert all(word in elements.text for word in EVIL)
    assert not {"src", "href"} & {name for _, attributes in elements.found for name in attributes}
    assert "http" not in page.replace("http-equiv", "")
    buttons = [attributes for tag, attributes in elements.found if tag == "button"]
    assert [int(button["data-decision"]) for button in buttons] == [0, 1, 2]
    (shares,) = [json.loads(a["data-shares"]) for tag, a in elements.found if tag == "section"]
    assert shares == [[0, 0, 0], [1, 0, 0], [0.5, 1, 0]]


def test_a_label_of_a_whole_text_is_the_button():
    found = Influences(["so", "good"], ["positive"], np.array([[1.0, 2.0]]), whole=True)
    elements = Elements(influence_views.as_html([found], "title"))
    assert [a["class"] for tag, a in elements.found if tag == "button"] == ["whole"]
    assert influence_views.as_text(found) == "positive |▒█| good  so 0.50"


def test_a_terminal_shows_wide_words_in_columns():
    values = np.array([[0.0, 0, 0], [1.0, 0, 0], [0.5, 1.0, 0]])
    shown = influence_views.as_text(Influences(["日本", "e\u0301", " \n"], ["1%"] * 3, values))
    assert shown.splitlines() == [
        "日本 1% |   |",
        "e\u0301 1%    |█  | 日本",
        "␣· 1%   |▒█ | e\u0301  日本 0.50",
    ]


def test_words_of_a_training_run_and_of_a_fresh_cell(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("the cat was full .\nthe cats were full .\n" * 20)
    small = {"units": 8, "embedding_dim": 8, "epochs": 1, "jit": False, "cell": "gru"}
    files = {"data": "files", "train_file": str(data), "valid_file": str(data)}
    train(Language(), LanguageConfig.of(**small, **files), str(tmp_path / "m"))
    for flags in ([f"--model_dir={tmp_path / 'm'}"], ["--cell=rnn"]):
        folder = tmp_path / "out"
        done = program(
            "gradients", "--mode=words", *flags, "--text=the cat was full", "--text=$ $ a",
            "--output_dir", folder,
        )  # fmt: skip
        found = json.loads((folder / "influences.json").read_text())
        first, second = found["texts"]
        assert first["words"] == ["the", "cat", "was", "full", "<EOS>"]
        assert np.shape(second["values"]) == (4, 4)
        assert (folder / "influences.png").exists() and (folder / "influences_2.png").exists()
        assert "Text 2" in (folder / "influences.html").read_text("utf-8")
        assert "was" in done.stdout
