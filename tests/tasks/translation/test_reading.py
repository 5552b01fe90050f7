"""Readers of parallel corpora: what each format allows, and errors that say what was expected."""

import gzip
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tasks.data import builders
from tasks.data.errors import DataError
from tasks.translation.demo import Pair
from tasks.translation.reading import hold_out_sources, load_corpus, read_pairs, read_sources

PAIRS = [Pair("Ein Hund.", "A dog."), Pair("", "A cat."), Pair("Nein", "No")]


def write(folder, name, content):
    path = folder / name
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


@pytest.mark.parametrize("packed", [("", ""), (".gz", ".gz"), ("", ".gz")])
def test_two_parallel_files(tmp_path, packed):
    write(tmp_path, f"train.de{packed[0]}", "\ufeffEin Hund.\r\n\r\nNein\r\n")
    write(tmp_path, f"train.en{packed[1]}", "A dog.\n A cat. \nNo")
    assert read_pairs(str(tmp_path / "train"), "de", "en") == PAIRS


def test_tables_and_json_lines(tmp_path):
    rows = "".join(json.dumps({"de": a, "en": b, "id": 1}) + "\n" for a, b in PAIRS)
    write(tmp_path, "a.jsonl", rows)
    write(tmp_path, "a.tsv.gz", "de\tid\ten\n" + "".join(f"{a}\t1\t{b}\n" for a, b in PAIRS))
    write(tmp_path, "b.txt", "".join(f"{b}\t{a}\tCC-BY\n" for a, b in PAIRS) + "\n")
    assert read_pairs(str(tmp_path / "a.jsonl"), "de", "en") == PAIRS
    assert read_pairs(str(tmp_path / "a.tsv.gz"), "de", "en") == PAIRS
    assert read_pairs(str(tmp_path / "b.txt"), "1", "0") == PAIRS


@pytest.mark.parametrize(
    ("files", "languages", "message"),
    [
        ({"a.de": "x\ny\n", "a.en": "x\n"}, ("de", "en"), r"as many lines as .*, found 2 and 1"),
        ({"a.de": "x\n"}, ("de", "en"), r"expected a table, or two files .*found .*a\.de"),
        ({}, ("de", "en"), r"found none of them"),
        ({"a.de": "", "a.en": ""}, ("de", "en"), "found none$"),
        ({"a.de": "x\n", "a.en": "x\n"}, ("de", None), "expected two languages"),
        ({"a.de": "x\n", "a.en": "x\n"}, ("de", "de"), "expected two languages"),
        ({"a.de": b"caf\xe9\n", "a.en": "x\n"}, ("de", "en"), r"a\.de:1: expected UTF-8"),
        ({"a": "x\ty\nz\n"}, ("0", "1"), r"a:2: expected 2 columns or more .* found 1"),
        ({"a": "x\ty\n"}, ("de", "en"), "expected a table or JSON lines with 'de' and 'en'"),
        ({"a": '{"de": 3}\n'}, ("de", "en"), "a:1: expected"),
    ],
)
def test_what_cannot_be_read(tmp_path, files, languages, message):
    for name, content in files.items():
        write(tmp_path, name, content)
    with pytest.raises(DataError, match=message):
        read_pairs(str(tmp_path / "a"), *languages)


def test_a_broken_gzip_file(tmp_path):
    write(tmp_path, "a.de", "x\n")
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"x\n" * 1000)[:20])
    with pytest.raises(DataError, match=r"a\.en\.gz: expected a whole gzip file"):
        read_pairs(str(tmp_path / "a"), "de", "en")


def test_pairs_that_teach_nothing_are_left_out_and_counted(tmp_path, capsys):
    sides = [("ja", "yes"), ("", "no"), ("x", "y" * 26), ("x" * 90, "y" * 14), ("nein", "no")] * 2
    for name in ("train", "valid"):
        for index, language in enumerate(("de", "en")):
            lines = "".join(f"{pair[index]}\n" for pair in sides)
            write(tmp_path, f"{name}.{language}", lines)
    files = {"train": str(tmp_path / "train"), "validation": str(tmp_path / "valid")}
    corpus = load_corpus("files", files, ("train", "validation"), source="de", target="en")
    assert corpus["train"] == [Pair("ja", "yes"), Pair("x" * 90, "y" * 14), Pair("nein", "no")] * 2
    assert len(corpus["validation"]) == 10  # what is measured is all that there is
    blank, long = capsys.readouterr().out.splitlines()
    assert blank == "train: left out 2 of 10 pairs, of which a side is blank"
    assert long.startswith("train: left out 2 of 10 pairs, of which a side has 5 times the char")


@pytest.mark.parametrize("name", ["a.de", "a.en.gz"])
def test_one_of_two_parallel_files_is_not_what_they_are_called(tmp_path, name):
    for one in ("a.de", "a.en.gz"):
        write(tmp_path, one, "x\n")
    with pytest.raises(DataError, match=r"before the name of their language, \S+/a, found"):
        read_pairs(str(tmp_path / name), "de", "en")


def test_what_is_translated_is_one_line(tmp_path):
    write(tmp_path, "a.jsonl", json.dumps({"de": " eins\nzwei ", "en": "one\r\n\ttwo"}) + "\n")
    assert read_pairs(str(tmp_path / "a.jsonl"), "de", "en") == [Pair("eins zwei", "one two")]


def of_numbers(folder, numbers):
    for index, language in enumerate(("de", "en")):
        lines = "".join(f"{(n, n + 1)[index]}\n" for n in numbers)
        write(folder, f"train.{language}", lines)
    return {"train": str(folder / "train")}


def test_the_test_part_that_is_held_out_is_the_same_for_all_seeds_and_with_more_pairs(tmp_path):
    def load(count, seed):
        files, splits = of_numbers(tmp_path, range(count)), ("train", "validation", "test")
        return load_corpus("files", files, splits, seed, ("test",), "de", "en", held_out_test=True)

    corpus, other, more = load(300, 0), load(300, 1), load(400, 0)
    assert corpus["test"] == other["test"] == more["test"][: len(corpus["test"])]
    assert 15 < len(corpus["test"]) < 45
    assert corpus["validation"] != other["validation"]
    sources = [{pair.source for pair in part} for part in corpus.values()]
    assert sum(map(len, sources)) == len(set.union(*sources)) == 300
    files = of_numbers(tmp_path, range(300))
    alone = load_corpus("files", files, ("test",), 5, (), "de", "en", held_out_test=True)
    assert alone == {"test": corpus["test"]}
    given = {**files, "test": files["train"]}
    alone = load_corpus("files", given, ("test",), 5, (), "de", "en", held_out_test=True)
    assert len(alone["test"]) == 300
    with pytest.raises(DataError, match="enough to hold out one of 10 for the test part, found 1"):
        load_corpus("files", of_numbers(tmp_path, [7]), ("test",), 0, (), "de", "en", True)


def test_blank_pairs_are_not_what_is_validated(tmp_path):
    pairs = [(str(n), str(n)) for n in range(50)] + [("", "x")] * 200
    for index, language in enumerate(("de", "en")):
        write(tmp_path, f"train.{language}", "".join(f"{pair[index]}\n" for pair in pairs))
    files, splits = {"train": str(tmp_path / "train")}, ("train", "validation")
    for seed in range(8):
        corpus = load_corpus("files", files, splits, seed, (), "de", "en")
        assert (len(corpus["train"]), len(corpus["validation"])) == (45, 5)


def test_what_is_to_be_translated_is_read_from_whatever_holds_it(tmp_path):
    def texts(name, content, source):
        write(tmp_path, name, content)
        return [given.text for given in read_sources(str(tmp_path / name), source)]

    assert texts("a.de", "eins\nzwei\n", "de") == ["eins", "zwei"]
    assert texts("a.de", "eins\nzwei\n", "0") == ["eins", "zwei"]
    assert texts("a.csv", "id,de\n1,eins\n", "de") == ["eins"]
    assert texts("a.csv", "id,text\n1,eins\n", "de") == ["eins"]
    assert texts("a.jsonl", '{"de": "eins", "text": "no"}\n', "de") == ["eins"]
    assert texts("a.jsonl", '{"text": "eins"}\n', "de") == ["eins"]
    assert texts("a.txt", "one\teins\n\ntwo\tzwei\tCC\n", "1") == ["eins", "zwei"]
    with pytest.raises(DataError, match=r"a\.txt:2: expected 2 columns or more"):
        texts("a.txt", "one\teins\ntwo\n", "1")


class TinyPairs(tfds.core.GeneratorBasedBuilder):
    """Pairs as most builders of translations have them, and beside other features."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("pairs", "more")]  # noqa: RUF012

    def _info(self):
        kinds = {
            "pairs": tfds.features.Translation(("de", "en")),
            "more": tfds.features.FeaturesDict(
                {"en": tfds.features.Text(), "de": tfds.features.Text(), "id": np.int64}
            ),
        }
        return tfds.core.DatasetInfo(builder=self, features=kinds[self.builder_config.name])

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(20), "dev": self._generate_examples(3)}

    def _generate_examples(self, count):
        for n in range(count):
            example = {"de": f"Nummer\n{n}", "en": f"number {n}", "id": n}
            yield n, {key: value for key, value in example.items() if key in self.info.features}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "builder", lambda name: tfds.builder(name, data_dir=folder))
        yield "tfds:tiny_pairs"


@pytest.mark.parametrize("kind", ["pairs", "more"])
def test_builders_of_tensorflow_datasets(tiny, kind):
    corpus = load_corpus(f"{tiny}/{kind}", None, ("train", "validation"), 0, (), "de", "en")
    assert {split: len(part) for split, part in corpus.items()} == {"train": 20, "validation": 3}
    assert Pair("Nummer 2", "number 2") in corpus["validation"]
    for languages in (("de", "fr"), ("de", "de"), ("de", None), ("id", "en")):
        with pytest.raises(DataError, match=r"to be two of (de, en|en, de), found"):
            load_corpus(f"{tiny}/{kind}", None, ("validation",), 0, (), *languages)


def test_no_source_text_is_on_both_sides_of_what_is_held_out():
    pairs = [Pair(str(n % 40), str(n)) for n in range(100)]
    kept, held_out = hold_out_sources("files", pairs, 0)
    assert sorted([*kept, *held_out]) == sorted(pairs)
    assert not {pair.source for pair in kept} & {pair.source for pair in held_out}
    assert len({pair.source for pair in held_out}) == 4
    with pytest.raises(DataError, match="two source texts"):
        hold_out_sources("files", pairs[:1], 0)


def test_the_built_in_corpus_needs_no_languages():
    assert load_corpus("demo", splits=("test",))["test"][0].target[-1] in ".?"
