"""Readers: what each format allows, and errors that say where and what was expected."""

import pytest
import tensorflow_datasets as tfds

from tasks.data import builders
from tasks.framework.errors import DataError
from tasks.tagging import demo as demo_corpus
from tasks.tagging.reading import (
    load_corpus,
    read_conll,
    read_conllu,
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
        b"\xef\xbb\xbfTeddy\tB-PER\nsmiled\tO\n\nParis\tB-LOC\n",
        "-DOCSTART- -X- O O\n\nTeddy NNP x B-PER\nsmiled VBD y O\n\nParis NNP z B-LOC\n",
        "Teddy\tB-PER\nsmiled\tO\n-DOCSTART-\tO\nParis\tB-LOC\n",
        "# sent_id = 1\n# text = Teddy smiled\nTeddy\tB-PER\nsmiled\tO\n\n# x\nParis\tB-LOC\n",
        "# sent_id = 1\nTeddy a b B-PER\nsmiled a b O\n\nParis a b B-LOC\n",
    ],
)
def test_columns(write, text):
    assert read_conll(write(text)) == TWO


def test_many_lone_tabs_end_sentences_and_are_no_tokens(write):
    path = write("a\tO\n\t\n" * 50)
    assert read_conll(path) == [Sentence(("a",), ("O",))] * 50


def test_a_hash_is_a_token_where_it_has_a_tag(write):
    assert read_conll(write("#\tO\n1\tO\n")) == [Sentence(("#", "1"), ("O", "O"))]
    assert read_conll(write("#\tO\n\n#\tO\n")) == [Sentence(("#",), ("O",))] * 2
    assert read_conll(write("a O\n# O\n\n# O\n")) == [
        Sentence(("a", "#"), ("O", "O")),
        Sentence(("#",), ("O",)),
    ]


def test_which_columns(write):
    path = write("1 Teddy NNP B-PER\n2 smiled VBD O\n")
    assert read_conll(path, tag_column=2, token_column=1) == [
        Sentence(("Teddy", "smiled"), ("NNP", "VBD"))
    ]


def test_unicode_spaces_and_line_breaks_belong_to_tokens(write):
    path = write("New\u00a0York B-LOC\na\u2028b O\n\x85 O\n\u00a0\tO\n10 000\tO\n")
    assert read_conll(path)[0].tokens == ("New\u00a0York", "a\u2028b", "\x85", "\u00a0", "10 000")


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
    ],
)
def test_a_malformed_line_is_named(write, text, line, message):
    path = write(text)
    error = error_of(read_conll, path)
    assert error.startswith(f"{path}:{line}: ")
    assert message in error


def test_a_column_that_is_not_there(write):
    path = write("a\tO\n")
    assert error_of(read_conll, path, tag_column=3) == (
        f"{path}:1: expected 4 or more columns, found 2"
    )


@pytest.mark.parametrize("text", ["", "\n\t\n", "-DOCSTART- O\n\n", "# nothing\n"])
@pytest.mark.parametrize("read", [read_conll, read_conllu])
def test_a_file_without_sentences(write, text, read):
    if read is read_conllu and text.startswith("-DOC"):
        text = "# newdoc\n\n"
    path = write(text)
    assert error_of(read, path) == f"{path}: expected one or more sentences, found none"


@pytest.mark.parametrize("read", [read_conll, read_conllu])
def test_a_file_that_cannot_be_read(tmp_path, read):
    missing = tmp_path / "missing.conll"
    assert error_of(read, missing) == (
        f"{missing}: expected a readable file, found: No such file or directory"
    )
    assert "Is a directory" in error_of(read, tmp_path)


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


def test_conllu_reads_words_only(write):
    expected = [
        Sentence(("I", "do", "n't", "know"), ("PRON", "AUX", "PART", "VERB")),
        Sentence(("#",), ("SYM",)),
    ]
    assert read_conllu(write(CONLLU)) == expected
    assert read_conllu(write(CONLLU.replace("\n", "\r\n"))) == expected
    assert read_conllu(write(CONLLU), "xpos")[0].tags == ("NN", "NN", "RB", "NN")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# a\n1\tI\tPRON\n", 2, "expected 10 columns separated by TABs, found 3"),
        (row("1", "I", "PRON") + row("3", "know", "VERB"), 2, "expected word 2 of a sentence"),
        (row("1", "I", "PRON") + row("1", "You", "PRON"), 2, "found '1'"),
        (row("1", "", "PRON"), 1, "expected a word and its upos, found word ''"),
        (row("1", "I", "_"), 1, "found word 'I' and upos '_'"),
        (row("1", "I", ""), 1, "found word 'I' and upos ''"),
        (b"1\t\xe9\n", 1, "expected UTF-8, found byte 0xe9"),
    ],
)
def test_a_malformed_line_of_conllu_is_named(write, text, line, message):
    path = write(text, "train.conllu")
    error = error_of(read_conllu, path)
    assert error.startswith(f"{path}:{line}: ")
    assert message in error


def test_an_unknown_field(write):
    with pytest.raises(ValueError, match=r"expected one of upos, xpos\. Received: 'lemma'"):
        read_conllu(write(CONLLU), "lemma")


# --- files of a task


def test_the_name_says_the_format(write):
    assert read_tagged_file(write(CONLLU, "a.conllu"), "pos")[1].tags == ("SYM",)
    assert read_tagged_file(write("a\tADJ\n", "a.tsv"), "pos")[0].tags == ("ADJ",)


@pytest.mark.parametrize(
    "tags", [["I-PER", "I-PER", "B-PER"], ["B-PER", "E-PER", "S-PER"], ["B-PER", "L-PER", "U-PER"]]
)
def test_entities_come_as_bio(write, tags):
    path = write("".join(f"w\t{tag}\n" for tag in tags))
    assert read_tagged_file(path, "ner")[0].tags == ("B-PER", "I-PER", "B-PER")


@pytest.mark.parametrize("tag", ["ADJ", "B", "X-"])
def test_a_tag_that_is_no_entity_tag_is_named(write, tag):
    path = write(f"a\tO\n\nb\t{tag}\n")
    error = error_of(read_tagged_file, path, "ner")
    assert error.startswith(f"{path}:3: expected an entity tag")
    assert error.endswith(f"found {tag!r}")


def test_conllu_holds_no_entities(write):
    path = write(CONLLU, "a.conllu")
    assert error_of(read_tagged_file, path, "ner").startswith(f"{path}: expected a file of columns")


# --- TensorFlow Datasets


class TinyTagged(tfds.core.GeneratorBasedBuilder):
    """Two sentences a split, in the features of a treebank or of an entity corpus."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name)
        for name in ("ner", "pos", "pos_text", "no_head", "broken", "odd", "uneven")
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
        ("tiny_tagged/other", "train", "ner", "expected a builder of TensorFlow Datasets"),
        ("tiny_tagged/ner", "test", "ner", "a split 'test', found train, validation"),
        ("tiny_tagged/ner", "train", "pos", "for pos, upos or pos_tags or pos or xpos, found"),
        ("tiny_tagged/odd", "train", "ner", "sequences tokens and, for ner, ner_tags or ner"),
        ("tiny_tagged/broken", "train", "ner", "feature ner_tags: expected an entity tag"),
        ("tiny_tagged/uneven", "train", "pos", "found 2 tokens and 1 tags"),
        ("tiny_tagged/pos_text", "train", "pos", "expected tokens and tags, found token ''"),
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
    assert sorted(first["train"] + first["validation"]) == sorted(read_conll(files["train"]))
    # Whichever splits are asked for, the training sentences are the same.
    assert load_corpus("files", "pos", files, ["train"], seed=1)["train"] == first["train"]


def test_no_hold_out_where_there_is_a_validation_file(write):
    files = {"train": write("a\tX\n"), "validation": write("b\tX\n", "v.conll")}
    corpus = load_corpus("files", "pos", files, ["train", "validation"])
    assert [corpus["train"][0].tokens, corpus["validation"][0].tokens] == [("a",), ("b",)]


def test_one_sentence_is_too_little_to_hold_some_out(write):
    error = error_of(load_corpus, "files", "pos", {"train": write("a\tX\n")}, ["train"])
    assert "two or more training examples" in error


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
