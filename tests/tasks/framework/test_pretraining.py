"""Language models from which classifiers and taggers start."""

import gzip
import json
import shutil

import numpy as np
import pytest
from programs import program

from tasks.classification import ClassificationConfig, Sentiment
from tasks.data.batching import Sequences
from tasks.data.errors import DataError, UserError
from tasks.data.unlabelled import texts_of
from tasks.framework import checkpoints, pretraining, stages, starting, train
from tasks.framework.configuration import PretrainedTraining
from tasks.framework.pretrained import Pretrained
from tasks.framework.pretraining import check_start, pretrain, start_from
from tasks.framework.training import claim, load, restore
from tasks.tagging import NamedEntities, TaggingConfig
from tasks.tagging.task import encode_texts
from zoo.configuration import ClassifierConfig, TaggerConfig, WordPredictorConfig
from zoo.models import Classifier, Tagger
from zoo.saving.restoring import read_arrays
from zoo.text import WORD_BYTES, Vocabulary


def load_all(config):
    return load(Sentiment(), config, ["train", "validation"])


SMALL = {"vocabulary_size": 12, "units": 4, "embedding_dim": 3, "jit": False, "dropout": 0.0}
MODELS = {
    "tagger": lambda **more: Tagger(TaggerConfig(tags=("a", "b"), depth=2, **SMALL, **more)),
    "classifier": lambda **more: Classifier(
        ClassifierConfig(labels=("a", "b"), **SMALL, **more),
    ),
    "last": lambda **more: Classifier(
        ClassifierConfig(labels=("a", "b"), pooling="last", **SMALL, **more)
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_model_reads_and_its_first_layer_are_those_of_the_language_model(kind, tmp_path):
    random, count = np.random.default_rng(0), 24
    # 3 always follows 2.
    features = {"words": np.tile(np.array([2, 3, 5, 7], np.int32), count)}
    if kind == "tagger":
        letters = random.integers(1, 9, [4 * count, WORD_BYTES]).astype(np.uint8)
        features |= {"shapes": np.ones([4 * count], np.int32), "bytes": letters}
    texts = Sequences(4 * np.arange(1, count + 1), features)
    model = MODELS[kind]()
    model.build()
    training = PretrainedTraining(pretrain_epochs=2, batch_size=8, learning_rate=0.05)
    pretrain(model, texts, texts, training, str(tmp_path))
    arrays = read_arrays(tmp_path / "pretraining" / "best.npz")
    best = [v for _, v in sorted((int(n), v) for n, v in arrays.items() if n.isdecimal())]
    kept = [v for v in best if np.issubdtype(v.dtype, np.floating)]
    read = [w.numpy() for w in model.reader.weights]
    first = [w.numpy() for w in model.stack.recurrent_layers[0].weights]
    for weight in [*read, *first]:
        assert any(weight.shape == v.shape and np.array_equal(weight, v) for v in kept)
    # A finished language model is not trained again.
    again = MODELS[kind]()
    again.build()
    pretrain(again, texts, texts, training, str(tmp_path))
    np.testing.assert_array_equal(again.reader.get_weights()[0], read[0])
    # Another run takes it over; its vectors may be frozen there.
    made_of = json.loads((tmp_path / "pretraining" / "language_model.json").read_text())
    other = MODELS[kind](vectors="frozen")
    other.build()
    start_from(other, Pretrained(tmp_path, WordPredictorConfig.from_dict(made_of), []))
    for weight, value in zip(other.reader.weights, read, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_a_tagger_knows_the_words_of_other_texts(tmp_path):
    corpus = tmp_path / "a.conll"
    corpus.write_text("Teddy B-PER\nsleeps O\n\n" * 8)
    texts = tmp_path / "texts.txt"
    texts.write_text("Zebras sleep @-@ walk <unk> .\n\nZebras sleep . \n" * 4)
    config = TaggingConfig.of(
        data="files", train_file=str(corpus), valid_file=str(corpus), pretrain=True,
        pretrain_file=str(texts), pretrain_epochs=1, epochs=1, units=4, embedding_dim=3,
        character_dim=2, jit=False, batch_size=8,
    )  # fmt: skip
    train(NamedEntities(), config, str(tmp_path / "run"))
    words = (tmp_path / "run" / "vocabulary.txt").read_text().split()
    assert {"teddy", "zebras", "sleep"} < {*words}
    assert "\ufffd" not in words
    assert (tmp_path / "run" / "pretraining" / "best.npz").exists()


def test_long_texts_come_in_parts(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("<UNK>\na\nb\n")
    vocabulary = Vocabulary(str(tmp_path / "vocabulary.txt"))
    found = encode_texts(["a b a b a", "", "b"], vocabulary, 2)
    assert found.lengths.tolist() == [2, 2, 1, 1]
    assert found.features["words"].tolist() == [2, 3, 2, 3, 2, 3]
    assert found.features["bytes"].shape == (6, WORD_BYTES)


def test_sentences_are_cut_to_their_first_words():
    words = np.arange(7)
    found = Sequences(np.array([3, 3, 4, 7]), {"words": words}).cut(2)
    assert found.lengths.tolist() == [2, 0, 1, 2]
    assert found.features["words"].tolist() == [0, 1, 3, 4, 5]


def test_texts_are_lines_of_a_file(tmp_path):
    path = tmp_path / "texts.txt.gz"
    path.write_bytes(gzip.compress(b"Costs 1 @,@ 000 <unk> .\n \nWell @-@ known\n"))
    assert texts_of(str(path)) == ["Costs 1,000 \ufffd .", "Well-known"]
    for content, expected in ((b"", "expected text, found none"), (b"\xff", "expected UTF-8")):
        (tmp_path / "b.txt").write_bytes(content)
        with pytest.raises(DataError, match=expected):
            texts_of(str(tmp_path / "b.txt"))
    with pytest.raises(DataError, match="expected a readable file"):
        texts_of(str(tmp_path / "none.txt"))


def test_texts_are_those_of_a_column(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"review": "good film", "x": 1}\n{"review": "bad @-@ film"}\n'
    )
    assert texts_of(str(tmp_path / "a.jsonl"), "review") == ["good film", "bad-film"]
    (tmp_path / "a.tsv").write_text("text\tlabel\ngood film\t1\n")
    assert texts_of(str(tmp_path / "a.tsv")) == ["good film"]
    (tmp_path / "a.conll").write_text("EU\tB-ORG\n\nrejects\tO\n")
    with pytest.raises(DataError, match="found columns"):
        texts_of(str(tmp_path / "a.conll"))


@pytest.fixture(scope="module")
def with_language_model(tmp_path_factory):
    """The folder of a classifier's run that began with a language model, and its corpus."""
    folder = tmp_path_factory.mktemp("pretrained")
    corpus = folder / "a.csv"
    rows = [f"good one here {i},pos\nbad one there {i},neg\n" for i in range(8)]
    corpus.write_text("text,label\n" + "".join(rows))
    config = ClassificationConfig.of(
        data="files", train_file=str(corpus), valid_file=str(corpus), pretrain=True,
        pretrain_epochs=2, epochs=1, units=4, embedding_dim=3, jit=False, average=0.0,
    )  # fmt: skip
    train(Sentiment(), config, str(folder / "run"))
    return folder / "run", config


def test_a_run_starts_from_the_language_model_of_another(with_language_model, tmp_path):
    run, config = with_language_model
    run = shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "b.csv").write_text("text,label\n" + "good day,5\nbad day,1\n" * 4)
    config = config.replace(
        train_file=str(tmp_path / "b.csv"), valid_file=str(tmp_path / "b.csv"),
        pretrain=False, pretrain_epochs=5, pretrain_from=str(run), units=64, embedding_dim=100,
        learning_rate=0.0,
    )  # fmt: skip
    trained = train(Sentiment(), config, str(tmp_path / "run"))
    # Its words and its shape are those of the language model; the labels its own.
    assert (tmp_path / "run/vocabulary.txt").read_bytes() == (run / "vocabulary.txt").read_bytes()
    made_of = trained.model.config
    assert (made_of.units, made_of.embedding_dim, made_of.labels) == (4, 3, ("1", "5"))
    best = read_arrays(run / "pretraining" / "best.npz")
    for weight in [*trained.model.reader.weights, *trained.model.stack.recurrent_layers[0].weights]:
        assert any(np.array_equal(weight.numpy(), value) for value in best.values())
    assert not (tmp_path / "run/pretraining/checkpoint.npz").exists()
    # A run goes on with the language model that it began with, whatever has become of the other.
    np.savez(run / "pretraining" / "best.npz", **best | {"0": best["0"] + 1})
    go_on = config.replace(epochs=2)
    again = train(Sentiment(), go_on, str(tmp_path / "run"))
    np.testing.assert_array_equal(
        again.model.reader.get_weights()[0], trained.model.reader.get_weights()[0]
    )
    shutil.rmtree(run)
    kept = starting.shaped(go_on, model_dir=str(tmp_path / "run"))
    trainer, model = restore(Sentiment(), kept, str(tmp_path / "run"))
    assert (trainer.source, model.config.units) == (None, 4)
    # A run that has not begun has none of its own.
    with pytest.raises(UserError, match="a run with --pretrain whose language model has had"):
        train(Sentiment(), go_on, str(tmp_path / "other"))


def test_a_language_model_that_is_being_trained_is_no_start(with_language_model, tmp_path):
    run, config = with_language_model
    run = shutil.copytree(run, tmp_path / "copy")
    config = config.replace(pretrain_from=str(run))
    _, trainer = claim(Sentiment(), config, load_all(config), str(tmp_path / "run"))
    best = read_arrays(run / "pretraining" / "best.npz")
    np.savez(run / "pretraining" / "best.npz", **best | {"0": best["0"] + 1})
    model = trainer.build()
    with pytest.raises(UserError, match="which has had another epoch since this run began"):
        trainer.fit(model, trainer.predictor(model))


def test_a_language_model_that_its_run_is_not_done_with_is_told(with_language_model, tmp_path):
    run, config = with_language_model
    run = shutil.copytree(run, tmp_path / "copy")
    path, config = run / "pretraining" / stages.CHECKPOINT, config.replace(pretrain_from=str(run))
    arrays = read_arrays(path)
    history = json.loads(str(arrays["history"]))
    for number, (rows, notes) in enumerate([(history, 0), (history[:1], 1)]):
        np.savez(path, **arrays | {"history": np.array(json.dumps(rows))})
        _, trainer = claim(Sentiment(), config, load_all(config), str(tmp_path / f"r{number}"))
        assert len(trainer.notes) == notes
    assert "copy has had 1 of 2 epochs; the command" in trainer.notes[0]


def test_who_has_read_what_is_held_out_is_told(with_language_model, tmp_path):
    run, config = with_language_model
    cut = config.replace(valid_file=None)
    shutil.copytree(run / "pretraining", tmp_path / "cut" / "pretraining")
    (tmp_path / "cut" / "pretraining" / stages.CHECKPOINT).unlink()
    claim(Sentiment(), cut, load_all(cut), str(tmp_path / "cut"))
    there, other = tmp_path / "cut", cut.replace(seed=1)
    cases = [(run, config, ""), (run, cut, ""), (there, cut, ""), (there, other, "--seed")]
    for number, (where, one, differs) in enumerate(cases):
        more = one.replace(pretrain_from=str(where))
        _, trainer = claim(Sentiment(), more, load_all(more), str(tmp_path / f"run{number}"))
        assert all(f"with another {differs}:" in note for note in trainer.notes)
        assert len(trainer.notes) == bool(differs)
    # The same seed, and other texts in the file since.
    path = there / stages.CONFIG
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"data_fingerprints": {"validation": "before"}}))
    more = cut.replace(pretrain_from=str(there))
    _, trainer = claim(Sentiment(), more, load_all(more), str(tmp_path / "edited"))
    assert ["with another validation part:" in note for note in trainer.notes] == [True]


def test_what_has_begun_needs_its_language_model_no_more(with_language_model, tmp_path):
    run, config = with_language_model
    folder = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(folder / "pretraining")
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(pretraining, "pretrain")
        finished = train(Sentiment(), config, str(folder))
        more = train(Sentiment(), config.replace(epochs=2), str(folder))
    assert len(finished.results.epochs) == 1
    assert more.results.epochs[:1] == finished.results.epochs
    assert len(more.results.epochs) == 2


def test_with_a_preset_that_pretrains_the_language_model_is_that_of_the_other_run(
    with_language_model, tmp_path
):
    run, config = with_language_model
    config = config.replace(pretrain_from=str(run))
    trained = train(Sentiment(), config, str(tmp_path / "run"))
    assert not (tmp_path / "run/pretraining/checkpoint.npz").exists()
    assert trained.model.config.units == 4


def test_a_language_model_that_cannot_be_started_from_is_one_line(with_language_model, tmp_path):
    run, config = with_language_model
    config = config.replace(pretrain=False, pretrain_epochs=5)

    def error(task=None, **options):
        with pytest.raises(UserError) as found:
            train(task or Sentiment(), config.replace(**options), str(tmp_path / "run"))
        assert "\n" not in str(found.value)
        return str(found.value)

    assert "--units=4 there, 8 now" in error(pretrain_from=str(run), units=8)
    assert "expected --pretrain_from or --init_from" in error(
        pretrain_from=str(run), init_from="sentiment_demo"
    )
    assert "--pretrain_from, which has an embedding of its own" in error(
        pretrain_from=str(run), embeddings_file="none.txt"
    )
    assert "--pretrain_from goes with" in error(pretrain_from=str(run), inputs="one_hot")
    assert "a run with --pretrain whose language model has had an epoch" in error(
        pretrain_from=str(tmp_path)
    )
    copy = shutil.copytree(run, tmp_path / "copy")
    described = copy / "pretraining" / "language_model.json"
    for damage in ("{", "[]", described.read_text().replace('"vocabulary_size": ', '"units": ')):
        described.write_text(damage)
        assert "expected what a run with --pretrain writes" in error(pretrain_from=str(copy))
    described.unlink()
    assert "language_model.json: expected a readable file" in error(pretrain_from=str(copy))
    shutil.copy(run / "pretraining" / "language_model.json", described)
    best = copy / "pretraining" / "best.npz"
    best.write_bytes(best.read_bytes()[:-40])
    assert "--pretrain_from: " in error(pretrain_from=str(copy))
    tags = TaggingConfig.of(pretrain_from=str(run))
    with pytest.raises(UserError, match="that reads as this one does"):
        train(NamedEntities(), tags)


def test_what_does_not_go_together_is_said():
    with pytest.raises(UserError, match="--pretrain goes with a recurrent --cell"):
        train(NamedEntities(), TaggingConfig.of(pretrain=True, cell="none"))
    with pytest.raises(UserError, match="expected --pretrain or --init_from"):
        train(NamedEntities(), TaggingConfig.of(pretrain=True, init_from="ner_demo"))
    with pytest.raises(UserError, match=r"beside those of --data.* Received: 'tfds:x', which is"):
        check_start(ClassificationConfig.of(data="tfds:x", pretrain=True, pretrain_file="tfds:x"))
    run = program("ner", "--pretrain", "--pretrain_file=none.txt", "--units=2", check=False)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "none.txt: expected a readable file" in run.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"pretrain_file": "a.txt"}, {"pretrain_file": "without --pretrain"}),
        ({"pretrain_epochs": 2}, {"pretrain_epochs": "without --pretrain"}),
        ({"pretrain_epochs": 2, "pretrain": True, "pretrain_file": "a.txt"}, {}),
        (
            {"pretrain_file": "a.txt", "min_count": 3, "pretrain_from": "runs/imdb"},
            {
                "pretrain_file": "with --pretrain_from",
                "min_count": "with --pretrain_from, whose words it knows",
            },
        ),
    ],
)
def test_what_has_no_effect_is_named(options, why):
    assert TaggingConfig.of(**options).without_effect() == why
    also = {"pretrain_file": f"{why.get('pretrain_file')} and without --self_training"}
    assert ClassificationConfig.of(**options).without_effect() == why | (
        also if "pretrain_file" in why else {}
    )
    if "pretrain_file" in options:
        taught = ClassificationConfig.of(**options, self_training=True).without_effect()
        assert "pretrain_file" not in taught


def test_a_classifiers_language_model_reads_all_of_a_long_text(tmp_path):
    """Parts of a text, whose neighbours were neighbours."""
    corpus, texts = tmp_path / "a.csv", tmp_path / "texts.txt"
    corpus.write_text("text,label\n" + "good one,pos\nbad one,neg\n" * 8)
    words = [f"w{'abcdefghij'[i]}" for i in range(10)]
    texts.write_text(" ".join(words))
    config = ClassificationConfig.of(
        data="files", train_file=str(corpus), valid_file=str(corpus), pretrain=True,
        pretrain_file=str(texts), max_length=4, min_count=1, units=4, embedding_dim=3,
    )  # fmt: skip
    task, model_dir = Sentiment(), str(tmp_path / "run")
    corpus = task.load(config, ["train", "validation"], [])
    _, trainer = claim(task, config, corpus, model_dir)
    read = trainer.running_text().each("words")
    names = (tmp_path / "run" / "vocabulary.txt").read_text().split()
    parts = [" ".join(names[i - 1] for i in one) for one in read[-3:]]
    assert parts == [" ".join(words[:4]), " ".join(words[4:8]), " ".join(words[8:])]
    # Other texts of the same words are another run, once something was learned of these.
    checkpoints.save(model_dir, stages.CHECKPOINT, [], [])
    claim(task, config, corpus, model_dir)
    texts.write_text(" ".join(reversed(words)))
    with pytest.raises(UserError, match="holds a run with another set_of_texts_to_pretrain_on"):
        claim(task, config, corpus, model_dir)
