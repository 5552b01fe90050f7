"""A classifier that learns from what another one says of texts without a label."""

import json
import shutil
import statistics

import keras
import numpy as np
import pytest
from programs import program

from tasks.classification import ClassificationConfig, Sentiment
from tasks.classification.task import ClassifierTrainer
from tasks.data.errors import UserError
from tasks.experiments.distribution_page import traffic
from tasks.framework import checkpoints, stages, train
from zoo.saving.restoring import read_arrays

# What only texts without a label say: "splendid" stands beside "good", "dreary" beside "bad".
LABELLED = "good film,pos\nbad film,neg\n" * 20
UNLABELLED = "good splendid\nbad dreary\n" * 40


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("self_training")
    (folder / "a.csv").write_text("text,label\n" + LABELLED)
    (folder / "more.txt").write_text(UNLABELLED)
    return ClassificationConfig.of(
        data="files", train_file=str(folder / "a.csv"), valid_file=str(folder / "a.csv"),
        pretrain_file=str(folder / "more.txt"), self_training=True, cell="none", units=8,
        embedding_dim=8, epochs=4, teacher_epochs=5, learning_rate=0.1, min_count=1,
        average=0.0, patience=6, batch_size=8, dropout=0.1, word_dropout=0.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(Sentiment(), recipe, str(folder)), folder


def test_it_knows_what_no_label_tells(recipe, trained):
    asked = ["splendid", "dreary", "film"]
    plain = recipe.replace(self_training=False, pretrain_file=None, teacher_epochs=4)
    without = train(Sentiment(), plain)(asked)["probabilities"]
    np.testing.assert_allclose(without[0], without[1], atol=1e-6)  # both are <UNK>
    negative, positive = trained[0](asked)["probabilities"].T
    assert positive[0] > 0.9
    assert negative[1] > 0.9


def test_it_learns_what_its_teacher_says_of_each_text_and_the_labels(trained):
    run, folder = trained
    trainer = run.trainer
    assert len(trainer.learned) == len(trainer.targets) == 40 + 80
    np.testing.assert_array_equal(trainer.targets[:2], [[0, 1], [1, 0]])
    teacher = trainer.build()
    checkpoints.restore_best(teacher, str(folder / "teacher"))
    for row in (40, 41):
        words = trainer.learned.batch([row], 1, 2)
        expected = teacher.probabilities(words)[0]
        np.testing.assert_allclose(trainer.targets[row], expected, atol=1e-6)
    assert run.results.counts["unlabelled"] == {"texts": 80, "words": 160}
    # A step's time is known by all texts of an epoch.
    found = traffic(run.results.as_dict(), run.model.config.vocabulary_size)
    seconds = statistics.median(row["seconds"] for row in run.results.epochs)
    assert found.seconds == pytest.approx(seconds / (120 / 8))
    (batch, targets), *_ = trainer.epoch(0).ahead()
    assert targets.shape == (batch["words"].shape[0], 2)


def test_both_go_on_where_they_were_stopped(recipe, trained, tmp_path, capsys):
    run, _ = trained
    folder = str(tmp_path)
    # After the teacher's second epoch, and after the first one of what it teaches.
    for name, epochs in (("teacher", 2), ("", 1)):
        with pytest.MonkeyPatch.context() as patch:
            save, seen = checkpoints.save, []

            def saved(where, file, *values, save=save, seen=seen, name=name, epochs=epochs):
                save(where, file, *values)
                ours = where == str(tmp_path / name) and file == stages.CHECKPOINT
                seen.extend([1] if ours else [])
                if len(seen) == epochs:
                    raise KeyboardInterrupt

            patch.setattr(checkpoints, "save", saved)
            with pytest.raises(KeyboardInterrupt):
                train(Sentiment(), recipe, folder)
    again = train(Sentiment(), recipe, folder)
    said = capsys.readouterr().out
    assert f"Resuming after epoch 2 of {tmp_path / 'teacher'}" in said
    assert said.count("It has been asked: ") == 1
    for one, other in zip(again.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert len(again.results.epochs) == 4
    of_teacher = read_arrays(tmp_path / "teacher" / stages.CHECKPOINT)
    assert str(of_teacher["history"]).count('"epoch"') == 5
    # What both took counts, and what it took to ask.
    rows, asked = checkpoints.rows(folder), read_arrays(tmp_path / "teacher" / "answers.npz")
    assert [row.get("epoch") for row in rows] == [1, 2, 3, 4, 1, 2, 3, 4, 5, None]
    assert json.loads(str(asked["history"])) == rows[-1:]
    assert checkpoints.seconds_before(folder) == pytest.approx(
        sum(row["seconds"] + row.get("scoring_seconds", 0.0) for row in rows)
    )
    # It is asked once, and nothing but what was learned is needed where all is learned.
    (tmp_path / "teacher").rename(tmp_path / "elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(ClassifierTrainer, "_ask_a_teacher")
        finished = train(Sentiment(), recipe, folder)
        for _ in range(2):
            predict = finished.trainer.predictor(finished.model)
            assert finished.trainer.fit(finished.model, predict) == again.results.epochs
    # More epochs would be of another teacher.
    with pytest.raises(UserError, match="expected the teacher from which the classifier"):
        train(Sentiment(), recipe.replace(epochs=5), folder)
    (tmp_path / "elsewhere" / "answers.npz").unlink()
    shutil.rmtree(tmp_path / "teacher")
    (tmp_path / "elsewhere").rename(tmp_path / "teacher")
    more = train(Sentiment(), recipe.replace(epochs=5), folder)
    assert len(more.results.epochs) == 5
    assert "It is asked about all of them." in capsys.readouterr().out


def test_both_start_from_the_language_model(recipe, tmp_path, capsys):
    asked = recipe.replace(
        cell="rnn", jit=False, pretrain=True, pretrain_epochs=1, teacher_epochs=1, epochs=1,
        learning_rate=0.0,
    )  # fmt: skip
    run = train(Sentiment(), asked, str(tmp_path))
    of_model = [*run.model.reader.weights, *run.model.stack.recurrent_layers[0].weights]
    for stage in ("pretraining", "teacher"):
        values = read_arrays(tmp_path / stage / "best.npz").values()
        for weight in of_model:
            assert any(np.array_equal(weight.numpy(), value) for value in values)
    said = capsys.readouterr().out
    places = [said.index(name) for name in ("A language model of", "A teacher", "The classifier")]
    assert places == sorted(places)


def test_texts_that_have_a_label_all_the_same_are_counted(recipe, tmp_path, capsys):
    (tmp_path / "more.txt").write_text("good film\nbad film\ngood film\nnew\n")
    asked = recipe.replace(pretrain_file=str(tmp_path / "more.txt"), epochs=1, teacher_epochs=1)
    train(Sentiment(), asked, str(tmp_path / "run"))
    said = capsys.readouterr().err
    assert said.startswith(
        "sentiment: among 4 texts without a label, all of which are learned from"
    )
    assert said.endswith("are some of the corpus: 3 of train, 3 of validation.\n")


def test_what_does_not_go_together_is_said(recipe, trained, tmp_path):
    teacher = trained[1] / "teacher"
    run = program("sentiment", "--mode=export", f"--model_dir={teacher}", check=False)
    assert "--model_dir, the folder of a run, with best.npz and config.json" in run.stderr
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "answers.npz").write_bytes(b"none")
    answers = [keras.Variable(np.zeros([1, 2]))]
    with pytest.raises(UserError, match=r"Remove it: the teacher is asked again\."):
        checkpoints.restore(str(tmp_path / "teacher"), "answers.npz", answers)
    (tmp_path / "teacher" / "answers.npz").unlink()
    with pytest.raises(UserError, match=r"--self_training: expected texts .*Received: none"):
        train(Sentiment(), recipe.replace(pretrain_file=None), str(tmp_path))
    unused = ClassificationConfig.of(teacher_epochs=2)
    assert unused.without_effect() == {"teacher_epochs": "without --self_training"}
    assert recipe.without_effect() == {}
