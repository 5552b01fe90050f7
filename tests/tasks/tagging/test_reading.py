"""Readers: what each format allows, and errors that say where and what was expected."""

import pytest
import tensorflow_datasets as tfds

from tasks.data import builders
from tasks.data.errors import DataError
from tasks.tagging import demo as demo_corpus
from tasks.tagging.reading import (
    load_corpus,
    read_tagged_file,
    read_tfds,
)
from zoo.text.tags import Sentence

TWO = [Sentence(("Teddy", "smiled"), ("B-PER", "O")), Sentence(("Paris",), ("B-LOC",))]


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.conll"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def error_of(function, *args, **kwargs):
    with pytest.raises(DataError) as error:
        function(*args, **kwargs)
    message = str(error.value)
    assert "\n" not in message
    assert "expected" in message
    assert "found" in message
    return message


# --- columns


@pytest.mark.parametrize(
    "text",
    [
        "Teddy\tB-PER\nsmiled\tO\n\nParis\tB-LOC\n",
        "Teddy\tB-PER\nsmiled\tO\n\t\nParis\tB-LOC",  # a lone TAB, and no newline at the end
        "Teddy B-PER\nsmiled O\n  \t \nParis B-LOC\n\n\n",
        "Teddy  B-PER\nsmiled   O \n\n\n\nParis B-LOC\n",
        "\n\nTeddy B-PER\r\nsmiled O\r\n\r\nParis B-LOC\r\n",
        "Teddy B-PER\rsmiled O\r\rParis B-LOC\r",
        b"\xef\xbb\xbfTeddy\tB-PER\nsmiled\tO\n\nParis\tB-LOC\n",
        b"Teddy\tB-PER\nsmiled\tO\n\n\xef\xbb\xbfParis\tB-LOC\n",  # of two files that were joined
        "-DOCSTART- -X- O O\n\nTeddy NNP x B-PER\nsmiled VBD y O\n\nParis NNP z B-LOC\n",
        "Teddy\tB-PER\nsmiled\tO\n-DOCSTART-\tO\nParis\tB-LOC\n",
        "# sent_id = 1\n# text = Teddy smiled\nTeddy\tB-PER\nsmiled\tO\n\n# x\nParis\tB-LOC\n",
        "# sent_id = 1\nTeddy a b B-PER\nsmiled a b O\n\nParis a b B-LOC\n",
        "#begin document (x); part 0\nTeddy B-PER\nsmiled O\n\nParis B-LOC\n\n#end document\n",
    ],
)
def test_columns(write, text):
    assert read_tagged_file(write(text), "ner") == TWO


def test_many_lone_tabs_end_sentences_and_are_no_tokens(write):
    path = write("a\tO\n\t\n" * 50)
    assert read_tagged_file(path, "ner") == [Sentence(("a",), ("O",))] * 50


def test_a_hash_is_a_token_where_it_has_a_tag(write):
    def read(text):
        return read_tagged_file(write(text), "ner")

    assert read("#\tO\n1\tO\n") == [Sentence(("#", "1"), ("O", "O"))]
    assert read("#\tO\n\n#\tO\n") == [Sentence(("#",), ("O",))] * 2
    assert read("a O\n# O\n\n# O\n") == [
        Sentence(("a", "#"), ("O", "O")),
        Sentence(("#",), ("O",)),
    ]
    assert read("#topic O\n\na O\n")[0].tokens == ("#topic",)


def test_unicode_spaces_and_line_breaks_belong_to_tokens(write):
    path = write("New\u00a0York B-LOC\na\u2028b O\n\x85 O\n\u00a0\tO\n10 000\tO\n")
    tokens = read_tagged_file(path, "ner")[0].tokens
    assert tokens == ("New\u00a0York", "a\u2028b", "\x85", "\u00a0", "10 000")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("word\nTeddy\tO\n", 1, "expected 2 or more columns, found 1"),
        ("a\tO\n\nb\tx\tO\n", 3, "expected 2 columns, as in line 1, found 3"),
        ("# x = 1\na b O\nb O\n", 3, "expected 3 columns, as in line 2, found 2"),
        ("a\tO\n# no comment inside\n", 2, "found 4"),
        ("a\tO\n\tO\n", 2, "expected a token and a tag, found token '' and tag 'O'"),
        ("a\tO\nb\t\n", 2, "expected a token and a tag, found token 'b' and tag ''"),
        ("a\tO\nb\t \n", 2, "expected a token and a tag, found token 'b' and tag ''"),
        (b"a\tO\n\xff\tO\n", 2, "expected UTF-8, found byte 0xff"),
        (b"a\tO\na\0b\tO\n", 2, "expected UTF-8, found byte 0x00"),
        ("token\ttag\na\tO\n", 1, "expected a token and its tag, found token and tag, which are"),
        ("a\tO\n\nb\tADJ\n", 3, "expected an entity tag (O, or B- I- E- S- L- U- and a type, such"),
        ("a\tO\n\nb\tX-\n", 3, "found 'X-'; --tag_column says where tags are"),
    ],
)
def test_a_malformed_line_is_named(write, text, line, message):
    path = write(text)
    error = error_of(read_tagged_file, path, "ner")
    assert error.startswith(f"{path}:{line}: ")
    assert message in error


@pytest.mark.parametrize("broken", ["\u2028", "\x85", "\x0b", "\x1c", "\x7f", "\ufeff", "\r"])
@pytest.mark.parametrize("task", ["ner", "pos"])
def test_a_tag_that_no_line_can_hold_is_refused(write, broken, task):
    path = write(f"a\tO\nb\tB-P{broken}X\nc\tO\n")
    error = error_of(read_tagged_file, path, task, tag_column=1)
    assert error.startswith(f"{path}:2: expected a tag on one line, ")
    assert ascii(broken)[1:-1] in error


@pytest.mark.parametrize("text", ["", "\n\t\n", "-DOCSTART- O\n\n", "# nothing\n"])
@pytest.mark.parametrize("name", ["a.conll", "a.conllu"])
def test_a_file_without_sentences(write, text, name):
    if name == "a.conllu" and text.startswith("-DOC"):
        text = "# newdoc\n\n"
    path = write(text, name)
    error = error_of(read_tagged_file, path, "pos")
    assert error == f"{path}: expected one or more sentences, found none"


def test_a_file_that_cannot_be_read(tmp_path):
    missing = tmp_path / "missing.conll"
    assert error_of(read_tagged_file, missing, "pos") == (
        f"{missing}: expected a readable file, found: No such file or directory"
    )
    assert "Is a directory" in error_of(read_tagged_file, tmp_path, "pos")


# --- which columns


def ner(write, *lines, name="train.conll", **which):
    return read_tagged_file(write("\n".join(lines), name), "ner", **which)


def test_a_column_that_numbers_the_words_holds_no_tokens(write, capsys):
    expected = [Sentence(("Anna", "ran"), ("B-PER", "O")), Sentence(("Oslo",), ("B-LOC",))]
    rows = ["1\tAnna\tB-PER", "2\tran\tO", "", "1\tOslo\tB-LOC"]
    assert ner(write, *rows) == expected
    assert "column 0 numbers the words; tokens are read from column 1" in capsys.readouterr().err
    assert ner(write, "0 Anna NNP B-PER", "1 ran VBD O", "", "0 Oslo NNP B-LOC") == expected
    # As in CoNLL-2012, where document and part come first.
    rows = ["bc/a 0 0 Anna B-PER", "bc/a 0 1 ran O", "", "bc/a 0 0 Oslo B-LOC"]
    assert ner(write, *rows) == expected


def test_numbers_may_be_tokens(write, capsys):
    counted = ["1\tO", "", "2\tO", "3\tO", "", "1\tO", "2\tO"]
    assert [s.tokens for s in ner(write, *counted, token_column=0)] == [
        ("1",), ("2", "3"), ("1", "2"),
    ]  # fmt: skip
    assert ner(write, "1\tO", "", "1\tO")[0].tokens == ("1",)
    assert ner(write, "1 O", "2 O", "", "Anna B-PER", "ran O", "", "a O", "b O")[0].tokens == (
        "1", "2",
    )  # fmt: skip
    assert not capsys.readouterr().err


def test_numbers_in_most_sentences_are_refused(write):
    rows = ["1 Anna O", "2 ran O", "", "1 a O", "2 b O", "", "4 c O", "5 d O"]
    path = write("\n".join(rows))
    error = error_of(read_tagged_file, path, "ner")
    assert error.startswith(f"{path}: expected tokens in column 0")
    assert "found numbers in 2 of 3; --token_column says" in error
    assert "expected tokens behind column 1" in error_of(
        read_tagged_file, write("a 1\nb 2\n"), "ner"
    )


GERMEVAL = [
    "#\thttp://de.wikipedia.org/wiki/Manfred_Korfmann [2009-10-17]",
    "1\tAufgrund\tO\tO",
    "2\tTroia\tB-LOC\tO",
    "",
    "#\thttp://de.wikipedia.org/wiki/Stadion [2009-10-17]",
    "1\tNordkurve\tB-OTH\tB-LOC",
    "2\tBochum\tI-OTH\tO",
]


def test_columns_of_germeval(write, capsys):
    expected = [
        Sentence(("Aufgrund", "Troia"), ("O", "B-LOC")),
        Sentence(("Nordkurve", "Bochum"), ("B-OTH", "I-OTH")),
    ]
    path = write("\n".join(GERMEVAL), "de.tsv")
    assert error_of(read_tagged_file, path, "ner") == (
        f"{path}: expected entity tags in one column, found them in columns 2 and 3; --tag_column "
        "says which to read"
    )
    for column in (2, -2):
        assert read_tagged_file(path, "ner", tag_column=column) == expected
    assert read_tagged_file(path, "ner", tag_column=-1)[1].tags == ("B-LOC", "O")
    capsys.readouterr()
    assert ner(write, *GERMEVAL[:3]) == expected[:1]
    assert "tags are read from column 2" in capsys.readouterr().err


def test_tags_need_not_be_in_the_last_column(write, capsys):
    rows = ["# sent_id = 1", "1\tAnna\tB-PER\t-\tmax", "2\tran\tO\t-\tmax"]
    assert ner(write, *rows) == [Sentence(("Anna", "ran"), ("B-PER", "O"))]
    assert "tags are read from column 2" in capsys.readouterr().err
    # Phrases are no entities.
    rows = ["EU NNP B-NP B-ORG", "rejects VBZ B-VP O", "calls NNS I-NP O"]
    assert ner(write, *rows)[0].tags == ("B-ORG", "O", "O")
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["EU NNP B-NP B-ORG", "won VBD B-VP O"], "found entities or phrases in the last one, 3"),
        (["1 EU eu NNP", "2 won win VBD"], "found columns 2 to 3 behind the tokens"),
    ],
)
def test_parts_of_speech_in_an_unclear_column(write, rows, message):
    path = write("\n".join(rows))
    error = error_of(read_tagged_file, path, "pos")
    assert error.startswith(f"{path}: expected parts of speech in one column, {message}")
    assert "--tag_column says" in error
    column = 3 if rows[0].startswith("1") else 1
    assert read_tagged_file(path, "pos", tag_column=column)[0].tags == ("NNP", "VBD")


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ({"tag_column": 3}, ":1: expected 4 or more columns, as --tag_column=3 asks for, found 3"),
        ({"token_column": -4}, ":1: expected 4 or more columns, as --token_column=-4 asks for"),
        ({"token_column": 2}, ": expected tokens and tags in two columns, found 2 for both"),
        ({"token_column": 1, "tag_column": -2}, "found 1 for both"),
    ],
)
def test_columns_that_are_not_there(write, which, message):
    path = write("a\tx\tO\n")
    assert message in error_of(read_tagged_file, path, "ner", **which)


def test_which_columns(write):
    path = write("1 Teddy NNP B-PER\n2 smiled VBD O\n")
    assert read_tagged_file(path, "pos", token_column=1, tag_column=2) == [
        Sentence(("Teddy", "smiled"), ("NNP", "VBD"))
    ]


# --- CoNLL-U


def row(word_id, form, upos, xpos="NN"):
    return "\t".join([word_id, form, "_", upos, xpos, *"_____"]) + "\n"


CONLLU = (
    "# sent_id = 1\n# text = I don't know\n"
    + row("1", "I", "PRON")
    + row("2-3", "don't", "_", "_")
    + row("2", "do", "AUX")
    + row("3", "n't", "PART", "RB")
    + row("3.1", "really", "ADV")
    + row("4", "know", "VERB")
    + "\n# sent_id = 2\n"
    + row("1", "#", "SYM")
)


@pytest.mark.parametrize("name", ["a.conllu", "a.conll", "a.txt", "a", "a.tsv", "A.CONLLU"])
def test_conllu_is_known_under_any_name_and_its_words_are_read(write, name):
    expected = [
        Sentence(("I", "do", "n't", "know"), ("PRON", "AUX", "PART", "VERB")),
        Sentence(("#",), ("SYM",)),
    ]
    path = write(CONLLU, name)
    assert read_tagged_file(path, "pos") == expected
    assert read_tagged_file(write(CONLLU.replace("\n", "\r\n"), name), "pos") == expected
    xpos = read_tagged_file(path, "pos", tag_column=4)
    assert xpos[0].tags == ("NN", "NN", "RB", "NN")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# a\n1\tI\tPRON\n", 2, "expected 10 columns separated by TABs, found 3"),
        (row("1", "I", "PRON") + row("3", "know", "VERB"), 2, "expected word 2 of a sentence"),
        (row("1", "I", "PRON") + row("1", "You", "PRON"), 2, "found '1'"),
        (row("1", "", "PRON"), 1, "expected a token and a tag, found token ''"),
        (row("1", "I", "_"), 1, "found token 'I' and tag '_'"),
        (row("1", "I", ""), 1, "found token 'I' and tag ''"),
        (b"1\t\xe9\n", 1, "expected UTF-8, found byte 0xe9"),
    ],
)
def test_a_malformed_line_of_conllu_is_named(write, text, line, message):
    path = write(text, "train.conllu")
    error = error_of(read_tagged_file, path, "pos")
    assert error.startswith(f"{path}:{line}: ")
    assert message in error


@pytest.mark.parametrize("name", ["a.conllu", "a.conll", "a.txt"])
def test_conllu_holds_no_entities_unless_told_where(write, name):
    path = write(CONLLU, name)
    error = error_of(read_tagged_file, path, "ner")
    assert error.startswith(f"{path}: expected a file of columns with entity tags")
    tagged = row("1", "Anna", "PROPN").replace("_\n", "B-PER\n") + row("2", "ran", "VERB").replace(
        "_\n", "O\n"
    )
    path = write(tagged, name)
    assert read_tagged_file(path, "ner", tag_column=-1)[0].tags == ("B-PER", "O")


# --- files of a task


def test_a_file_in_columns_may_be_called_tsv(write):
    assert read_tagged_file(write("a\tADJ\n", "a.tsv"), "pos")[0].tags == ("ADJ",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "token,tag\nAnna,B-PER\n", "found a table"),
        ("a.jsonl", '{"tokens": ["Anna"], "tags": ["B-PER"]}\n', "found JSON lines"),
        ("a", '{"tokens": ["Anna"], "tags": ["B-PER"]}\n', "found JSON lines"),
        ("a.conll", '{"tokens": ["Anna"], "tags": ["B-PER"]}\n', "found JSON lines"),
        ("a.conll", "<!DOCTYPE html>\n<html>", "found a file of HTML or XML"),
        ("a.conll", b"\x1f\x8b\x08\x00", "found a gzip file"),
        ("a.conll", b"PK\x03\x04", "found a zip archive"),
        ("a.conll", "Anna\tB-PER\n".encode("utf-16"), "found UTF-16"),
        ("a.conll", "Anna\tB-PER\n".encode("utf-16-le"), "found byte 0x00"),
    ],
)
def test_other_files_are_refused(write, name, text, message):
    path = write(text, name)
    error = error_of(read_tagged_file, path, "ner")
    assert error.startswith(path)
    assert message in error


@pytest.mark.parametrize(
    "tags", [["I-PER", "I-PER", "B-PER"], ["B-PER", "E-PER", "S-PER"], ["B-PER", "L-PER", "U-PER"]]
)
def test_entities_come_as_bio(write, tags):
    path = write("".join(f"w\t{tag}\n" for tag in tags))
    assert read_tagged_file(path, "ner")[0].tags == ("B-PER", "I-PER", "B-PER")


# --- TensorFlow Datasets


class TinyTagged(tfds.core.GeneratorBasedBuilder):
    """Two sentences a split, in the features of a treebank or of an entity corpus."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name)
        for name in (
            *("ner", "pos", "pos_text", "no_head", "broken", "odd", "uneven"),
            *("lines", "latin", "hidden"),
        )
    ]

    def _info(self):
        text = tfds.features.Sequence(tfds.features.Text())

        def labels(*names):
            return tfds.features.Sequence(tfds.features.ClassLabel(names=names))

        upos = labels("_", "AUX", "PART", "ADV")
        features = {
            "ner": {"tokens": text, "tags": labels("O", "I-PER", "B-PER"), "langs": text},
            "pos": {"tokens": text, "upos": upos, "head": text, "text": tfds.features.Text()},
            "pos_text": {"tokens": text, "pos": text},
            "no_head": {"tokens": text, "upos": upos},
            "broken": {"tokens": text, "ner_tags": labels("O", "PER")},
            "odd": {"words": text, "tags": tfds.features.Text()},
            "uneven": {"tokens": text, "pos": text},
            "lines": {"tokens": text, "pos": labels("X\nY")},
            "latin": {"tokens": text, "pos": text},
            "hidden": {"tokens": text, "pos": labels("X")},
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features[self.builder_config.name])
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "dev": self._generate_examples()}

    def _generate_examples(self):
        treebank = ["don't", "do", "n't", "really"]
        upos = ["_", "AUX", "PART", "ADV"]
        yield (
            0,
            {
                "ner": {"tokens": ["A", "b"], "tags": ["I-PER", "I-PER"], "langs": ["en", "en"]},
                "pos": {
                    "tokens": treebank,
                    "upos": upos,
                    "head": ["None", "0", "2", "None"],
                    "text": "don't",
                },
                "pos_text": {"tokens": ["é", ""], "pos": ["X", "Y"]},
                "no_head": {"tokens": treebank, "upos": upos},
                "broken": {"tokens": ["A"], "ner_tags": ["PER"]},
                "odd": {"words": ["a"], "tags": "O"},
                "uneven": {"tokens": ["A", "b"], "pos": ["X"]},
                "lines": {"tokens": ["a"], "pos": [0]},
                "latin": {"tokens": [b"caf\xe9"], "pos": ["X"]},
                "hidden": {"tokens": ["a"], "pos": [-1]},
            }[self.builder_config.name],
        )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.mark.parametrize(
    ("name", "task", "expected"),
    [
        ("ner", "ner", Sentence(("A", "b"), ("B-PER", "I-PER"))),
        ("pos", "pos", Sentence(("do", "n't"), ("AUX", "PART"))),
        ("no_head", "pos", Sentence(("do", "n't", "really"), ("AUX", "PART", "ADV"))),
    ],
)
def test_tfds(data_dir, name, task, expected):
    for split in ("train", "validation"):  # its own name for the latter is dev
        assert read_tfds(f"tiny_tagged/{name}", split, task, data_dir) == [expected]


@pytest.mark.parametrize(
    ("name", "split", "task", "message"),
    [
        ("no_such_builder", "train", "ner", "expected a builder of TensorFlow Datasets"),
        ("tiny_taged/ner", "train", "ner", "Datasets, such as tiny_tagged, "),
        ("tiny_tagged/nerr", "train", "ner", "a configuration of tiny_tagged, such as ner,"),
        ("tiny_tagged/ner:9.9.9", "train", "ner", "of tiny_tagged, found AssertionError"),
        ("tiny_tagged/ner", "test", "ner", "a split 'test', found train, validation"),
        ("tiny_tagged/ner", "train", "pos", "for pos, upos or pos_tags or pos or xpos, found"),
        ("tiny_tagged/odd", "train", "ner", "sequences tokens and, for ner, ner_tags or ner"),
        ("tiny_tagged/broken", "train", "ner", "feature ner_tags: expected an entity tag"),
        ("tiny_tagged/uneven", "train", "pos", "found 2 tokens and 1 tags"),
        ("tiny_tagged/pos_text", "train", "pos", "expected tokens and tags, found token ''"),
        ("tiny_tagged/lines", "train", "pos", "split train: expected a tag on one line"),
        ("tiny_tagged/latin", "train", "pos", "split train: expected UTF-8, found byte 0xe9"),
        ("tiny_tagged/hidden", "train", "pos", "the number of one of 1 tags, found -1"),
    ],
)
def test_tfds_errors(data_dir, name, split, task, message):
    error = error_of(read_tfds, name, split, task, data_dir)
    assert error.startswith(f"tfds:{name}")
    assert message in error


def test_tfds_features_that_exist_are_listed(data_dir):
    error = error_of(read_tfds, "tiny_tagged/odd", "train", "ner", data_dir)
    assert error.endswith("found tags, words") or error.endswith("found words, tags")


def test_tfds_data_that_cannot_be_had(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("no network\nand a long trace")

    monkeypatch.setattr(TinyTagged, "_split_generators", fail)
    error = error_of(read_tfds, "tiny_tagged/ner", "train", "ner", tmp_path)
    assert error == (
        "tfds:tiny_tagged/ner: expected to download and prepare the data, "
        "found ConnectionError: no network"
    )


# --- corpora


@pytest.mark.parametrize("task", ["ner", "pos"])
def test_demo_is_the_same_whatever_the_seed(task):
    corpus = load_corpus("demo", task, seed=7)
    assert corpus == getattr(demo_corpus, task)()
    assert list(load_corpus("demo", task, splits=["test"])) == ["test"]


def test_files_and_their_splits(write):
    files = {"train": write("a\tX\n"), "test": write("b\tY\n", "t.conll"), "validation": None}
    corpus = load_corpus("files", "pos", files, splits=["test"])
    assert corpus == {"test": [Sentence(("b",), ("Y",))]}


def test_a_tenth_of_train_is_held_out_by_seed(write):
    files = {"train": write("".join(f"{number}\tX\n\n" for number in range(50)))}
    first, again, other = (
        load_corpus("files", "pos", files, ["train", "validation"], seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert [len(first["train"]), len(first["validation"])] == [45, 5]
    assert sorted(first["train"] + first["validation"]) == sorted(
        read_tagged_file(files["train"], "pos")
    )
    # Whichever splits are asked for, the training sentences are the same.
    assert load_corpus("files", "pos", files, ["train"], seed=1)["train"] == first["train"]


def test_no_hold_out_where_there_is_a_validation_file(write):
    files = {"train": write("a\tX\n"), "validation": write("b\tX\n", "v.conll")}
    corpus = load_corpus("files", "pos", files, ["train", "validation"])
    assert [corpus["train"][0].tokens, corpus["validation"][0].tokens] == [("a",), ("b",)]


def test_one_sentence_is_too_little_to_hold_some_out(write):
    error = error_of(load_corpus, "files", "pos", {"train": write("a\tX\n")}, ["train"])
    assert "expected a validation split, or training examples of which some" in error


def test_tags_that_few_sentences_have_stay_in_training(write):
    common, rare = "a\tX\n\n" * 8, "b\tX\nc\tRARE\n\n"
    files = {"train": write(common + rare + "d\tONCE\n")}
    for seed in range(20):
        corpus = load_corpus("files", "pos", files, ["train", "validation"], seed=seed)
        assert len(corpus["validation"]) == 1
        assert {tag for s in corpus["train"] for tag in s.tags} == {"X", "RARE", "ONCE"}
    error = error_of(load_corpus, "files", "pos", {"train": write("a\tX\n\nb\tY\n")}, ["train"])
    assert "while the others have all labels, found 2" in error


def test_a_split_without_data_is_named(write):
    files = {"train": write("a\tX\n\nb\tX\n"), "test": None}
    assert error_of(load_corpus, "files", "pos", files, ["test"]) == (
        "files: expected a file for the split 'test' (--test_file), found train"
    )
    assert "split 'train' (--train_file)" in error_of(load_corpus, "files", "pos", {}, ["train"])


def test_tfds_by_name(data_dir, monkeypatch):
    monkeypatch.setattr(builders, "builder", lambda name, _: tfds.builder(name, data_dir=data_dir))
    corpus = load_corpus("tfds:tiny_tagged/ner", "ner", splits=["train", "validation"])
    assert corpus["train"] == corpus["validation"] == [Sentence(("A", "b"), ("B-PER", "I-PER"))]
    error = error_of(load_corpus, "tfds:tiny_tagged/ner", "ner")
    assert error == "tfds:tiny_tagged/ner: expected a split 'test', found train, validation"


def test_unknown_data_lists_what_is_accepted():
    error = error_of(load_corpus, "wikiann", "ner")
    assert error == (
        "data: expected demo, files or tfds:NAME (such as tfds:wikiann/en), found 'wikiann'"
    )


def test_unknown_task_and_split():
    with pytest.raises(ValueError, match=r"task: expected one of ner, pos\. Received: 'lm'"):
        load_corpus("demo", "lm")
    with pytest.raises(ValueError, match="splits: expected train, validation, test"):
        load_corpus("demo", "ner", splits=["dev"])
