"""Classifiers: the program, run as a user runs it, and the functions that its models compute."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import without_graphs
from programs import (
    ODD_TEXTS,
    ROOT,
    ask_server,
    check_saved_once_without_xla,
    program,
    replay_warmup,
    small_corpus,
)

from tasks.classification import ClassificationConfig, demo, explaining
from tasks.classification.configuration import ClassificationTraining
from tasks.experiments import word_order
from zoo import text
from zoo.catalog.loading import Model
from zoo.configuration import ClassifierConfig
from zoo.models import Classifier

SMALL = ["--units=8", "--embedding_dim=8", "--batch_size=16", "--epochs=6", "--min_count=1"]
SMALL += ["--nojit"]
ROWS = [("dreadful plot", "1"), ("it was fine", "2"), ("a wonderful film , really", "3")]


def write_csv(path, rows):
    path.write_text("".join(f'"{text}",{label}\n' for text, label in [("text", "stars"), *rows]))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three classes, from a CSV file."""
    folder = tmp_path_factory.mktemp("sentiment")
    data = write_csv(folder / "data.csv", [(f"{t} {i % 5}", n) for i in range(20) for t, n in ROWS])
    flags = ["--data=files", f"--train_file={data}", f"--valid_file={data}", f"--test_file={data}"]
    flags += [*SMALL, "--label_column=stars", "--learning_rate=0.02", "--pooling=attention"]
    export = ["--model_dir", folder / "model", "--export_dir", folder / "saved"]
    program("sentiment", *flags, *export)
    return {"flags": flags, "data": data, "model": folder / "model", "saved": folder / "saved"}


@pytest.fixture(scope="module")
def served(trained):
    return tf.saved_model.load(str(trained["saved"] / "1")).signatures["serving_default"]


def test_three_classes_are_learned_and_written_down(trained):
    results = json.loads((trained["model"] / "results.json").read_text())
    assert results["test"]["accuracy"] == 1
    assert results["test"]["roc_auc"] == 1
    assert list(results["test"]["by_class"]) == ["1", "2", "3"]
    assert results["counts"]["train"]["texts"] == 60
    for figure in ("learning_curves", "confusion_test", "roc_test", "calibration_test"):
        assert (trained["model"] / f"{figure}.png").exists()


def test_the_savedmodel_scores_as_training_did(trained, tmp_path):
    program(
        "sentiment", "--mode=evaluate", f"--model={trained['saved']}", "--data=files",
        f"--test_file={trained['data']}", "--label_column=stars", "--model_dir", tmp_path,
    )  # fmt: skip
    expected = json.loads((trained["model"] / "results.json").read_text())["test"]
    results = json.loads((tmp_path / "evaluation.json").read_text())["test"]
    assert results["by_class"] == expected["by_class"]
    assert results["calibration_error"] == pytest.approx(expected["calibration_error"], abs=1e-5)


@pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_any_text_gets_an_answer_that_does_not_depend_on_its_batch(served, odd):
    alone = served(text=tf.constant([odd]))
    beside = served(text=tf.constant(["a wonderful film", odd, ""]))
    np.testing.assert_allclose(beside["probabilities"][1], alone["probabilities"][0], atol=1e-5)
    assert float(tf.reduce_sum(alone["probabilities"])) == pytest.approx(1, abs=1e-5)
    assert float(alone["probability"][0]) == pytest.approx(float(np.max(alone["probabilities"])))


def test_servers_get_the_same_answers(trained, served):
    folder = trained["saved"] / "1"
    texts = ["a wonderful film", *ODD_TEXTS]
    expected = served(text=tf.constant(texts))
    (answer,) = ask_server(folder, ("serving_default", {"text": texts}))
    np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], atol=1e-5)
    assert answer["label"] == expected["label"].numpy().astype("U").tolist()
    check_saved_once_without_xla(folder, trained["model"] / "best.npz")
    ((name, replayed),) = replay_warmup(folder, model="saved")
    assert name == "serving_default"
    assert replayed["probabilities"].shape == (4, 3)
    assert served(text=tf.constant(["fine"] * 1000))["label"].shape == (1000,)


def test_predictions_and_explanations(trained, tmp_path):
    model = f"--model={trained['saved']}"
    question = ["--mode=predict", model, "--text=a wonderful film"]
    shown = program("sentiment", *question).stdout
    assert shown.startswith("3 ")
    (tmp_path / "in.txt").write_text("dreadful & plot\n\n")
    source = f"--input_file={tmp_path / 'in.txt'}"
    program("sentiment", "--mode=predict", model, source, f"--output_file={tmp_path / 'o.jsonl'}")
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert rows[0]["label"] == "1"
    assert rows[1]["text"] == ""
    page = tmp_path / "page.html"
    run = program("sentiment", "--mode=explain", model, source, f"--output_file={page}")
    assert "dreadful(+" in run.stdout
    assert "&amp;" in page.read_text()
    assert "dreadful</span>" in page.read_text()
    run = program(
        "sentiment", "--mode=explain", model, "--text=a", "--output_file=x.csv", check=False
    )
    assert run.returncode == 1
    assert ".html" in run.stderr


def test_only_words_that_the_model_reads_are_explained(trained, tmp_path):
    """Of a text beyond --max_length a part is read; old SavedModels do not say which."""
    long = "a wonderful film , really " * 200
    model = Model(trained["saved"] / "1")
    expected = long.split()[:200] + long.split()[-200:]
    assert explaining.words_read(model, long) == expected
    assert explaining.words_read(model, "it was <br> fine") == ["it", "was", "fine"]
    assert explaining.words_read(model, "") == []

    old = tf.Module()  # a version before 0.2, with results beside it
    model.saved = old
    folder = tmp_path / "old" / "1"
    folder.mkdir(parents=True)
    model.folder = folder
    assert explaining.words_read(model, long) == long.split()
    entry = json.loads((ROOT / "saved_models/sentiment_demo/results.json").read_text())
    entry["config"] |= {"max_length": 4, "keep": "both"}
    (folder.parent / "results.json").write_text(json.dumps(entry))
    assert explaining.words_read(model, "a b c d e f g") == ["a", "b", "f", "g"]


def test_an_ending_that_nothing_writes_is_an_error_before_a_model_is_loaded(tmp_path):
    for task, ending, message in (
        ("sentiment", "conll", "expected a name that ends in .jsonl or .csv or .tsv"),
        ("ner", "xlsx", "expected a name that ends in .jsonl or .csv or .tsv or .conll"),
        ("lm", "txt", "expected a name that ends in .jsonl or .csv or .tsv"),
    ):
        output = tmp_path / f"out.{ending}"
        flags = ["--mode=predict", "--model=no_such_model", f"--output_file={output}"]
        run = program(task, *flags, check=False)
        assert run.returncode == 1
        assert run.stderr == f"{task}: --output_file: {message}. Received: {str(output)!r}\n"
        assert not output.exists()


def test_tab_separated_predictions(trained, tmp_path):
    output = tmp_path / "out.tsv"
    texts = ["--text=a wonderful\tfilm", "--text=dreadful plot"]
    model = f"--model={trained['saved']}"
    program("sentiment", "--mode=predict", model, *texts, f"--output_file={output}")
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    assert rows[0] == ["text", "label", "probability"]
    assert rows[1][:3] == ['"a wonderful', 'film"', "3"]  # in quotes, as spreadsheets read it
    assert rows[2][:2] == ["dreadful plot", "1"]
    assert all(0 < float(row[-1]) <= 1 for row in rows[1:])


def test_word_order_is_what_a_bag_of_words_cannot_know(tmp_path):
    flags = [*SMALL, "--epochs=1", "--model_dir", tmp_path]
    with small_corpus(demo):
        run = program("sentiment", "--mode=word_order", *flags)
    found = json.loads((tmp_path / "word_order.json").read_text())
    shares = found["accuracy_at_paired_reviews"]
    assert shares.keys() == {"this_model", "bag_of_words"}
    assert shares["bag_of_words"] == pytest.approx(0.5)
    assert f"a bag of words {shares['bag_of_words']:.1%}" in run.stdout
    results = json.loads((tmp_path / "bag_of_words" / "results.json").read_text())
    assert (results["config"]["cell"], results["config"]["standard"]) == ("none", "bag")
    started = ClassificationConfig.of(pretrain=True, pretrain_from="a", init_from="b", cell="lstm")
    assert started.replace(**word_order.FROM_SCRATCH).training == ClassificationTraining()
    refused = program("sentiment", "--mode=word_order", "--data=files", check=False)
    assert "about the built-in corpus" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=nonsense"], "expected one of train, evaluate, predict, export, stream, explain"),
        (["--label_column=points"], "expected a column 'points', found text, stars"),
        (["--test_file={other}"], "Received in the test data: ['9']"),
        (["--train_file={one}", "--valid_file="], "expected two classes or more"),
        (["--train_file={blank}", "--valid_file=", "--test_file="], "expected texts with words"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(flags, message, trained, tmp_path):
    files = {
        "other": write_csv(tmp_path / "other.csv", [("x", "9")]),
        "one": write_csv(tmp_path / "one.csv", [("x", "1"), ("y", "1"), ("z", "1")]),
        "blank": write_csv(tmp_path / "blank.csv", [("", "1"), (" ", "2")] * 9),
    }
    flags = [flag.format(**files) for flag in flags]
    run = program("sentiment", *trained["flags"], *flags, check=False)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_a_tagger_is_no_classifier_and_a_label_it_does_not_know_is_refused(trained, tmp_path):
    other = write_csv(tmp_path / "other.csv", [("x", "9")])
    run = program(
        "sentiment", "--mode=evaluate", f"--model={trained['saved']}", "--data=files",
        f"--test_file={other}", "--label_column=stars", check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "'9'" in run.stderr
    run = program("ner", "--mode=predict", f"--model={trained['saved']}", "--text=a", check=False)
    assert run.returncode == 1
    assert (
        "expected a model of tasks.ner, with a signature 'serving_default' that gives 'tags'"
        in (run.stderr)
    )


# --- The functions -------------------------------------------------------------------------------

WORDS = tf.constant([[5, 2, 1, 3], [4, 4, 0, 0], [0, 0, 0, 0]])


def classifier(**options):
    return Classifier(ClassifierConfig(vocabulary_size=6, labels=("a", "b"), jit=False, **options))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@without_graphs
def test_one_hot_vectors_compute_the_function_of_an_embedding(cell):
    """Their first weights are the product of the embedding and of those after it."""
    arguments = {"cell": cell, "units": 4, "bidirectional": False, "pooling": "last"}
    embedding = classifier(embedding_dim=3, **arguments)
    one_hot = classifier(inputs="one_hot", **arguments)
    scores = embedding({"words": WORDS})
    one_hot({"words": WORDS})
    table, kernel, *rest = embedding.get_weights()
    one_hot.set_weights([table @ kernel, *rest])
    np.testing.assert_allclose(one_hot({"words": WORDS}), scores, atol=1e-6)


def test_the_standard_network_on_concatenated_vectors_is_that_of_the_lecture():
    model = classifier(cell="none", units=4, standard="concatenated", max_length=3)
    scores = model({"words": WORDS}).numpy()
    weights, w, b = [v.numpy() for v in model.trainable_variables]
    one_hot = np.eye(6)[WORDS.numpy()[:, :3]] * (WORDS.numpy()[:, :3, None] > 0)
    expected = np.tanh(one_hot.reshape(3, 18) @ weights) @ w + b
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_the_standard_network_on_a_bag_does_not_see_the_order():
    model = classifier(cell="none", units=4)
    np.testing.assert_allclose(
        model({"words": tf.constant([[2, 3, 4]])}), model({"words": tf.constant([[4, 3, 2]])}),
        atol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "attention"])
@without_graphs
def test_padding_and_texts_without_words_change_nothing(pooling):
    model = classifier(units=3, depth=2, pooling=pooling)
    scores = model({"words": WORDS}).numpy()
    short = model({"words": WORDS[1:2, :2]}).numpy()
    np.testing.assert_allclose(scores[1:2], short, atol=1e-6)
    loss = model.compute_loss(x={"words": WORDS}, y=tf.constant([0, 1, 1]), y_pred=scores)
    expected = keras.losses.sparse_categorical_crossentropy(
        np.array([0, 1]), scores[:2], from_logits=True
    )
    assert float(loss) == pytest.approx(float(tf.reduce_mean(expected)), abs=1e-6)


@pytest.mark.parametrize(
    ("keep", "expected"), [("start", "a b c"), ("end", "e f g"), ("both", "a f g")]
)
def test_long_texts_are_cut_as_told(keep, expected):
    tokens = text.tokenize(tf.constant(["a b c d e f g", "a b c", ""]))
    cut = text.cut(tokens, 3, keep)
    assert [b" ".join(row).decode() for row in cut.to_list()] == [expected, "a b c", ""]


def test_markup_is_no_word():
    plain = text.without_markup(tf.constant(["Bad.<br /><br />Really <i>bad</i>, 1 < 2 > 0"]))
    assert b" ".join(text.tokenize(plain).flat_values.numpy()) == b"Bad . Really bad , 1 < 2 > 0"


def test_contributions_sum_to_the_difference_and_are_exact_for_a_sum():
    weights = {"good": 2.0, "not": -1.0, "bad": -3.0}

    def additive(texts):
        return np.array([[sum(weights[w] for w in t.split())] for t in texts])

    def product(texts):  # a word that turns the others around
        return np.array([[(-1) ** t.count("not") * t.count("good")] for t in texts], float)

    words = ["not", "good", "bad"]
    values, errors = explaining.contributions(additive, words, permutations=3)
    np.testing.assert_allclose(values[:, 0], [weights[w] for w in words])
    np.testing.assert_allclose(errors, 0, atol=1e-9)
    values, _ = explaining.contributions(product, words, permutations=8)
    np.testing.assert_allclose(values[:, 0], [-1, 0, 0], atol=1e-9)
    assert explaining.contributions(product, [], permutations=2)[0].shape == (0, 1)


def test_a_time_limit_ends_after_an_order_and_its_reverse_and_progress_counts():
    done = []
    values, errors = explaining.contributions(
        lambda texts: np.array([[len(t)] for t in texts], float),
        ["a", "b"],
        permutations=50,
        seconds=0,
        progress=done.append,
    )
    assert done == [1, 2]
    assert np.isnan(errors).all()
    assert values.sum() == 3  # "a b"


def test_an_explained_class_is_one_of_the_models(trained):
    model = f"--model={trained['saved']}"
    flags = ["--mode=explain", model, "--text=a wonderful film", "--permutations=4"]
    every = program("sentiment", *flags, "--explain_class=all").stdout.splitlines()
    assert every[0].startswith("3 ")
    assert sorted(line.split()[0] for line in every) == ["1", "2", "3"]
    one = program("sentiment", *flags, "--explain_class=1").stdout.splitlines()
    assert [line.split()[0] for line in one] == ["1"]
    wrong = program("sentiment", *flags, "--explain_class=4", check=False)
    assert "expected predicted, all, or one of ['1', '2', '3']" in wrong.stderr
