"""Readers of labelled texts, and the built-in reviews."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tasks.classification import demo as demo_reviews
from tasks.classification import reading as labelled
from tasks.classification.reading import Example, read_labelled_file
from tasks.data import builders
from tasks.data.errors import DataError
from tasks.data.unlabelled import texts_of


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


# --- tables


def test_csv_has_quoted_cells_with_commas_and_line_ends(tmp_path):
    path = write(tmp_path / "a.csv", 'id,stars,review\n1,5,"Good,\n ""really""."\n2,1,Bad\n\n')
    assert read_labelled_file(path, "review", "stars") == [
        Example('Good,\n "really".', "5"),
        Example("Bad", "1"),
    ]


def test_tsv_takes_quotes_as_they_are(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"Oh\tno\nx\tyes\n')
    assert read_labelled_file(path) == [Example('"Oh', "no"), Example("x", "yes")]


def test_tsv_of_a_spreadsheet_encloses_cells_in_quotes(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"a ""b""\nc\td"\tno\nx\tyes\n')
    assert read_labelled_file(path) == [Example('a "b"\nc\td', "no"), Example("x", "yes")]
    # Where lines have the right number of cells without, quotes join none.
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"a\tno\nb"\tyes\n')
    assert read_labelled_file(path) == [Example('"a', "no"), Example('b"', "yes")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "text;label\nGood, really;pos\n", "semicolons"),
        ("a.csv", "id\ttext\tlabel\n1\tGood, really\tpos\n", "TABs"),
        ("a.csv", "text|label\nGood, really|pos\n", "bars"),
        ("a.tsv", 'text,label\n"Good, really",pos\n', "commas"),
        ("a.txt", "text\tlabel\nGood, really\tpos\n", ""),
        ("a", 'label,text\npos,"Good, really"\n', ""),
        ("a.csv", '\ufefftext, label\n"Good, really", pos\n', ""),
        ("a.csv", 'text,label\r\n"Good, really",pos\r\n', ""),
        ("a.csv", 'text,label\r"Good, really",pos\r', ""),
        ("A.CSV", '"text","label"\n"Good, really","pos"\n', ""),
    ],
)
def test_what_stands_between_cells_follows_from_the_names_of_columns(
    tmp_path, name, content, said, capsys
):
    path = write(tmp_path / name, content)
    assert read_labelled_file(path) == [Example("Good, really", "pos")]
    error = capsys.readouterr().err
    assert error == (f"{path}: read as a table with {said}.\n" if said else "")


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        # The quote of the second row is never closed, in the middle of a cell, or by another row.
        (['"Bad,neg', "Good,pos"], 3, "found none that does"),
        (["Bad,neg", 'Good,"pos'], 4, "found none that does"),
        (['"Bad,neg', "Good,pos", '"Well, no",neg'], 3, "found text behind a quote in line 5"),
        (['"Bad" film,neg'], 3, "found text behind a quote in line 3"),
        (['"Bad,neg', 'Good",pos'], 3, "a quote that opens here and ends in line 4, and between"),
        (['"Bad,neg', "So so,neg", 'Good",pos'], 3, "opens here and ends in line 5, and between"),
        (['"Bad,other', "So so,third", 'Good",pos'], 3, "opens here and ends in line 5"),
        (["Bad, awful,neg"], 3, "expected 2 columns, found 3; a cell with commas needs quotes"),
        (['"Bad,neg', 'Good",pos,x'], 3, "found 3 in the lines up to 4, which a quote joins"),
        (["Bad"], 3, "expected 2 columns, found 1"),
    ],
)
def test_a_stray_quote_is_named_by_the_line_where_it_opens(tmp_path, rows, line, message):
    lines = ["text,label", "Fine,pos", *rows, "Last,neg", "End,pos"]
    error = error_of(write(tmp_path / "a.csv", "\n".join(lines)))
    assert error.startswith(f":{line}: expected ")
    assert message in error


def test_a_text_of_several_lines_is_one(tmp_path, capsys):
    texts = ["Well, no,\nnot at all", "1,000 came,\n\nand left", "a\nb,c\nd", "pos\nneg,pos\n"]
    rows = "".join(f'"{text}",pos\n' for text in texts)
    path = write(tmp_path / "a.csv", "text,label\n" + rows + "x,neg\n")
    assert [example.text for example in read_labelled_file(path)] == [*texts, "x"]
    assert not capsys.readouterr().err
    path = write(tmp_path / "b.csv", 'label,text\nneg,"We were\n1,000"\npos,"We were\npos,x"\n')
    assert len(read_labelled_file(path)) == 2
    said = capsys.readouterr().err
    assert said.count("looks like rows; they are read as one text") == 2
    assert f"{path}:2: " in said
    assert f"{path}:4: " in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,class\nx,y\n", ":1: expected a column 'label', found text, class; --text"),
        (
            "a.csv",
            "Good,pos\nBad,neg\n",
            ":1: expected columns 'text' and 'label', found Good, pos",
        ),
        ("a.csv", "\nGood;pos\n", ":2: expected columns 'text' and 'label', found Good, pos"),
        (
            "a.csv",
            "text,label,text\na,b,c\n",
            ":1: expected columns of different names, found 'text'",
        ),
        ("a.csv", "text,label\nx,\n", ":2: expected a label on one line"),
        ("a.csv", "text,label\nx, pos\n", ":2: expected a label on one line"),
        ("a.csv", 'text,label\nx,"bad\nvery"\n', ":2: expected a label on one line"),
        ("a.csv", "", ": expected one or more texts"),
        ("a.csv", "text,label\n", ": expected one or more texts"),
        (
            "a.csv",
            '{"text": "x", "label": "y"}\n',
            ": expected a table, as the name says, found JSON",
        ),
        ("a.jsonl", "text,label\nx,y\n", ":1: expected an object of JSON on each line"),
        ("a.doc", "x", ": expected a .csv, .tsv or .jsonl file, or a folder"),
        ("a.txt", "text\nx\n", ": expected a .csv, .tsv or .jsonl file, or a folder"),
        ("a.conll", "a\tO\nb\tO\n", ": expected a .csv, .tsv or .jsonl file, or a folder"),
        ("a.csv", "<html>\n", ": expected text or data, found a file of HTML or XML"),
    ],
)
def test_a_malformed_file_says_where_and_what(tmp_path, name, content, message):
    assert error_of(write(tmp_path / name, content)).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08", "found a gzip file; unpack it"),
        (b"PK\x03\x04", "found a zip archive, as .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1", "found a file of an old Office program"),
        ("text,label\nx,y\n".encode("utf-16"), "found UTF-16 or UTF-32; save it as UTF-8"),
        ("text,label\nx,y\n".encode("utf-16-be"), ":1: expected UTF-8, found byte 0x00"),
        (b"%PDF-1.7", "found a PDF file"),
        (b"text,label\nx\0,y\n", ":2: expected UTF-8, found byte 0x00: a binary file"),
        (b"text,label\ncaf\xe9,x\n", ":2: expected UTF-8, found byte 0xe9"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a"])
def test_files_that_are_no_text_are_known_under_any_name(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message in error_of(path)


# --- JSON lines


def test_json_lines(tmp_path):
    rows = [{"text": "é\n2", "label": 3}, {"text": "", "label": "x", "more": None}]
    for name in ("a.jsonl", "a.ndjson", "a.json", "a.txt", "a"):
        path = write(tmp_path / name, "\n".join(map(json.dumps, rows)))
        assert read_labelled_file(path) == [Example("é\n2", "3"), Example("", "x")]


def test_a_number_is_one_label_however_it_is_written(tmp_path):
    rows = "".join(f'{{"text": "x", "label": {label}}}\n' for label in ("1", "1.0", '"1"', '"1.0"'))
    path = write(tmp_path / "a.jsonl", rows + '{"text": "x", "label": 2.50}\n')
    assert [label for _, label in read_labelled_file(path)] == ["1"] * 4 + ["2.5"]
    path = write(tmp_path / "a.csv", "text,label\nx,1\nx,1.0\nx,2.50\nx,007\n")
    assert [label for _, label in read_labelled_file(path)] == ["1", "1", "2.5", "007"]


@pytest.mark.parametrize(
    "label",
    [
        *(
            "null",
            "true",
            "false",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "[1]",
            '{"a": 1}',
            '""',
        ),
        *('" a"', '"a\\n"', '"a\\u0085b"', '"a\\u2028b"', '"a\\u0000"', '"a\\tb"', '"\\ufeffa"'),
    ],
)
def test_labels_that_name_no_class_are_refused(tmp_path, label):
    path = write(
        tmp_path / "a.jsonl",
        f'{{"text": "a", "label": "b"}}\n\n{{"text": "a", "label": {label}}}\n',
    )
    assert error_of(path).startswith(":3: expected a label")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x"}', "expected an object with 'text' and 'label', found text; --text_column"),
        ("{}", "expected an object with 'text' and 'label', found none"),
        ("[1]", "expected an object of JSON on each line, found an array"),
        ("3", "expected an object with 'text' and 'label', found int"),
        ("{", "expected an object of JSON on each line, found: "),
        ('{"text": 1, "label": 2}', "expected a text in 'text', found 1"),
        ('{"text": null, "label": 2}', "expected a text in 'text', found null"),
        ('{"text": ["a"], "label": 2}', "expected a text in 'text', found [\"a\"]"),
        (
            '{"text": "a", "text": "b", "label": 2}',
            "expected an object of JSON on each line, found: the key 'text' twice",
        ),
        ('{"text": "\\ud83d", "label": 2}', "expected whole characters, found half of a"),
        ('{"text": "a", "label": "\\udc00"}', "expected whole characters, found half of a"),
        ('{"text": "a", "label": ' + "[" * 100_000, "expected an object of JSON on each line"),
        ('{"text": "a", "label": ' + "9" * 5000 + "}", "expected an object of JSON on each line"),
    ],
)
def test_a_malformed_line_of_json_is_named(tmp_path, line, message):
    path = write(tmp_path / "a.jsonl", f"{line}\n")
    assert error_of(path).startswith(f":1: {message}")
    if not line.startswith("["):
        path = write(tmp_path / "a.jsonl", f'{{"text": "a", "label": 1}}\n{line}\n')
        assert error_of(path).startswith(f":2: {message}")


def test_pairs_of_surrogates_are_characters(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "\\ud83d\\ude00", "label": 1}')
    assert read_labelled_file(path) == [Example("😀", "1")]


# --- folders


def test_a_folder_for_each_label(tmp_path):
    for label, text in (("pos", "Good.\nFine.\n"), ("neg", "Bad"), (".cache", "x")):
        (tmp_path / label).mkdir()
        write(tmp_path / label / "1.txt", text)
    write(tmp_path / "neg" / ".hidden", "x")
    write(tmp_path / "README", "x")
    assert read_labelled_file(tmp_path) == [Example("Bad", "neg"), Example("Good.\nFine.", "pos")]


@pytest.mark.parametrize("label", ["a\nb", "a\u2028b", " a", "a\t", "a\x85b", "a\udcff"])
def test_a_folder_whose_name_is_no_label(tmp_path, label):
    (tmp_path / label).mkdir()
    write(tmp_path / label / "1.txt", "Good.")
    with pytest.raises(DataError, match="expected a label on one line"):
        read_labelled_file(tmp_path)


def test_folders_that_hold_something_else(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "found none" in error_of(tmp_path / "empty")
    assert error_of(tmp_path).startswith("/empty: expected one or more text files, found none")
    (tmp_path / "empty" / "deeper").mkdir()
    assert error_of(tmp_path).startswith("/empty/deeper: expected a text file, found a folder")
    (tmp_path / "empty" / "deeper").rmdir()
    (tmp_path / "empty" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert error_of(tmp_path).startswith("/empty/a.png:1: expected UTF-8")
    (tmp_path / "empty" / "a.png").unlink()
    write(tmp_path / "empty" / "a.csv", "text\nx\n")
    assert error_of(tmp_path).startswith("/empty/a.csv: expected a file that is one text")


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    assert "expected a readable file, found: No such file" in error_of(tmp_path / "none.csv")
    assert "expected a readable file, found" in error_of("a\0b")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "1.txt", "x")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.read_bytes", refuse)
        assert "/a/1.txt: expected a readable file, found: Permission" in error_of(tmp_path)
    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    assert "expected a readable folder, found: Permission denied" in error_of(tmp_path)


# --- corpora


def test_a_class_of_few_texts_stays_in_training(tmp_path):
    rows = [f"x{i},common" for i in range(18)] + ["y,rare", "z,rare"]
    path = str(write(tmp_path / "a.csv", "\n".join(["text,label", *rows])))
    for seed in range(30):
        corpus = labelled.load_corpus("files", {"train": path}, ["train", "validation"], seed)
        assert len(corpus["validation"]) == 2
        assert {label for _, label in corpus["train"]} == {"common", "rare"}
    write(tmp_path / "a.csv", "text,label\nx,a\ny,b\n")
    with pytest.raises(DataError, match="while the others have all labels, found 2"):
        labelled.load_corpus("files", {"train": path}, ["train", "validation"])


class TinyLabelled(tfds.core.GeneratorBasedBuilder):
    """Labelled texts, a test split that keeps its labels to itself, and texts without a label."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name) for name in ("good", "no_label", "lines")
    ]

    def _info(self):
        features = {"idx": tfds.features.Scalar(np.int64), "sentence": tfds.features.Text()}
        names = {"good": ["neg", "pos"], "lines": ["neg", "po\u2028s"]}
        if self.builder_config.name in names:
            features["mood"] = tfds.features.ClassLabel(names=names[self.builder_config.name])
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        rows = {
            "train": [("good", 1), ("bad", 0), ("fine", 1), ("maybe", -1)],
            "test": [("hidden", -1)],
            "validation_matched": [("kept", -1)],
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
    assert sorted(labelled.unlabelled_texts(f"{tiny}/good")) == ["maybe", "more", "text"]
    assert labelled.unlabelled_texts("demo") == []
    texts = ["bad", "fine", "good", "maybe", "more", "text"]
    assert sorted(texts_of(f"{tiny}/good")) == texts


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
    with pytest.raises(DataError, match="lines, feature mood: expected a label on one line"):
        labelled.load_corpus(f"{tiny}/lines", splits=["train"])


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
