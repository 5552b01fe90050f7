"""Readers of labelled texts, and the built-in reviews."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tasks.classification import demo as demo_reviews
from tasks.classification import reading as labelled
from tasks.classification.reading import Example, read_labelled_file
from tasks.data import builders
from tasks.framework.errors import DataError


def error_of(path, **columns):
    with pytest.raises(DataError) as error:
        read_labelled_file(path, **columns)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_has_quoted_cells_with_commas_and_line_ends(tmp_path):
    path = write(tmp_path / "a.csv", 'id,stars,review\n1,5,"Good,\n ""really""."\n2,1,Bad\n\n')
    assert read_labelled_file(path, "review", "stars") == [
        Example('Good,\n "really".', "5"),
        Example("Bad", "1"),
    ]


def test_tsv_takes_quotes_as_they_are(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"Oh\tno\nx\tyes\n')
    assert read_labelled_file(path) == [Example('"Oh', "no"), Example("x", "yes")]


def test_json_lines(tmp_path):
    rows = [{"text": "é\n2", "label": 3}, {"text": "", "label": "x", "more": None}]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_labelled_file(path) == [Example("é\n2", "3"), Example("", "x")]


def test_a_folder_for_each_label(tmp_path):
    for label, text in (("pos", "Good.\nFine.\n"), ("neg", "Bad")):
        (tmp_path / label).mkdir()
        write(tmp_path / label / "1.txt", text)
    assert read_labelled_file(tmp_path) == [Example("Bad", "neg"), Example("Good.\nFine.", "pos")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,class\nx,y\n", ": expected a column 'label', found text, class"),
        ("a.csv", "text,label\nx,y\nz\n", ":3: expected 2 columns, found 1"),
        ("a.csv", "text,label\nx,\n", ":2: expected a text and a label, found text 'x'"),
        ("a.csv", "", ": expected one or more texts"),
        ("a.jsonl", '{"text": "x"}\n', ":1: expected an object with 'text' and 'label', found"),
        ("a.jsonl", "[1]\n", ":1: expected an object with"),
        ("a.jsonl", "{\n", ":1: expected an object of JSON"),
        ("a.jsonl", '{"text": 1, "label": 2}\n', ":1: expected a text and a label"),
        ("a.doc", "x", ": expected a .csv, .tsv or .jsonl file, or a folder"),
    ],
)
def test_a_malformed_file_says_where_and_what(tmp_path, name, content, message):
    assert error_of(write(tmp_path / name, content)).startswith(message)


def test_files_that_cannot_be_read(tmp_path):
    assert "expected a readable file" in error_of(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"text,label\ncaf\xe9,x\n")
    assert ":2: expected UTF-8" in error_of(tmp_path / "latin.csv")
    (tmp_path / "empty").mkdir()
    assert "found none" in error_of(tmp_path / "empty")


class TinyLabelled(tfds.core.GeneratorBasedBuilder):
    """Labelled texts, a test split that keeps its labels to itself, and texts without a label."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=n) for n in ("good", "no_label")]  # noqa: RUF012

    def _info(self):
        features = {"idx": tfds.features.Scalar(np.int64), "sentence": tfds.features.Text()}
        if self.builder_config.name == "good":
            features["mood"] = tfds.features.ClassLabel(names=["neg", "pos"])
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        rows = {
            "train": [("good", 1), ("bad", 0), ("fine", 1)],
            "test": [("hidden", -1)],
            "unsupervised": [("more", -1), ("text", -1)],
        }
        return {split: self._generate_examples(some) for split, some in rows.items()}

    def _generate_examples(self, rows):
        for i, (text, mood) in enumerate(rows):
            example = {"idx": i, "sentence": text, "mood": mood}
            yield i, {key: value for key, value in example.items() if key in self.info.features}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    patch = pytest.MonkeyPatch()
    patch.setattr(builders, "builder", lambda name: tfds.builder(name, data_dir=folder))
    yield "tfds:tiny_labelled"
    patch.undo()


def test_tfds_finds_text_and_label_and_holds_some_out(tiny):
    corpus = labelled.load_corpus(f"{tiny}/good", splits=["train", "validation"])
    examples = corpus["train"] + corpus["validation"]
    assert sorted(examples) == [("bad", "neg"), ("fine", "pos"), ("good", "pos")]
    assert len(corpus["validation"]) == 1
    assert sorted(labelled.unlabelled_texts(f"{tiny}/good")) == ["more", "text"]
    assert labelled.unlabelled_texts("demo") == []


def test_tfds_a_test_split_without_labels_is_none(tiny):
    with pytest.raises(DataError, match="expected a split 'test', found train"):
        labelled.load_corpus(f"{tiny}/good", splits=["test"])
    assert labelled.load_corpus(
        f"{tiny}/good", splits=["train", "test"], optional=["test"]
    ).keys() == {"train"}


def test_tfds_without_what_is_needed(tiny):
    with pytest.raises(DataError, match="expected a class label, found idx, sentence"):
        labelled.load_corpus(f"{tiny}/no_label", splits=["train"])
    with pytest.raises(DataError, match="expected a text 'body', found idx"):
        labelled.load_corpus(f"{tiny}/good", splits=["train"], text_column="body")


def test_built_in_reviews_share_nothing_and_half_of_the_twins_are_positive():
    corpus = demo_reviews.corpus()
    texts = [{text for text, _ in reviews} for reviews in corpus.values()]
    assert sum(map(len, texts)) == sum(demo_reviews.SIZES.values())
    assert len(set.union(*texts)) == sum(map(len, texts))
    words = [{word for text in some for word in text.lower().split()} for some in texts]
    for thing in demo_reviews.THINGS:
        assert sum(thing in some for some in words) <= 1
    for reviews in corpus.values():
        twins = demo_reviews.paired(reviews)
        assert len(twins) >= len(reviews) / 4
        assert sum(reviews[i][1] == "positive" for i in twins) == len(twins) / 2
    assert demo_reviews.corpus.__wrapped__() == corpus
