"""Readers of parallel corpora: what each format allows, and errors that say what was expected."""

import gzip
import json

import pytest

from tasks.data.errors import DataError
from tasks.translation.demo import Pair
from tasks.translation.reading import hold_out_sources, load_corpus, read_pairs

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
    assert capsys.readouterr().out.splitlines() == [
        "train: left out 2 of 10 pairs, of which a side is blank",
        "train: left out 2 of 10 pairs, of which a side has 5 times the characters of the other",
    ]


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
