"""A treebank of TensorFlow Datasets: its order, and sentences whose words are not in their text."""

import json

import pytest
import tensorflow_datasets as tfds

from tasks.data import builders
from tasks.framework import train
from tasks.tagging import PartsOfSpeech, TaggingConfig, splitting
from tasks.tagging.reading import read_tfds
from zoo.text.tags import Sentence

NAME = "tiny_treebank"
FRENCH = {
    "text": "Il va au marché",
    "tokens": ["Il", "va", "au", "à", "le", "marché"],
    "upos": ["PRON", "VERB", "X", "ADP", "DET", "NOUN"],
    "head": ["2", "0", "None", "6", "6", "2"],
}
LATIN_1 = {"text": b"caf\xe9", "tokens": ["café"], "upos": ["NOUN"], "head": ["0"]}
PLAIN = [
    {"text": f"Il mange {name}.", "tokens": ["Il", "mange", name, "."],
     "upos": ["PRON", "VERB", "NOUN", "PUNCT"], "head": ["2", "0", "2", "2"]}
    for name in ("Anne", "Paul", "Rome")
]  # fmt: skip


class TinyTreebank(tfds.core.GeneratorBasedBuilder):
    """Sentences of the kinds that Universal Dependencies has."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        some = tfds.features.Sequence(tfds.features.Text())
        tags = tfds.features.ClassLabel(names=["ADP", "DET", "NOUN", "PRON", "PUNCT", "VERB", "X"])
        features = {"text": tfds.features.Text(), "tokens": some, "head": some}
        features["upos"] = tfds.features.Sequence(tags)
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        splits = {"train": PLAIN * 4, "dev": [*PLAIN, FRENCH, LATIN_1], "test": [FRENCH]}
        return {name: self._generate_examples(some) for name, some in splits.items()}

    def _generate_examples(self, sentences):
        yield from enumerate(sentences)


@pytest.fixture(scope="module")
def treebank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "builder", lambda name, _=None: tfds.builder(name, data_dir=folder))
        yield folder


def test_sentences_whose_words_are_not_their_text_are_passed_over(treebank):
    raw = splitting.read_raw(NAME, "validation")
    assert len(raw) == 5
    texts = [one.text for one in splitting.of_their_text(raw)]
    assert sorted(texts) == sorted(one["text"] for one in PLAIN)
    assert splitting.of_their_text(splitting.read_raw(NAME, "test")) == []
    assert "caf\ufffd" in {one.text for one in raw}


def test_training_measures_raw_text_where_words_are_the_text_and_counts_the_rest(
    treebank, tmp_path, capsys
):
    config = TaggingConfig.of(
        data=f"tfds:{NAME}", units=4, embedding_dim=4, character_dim=2, epochs=1, jit=False
    )
    train(PartsOfSpeech(), config, str(tmp_path / "run"))
    said = capsys.readouterr().err
    assert "pos: 2 of 5 sentences of the validation split do not count as raw text" in said
    assert "pos: 1 of 1 sentences of the test split do not count" in said
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["validation"]["words_from_raw_text_f1"] == 1
    assert "words_from_raw_text_f1" not in found["test"]


@pytest.mark.parametrize(
    "read", [lambda: read_tfds(NAME, "train", "pos"), lambda: splitting.read_raw(NAME, "train")]
)
def test_a_split_is_read_in_one_order(treebank, read, monkeypatch):
    """Files are read one after the other: a resumed run finds the data that it began with."""
    asked = []
    whole = TinyTreebank.as_dataset

    def as_dataset(self, **options):
        asked.append(options)
        return whole(self, **options)

    monkeypatch.setattr(TinyTreebank, "as_dataset", as_dataset)
    assert len(read()) == 12
    (options,) = asked
    assert options["read_config"].interleave_cycle_length == 1


def test_words_are_those_with_a_head(treebank):
    (sentence,) = read_tfds(NAME, "test", "pos")
    words, tags = ("Il", "va", "à", "le", "marché"), ("PRON", "VERB", "ADP", "DET", "NOUN")
    assert sentence == Sentence(words, tags)
    assert splitting.read_raw(NAME, "test") == [splitting.RawSentence(FRENCH["text"], sentence)]
