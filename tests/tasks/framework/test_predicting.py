"""Prediction from every format into every format: what comes with the texts stays with them."""

import csv
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest
from programs import ROOT, environment, program

import zoo
from tasks.data.inputs import read_inputs

TEXTS = [
    "He said , Teddy smiled .",
    'A film; a "good" one,\nreally.\n\nNo:\tgreat',
    "",
    " Ünlü\u2028x ",
]


load_once = functools.cache(zoo.load)


@pytest.fixture
def predict(tmp_path, monkeypatch):
    """From a task, an input file and the ending of an output file to what is written."""
    monkeypatch.setattr("tasks.framework.modes.load_model", lambda _, folder: load_once(folder))

    def run(task, source, ending, *flags):
        output = tmp_path / f"out{ending}"
        model = f"--model={task}_demo" if task != "pos" else "--model=pos_ewt"
        files = [f"--input_file={source}", f"--output_file={output}"]
        mode = "--mode=score" if task == "lm" else "--mode=predict"
        program(task, mode, model, *files, *flags)
        return output.read_bytes().decode()

    return run


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines_of(text):
    """The lines of a text, at line feeds alone."""
    return [line + "\n" for line in text.removesuffix("\n").split("\n")]


def rows_of(text, delimiter=","):
    return list(csv.DictReader(lines_of(text), delimiter=delimiter))


def objects_of(text):
    return list(map(json.loads, lines_of(text)))


def write_table(path, rows, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def labels():
    """What the model says of the texts."""
    return zoo.load("sentiment_demo")(TEXTS)["label"].tolist()


@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".csv", ";")])
def test_a_table_keeps_its_columns(predict, tmp_path, labels, ending, delimiter):
    rows = [["id", "review", "note"], *([f"0{i}", text, 'a,"b"'] for i, text in enumerate(TEXTS))]
    source = write_table(tmp_path / f"in{ending}", rows, delimiter)
    for out, between in ((".csv", ","), (".tsv", "\t")):
        found = rows_of(predict("sentiment", source, out, "--text_column=review"), between)
        assert list(found[0]) == ["id", "review", "note", "label", "probability"]
        assert [row["review"] for row in found] == TEXTS
        assert [row["id"] for row in found] == ["00", "01", "02", "03"]
        assert {row["note"] for row in found} == {'a,"b"'}
        assert [row["label"] for row in found] == labels
    found = objects_of(predict("sentiment", source, ".jsonl", "--text_column=review"))
    assert list(found[0]) == ["id", "review", "note", "label", "probability", "probabilities"]
    assert [row["review"] for row in found] == TEXTS
    assert [row["label"] for row in found] == labels


def test_what_is_written_can_be_read_again(predict, tmp_path, labels):
    source = write_table(tmp_path / "in.csv", [["id", "text"], *enumerate(TEXTS)])
    for ending in (".csv", ".tsv", ".jsonl"):
        once = tmp_path / f"once{ending}"
        once.write_bytes(predict("sentiment", source, ending).encode())
        twice = predict("sentiment", once, ending)
        if ending == ".jsonl":
            found = objects_of(twice)
        else:
            found = rows_of(twice, "\t" if ending == ".tsv" else ",")
        assert [row["text"] for row in found] == TEXTS
        assert (
            [row["label"] for row in found] == [row["predicted_label"] for row in found] == labels
        )


def test_json_lines_keep_their_keys(predict, tmp_path, labels):
    rows = [
        {"id": i, "text": text, "label": None, "more": {"a": [1, 2.5, True]}, f"only{i}": "é"}
        for i, text in enumerate(TEXTS)
    ]
    source = write(tmp_path / "in.ndjson", "".join(json.dumps(row) + "\n\n" for row in rows))
    objects = objects_of(predict("sentiment", source, ".jsonl"))
    for row, found, label in zip(rows, objects, labels, strict=True):
        assert {name: found[name] for name in row} == row
        assert found["predicted_label"] == label
        assert list(found)[len(row) :] == ["predicted_label", "probability", "probabilities"]
    found = rows_of(predict("sentiment", source, ".csv"))
    assert [row["text"] for row in found] == TEXTS
    assert found[0]["more"] == '{"a": [1, 2.5, true]}'
    assert [found[0]["only0"], found[1]["only0"], found[0]["label"]] == ["é", "", ""]
    assert [row["predicted_label"] for row in found] == labels


def test_a_language_model_answers_in_tables_too(predict, tmp_path):
    source = write_table(tmp_path / "in.csv", [["id", "text"], *enumerate(TEXTS)])
    found = rows_of(predict("lm", source, ".csv"))
    assert list(found[0])[2:] == ["log_probability", "perplexity", "token_count", "unknown_count"]
    assert [row["text"] for row in found] == TEXTS
    assert all(float(row["log_probability"]) < 0 for row in found)
    found = objects_of(predict("lm", source, ".jsonl"))
    assert found[1]["id"] == "1"
    assert "tokens" in found[1]


def test_plain_text_is_a_text_a_line(predict, tmp_path):
    source = write(tmp_path / "in.txt", b"\xef\xbb\xbfGood\r\n\r\nBad\xe2\x80\xa8film\x0cx\r\n")
    found = rows_of(predict("sentiment", source, ".csv"))
    assert [row["text"] for row in found] == ["Good", "", "Bad\u2028film\x0cx"]
    assert list(found[0]) == ["text", "label", "probability"]
    found = objects_of(predict("ner", source, ".jsonl"))
    assert [row["text"] for row in found] == ["Good", "", "Bad\u2028film\x0cx"]
    assert found[1]["tokens"] == []


def test_three_hundred_texts_are_three_hundred_answers(predict, tmp_path):
    texts = [f'Ticket {i}\nTeddy smiled,\n\n"{i}"' for i in range(300)]
    table = write_table(tmp_path / "in.csv", [["id", "text"], *enumerate(texts)])
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    for source in (table, write(tmp_path / "in.jsonl", lines)):
        for ending in (".jsonl", ".csv"):
            written = predict("sentiment", source, ending)
            found = rows_of(written) if ending == ".csv" else objects_of(written)
            assert [row["text"] for row in found] == texts
    found = rows_of(predict("ner", table, ".csv"))
    assert [int(row["row"]) for row in found] == sorted(int(row["row"]) for row in found)
    assert {row["row"]: row["id"] for row in found} == {str(i + 1): str(i) for i in range(300)}
    assert predict("ner", table, ".conll").count("# id = ") == 300


def test_a_text_of_many_lines_may_be_the_only_column(tmp_path, capsys):
    texts = ["one\ntwo\nthree", "", "a, b"]
    source = write_table(tmp_path / "in.csv", [["text"], *([text] for text in texts)])
    assert [one.text for one in read_inputs(source)] == texts
    assert not capsys.readouterr().err


def test_a_folder_has_a_text_a_file(predict, tmp_path):
    folder = tmp_path / "folder"
    (folder / "neg").mkdir(parents=True)
    write(folder / "neg" / "1.txt", "Bad,\nreally.\n\n")
    write(folder / "2.txt", "Good.")
    write(folder / ".hidden", "x")
    found = rows_of(predict("sentiment", folder, ".csv"))
    assert [(row["file"], row["text"]) for row in found] == [
        ("2.txt", "Good."),
        ("neg/1.txt", "Bad,\nreally."),
    ]


def test_names_of_files_need_not_be_utf8(predict, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    try:
        write(folder / "caf\udce9.txt", "Good.")
    except OSError:
        pytest.skip("the file system knows no such names")
    (found,) = objects_of(predict("sentiment", folder, ".jsonl"))
    assert found["file"] == r"caf\udce9.txt"


def test_texts_of_a_table_are_explained(tmp_path):
    source = write_table(tmp_path / "in.csv", [["id", "review"], [1, "Good,\nnot bad"]])
    page = tmp_path / "page.html"
    program(
        "sentiment", "--mode=explain", "--model=sentiment_demo", f"--input_file={source}",
        "--text_column=review", "--permutations=2", f"--output_file={page}",
    )  # fmt: skip
    assert page.read_text("utf-8").count("<p><b>") == 1


# --- taggers


CONLL = """\
-DOCSTART- -X- O

# sent_id = 7
Teddy NNP B-PER
Roosevelt NNP I-PER
don't VBP O

Paris NNP B-LOC
"""


def test_columns_stay_and_the_tag_comes_behind(predict, tmp_path):
    tokens = [["Teddy", "Roosevelt", "don't"], ["Paris"]]
    source = write(tmp_path / "in.conll", CONLL)
    found = predict("ner", source, ".conll")
    lines = found.split("\n")
    assert lines[:3] == ["-DOCSTART- -X- O O", "", "# sent_id = 7"]
    assert [line.rsplit(" ", 1)[0] for line in lines[3:6]] == CONLL.split("\n")[3:6]
    tags = [line.rsplit(" ", 1)[1] for line in lines[3:6]]
    words = zoo.load("ner_demo").ask("tokens", {"tokens": [tokens[0]], "lengths": [3]})
    assert tags == words["tags"][0].tolist()
    found = objects_of(predict("ner", source, ".jsonl"))
    assert [row["tokens"] for row in found] == tokens
    assert found[0]["tags"] == tags
    assert found[0]["sent_id"] == "7"
    assert [row["column_2"] for row in found] == [["B-PER", "I-PER", "O"], ["B-LOC"]]
    found = rows_of(predict("ner", source, ".csv"))
    assert list(found[0]) == [
        "sent_id",
        "column_1",
        "column_2",
        "row",
        "token",
        "tag",
        "confidence",
    ]
    assert [row["token"] for row in found] == [*tokens[0], *tokens[1]]
    assert [row["row"] for row in found] == ["1", "1", "1", "2"]
    assert [row["tag"] for row in found][:3] == tags


def test_tags_of_a_file_can_be_evaluated_as_they_were_written(predict, tmp_path):
    written = write(
        tmp_path / "a.conll", predict("ner", write(tmp_path / "in.conll", CONLL), ".conll")
    )
    run = program(
        "ner", "--mode=evaluate", "--model=ner_demo", "--data=files", f"--test_file={written}",
        "--tag_column=-1",
    )  # fmt: skip
    assert "f1                               1.0000" in run.stdout


def test_conllu_keeps_lines_that_are_no_words(predict, tmp_path):
    rows = [("1", "I"), ("2-3", "don't"), ("2", "do"), ("3", "n't"), ("3.1", "really")]
    lines = [f"{number}\t{form}{chr(9) + '_':s}" + "\t_" * 7 for number, form in rows]
    text = "\n".join(["# sent_id = a", "# text = I don't", *lines, ""])
    for name in ("in.conllu", "in.conll", "in.txt", "in"):
        found = predict("pos", write(tmp_path / name, text), ".conll").split("\n")
        assert found[:2] == ["# sent_id = a", "# text = I don't"]
        assert [line.rpartition("\t")[0] for line in found[2:7]] == lines
        tags = [line.rpartition("\t")[2] for line in found[2:7]]
        assert [tags[1], tags[4]] == ["_", "_"]
        assert "_" not in (tags[0], tags[2], tags[3])
    (found,) = objects_of(predict("pos", tmp_path / "in", ".jsonl"))
    assert found["tokens"] == ["I", "do", "n't"]
    assert found["text"] == "I don't"


@pytest.mark.parametrize(
    ("name", "text", "flags"),
    [
        ("in.conll", "Teddy\nsmiled\n\nParis\n", []),
        ("in.tsv", "1\tTeddy\tB-PER\n2\tsmiled\tO\n\n1\tParis\tB-LOC\n", []),
        ("in.txt", "Teddy O\nsmiled O\n\nParis B-LOC\n", []),
        ("in", "Teddy\tB-PER\nsmiled\tO\n\nParis\tB-LOC\n", []),
        ("in.conll", "x\tTeddy\nx\tsmiled\n\nx\tParis\n", ["--token_column=1"]),
        ("in.txt", "x\tTeddy\nx\tsmiled\n\nx\tParis\n", ["--token_column=-1"]),
        ("in.txt", "Teddy\nsmiled\n\nParis\n", ["--token_column=0"]),
    ],
)
def test_sentences_in_tokens_are_not_split_again(predict, tmp_path, name, text, flags):
    found = objects_of(predict("ner", write(tmp_path / name, text), ".jsonl", *flags))
    assert [row["tokens"] for row in found] == [["Teddy", "smiled"], ["Paris"]]


def test_texts_of_a_table_are_tagged(predict, tmp_path):
    rows = [["id", "text", "tags"], ["7", "Teddy\nsmiled .", "x"], ["8", "", "y"]]
    source = write_table(tmp_path / "in.csv", rows)
    found = predict("ner", source, ".conll").split("\n")
    assert found[:3] == ["# id = 7", "# tags = x", found[2]]
    assert [line.split("\t")[0] for line in found[2:5]] == ["Teddy", "smiled", "."]
    assert found[5:] == ["", "# id = 8", "# tags = y", "", ""]
    found = rows_of(predict("ner", source, ".tsv"), "\t")
    assert [(row["id"], row["row"], row["token"]) for row in found] == [
        ("7", "1", "Teddy"), ("7", "1", "smiled"), ("7", "1", "."), ("8", "2", ""),
    ]  # fmt: skip
    (first, _) = objects_of(predict("ner", source, ".jsonl"))
    assert [first["tags"], first["id"]] == ["x", "7"]
    assert len(first["predicted_tags"]) == 3


# --- what a user can put right


@pytest.mark.parametrize(
    ("task", "name", "content", "flags", "message"),
    [
        ("sentiment", "a.txt", "", [], "expected one or more texts, found none"),
        ("sentiment", "a.csv", "text\n", [], "expected one or more texts, found none"),
        ("sentiment", "a.jsonl", "", [], "expected one or more texts, found none"),
        ("ner", "a.conll", "\n", [], "expected one or more sentences, found none"),
        (
            "sentiment",
            "a.csv",
            "id,review\n1,x\n",
            [],
            ":1: expected a column 'text', found id, review",
        ),
        (
            "ner",
            "a.tsv",
            "id\treview\n1\tx\n",
            [],
            ":1: expected a column 'text', found id, review",
        ),
        (
            "lm",
            "a.csv",
            "Good\nBad\n",
            [],
            ":1: expected a column 'text', found Good; --text_column",
        ),
        (
            "sentiment",
            "a.csv",
            '{"text": "x"}\n',
            [],
            "expected a table, as the name says, found JSON",
        ),
        ("sentiment", "a.jsonl", "text\nx\n", [], ":1: expected an object of JSON on each line"),
        ("sentiment", "a.jsonl", '{"text": "\\ud800"}', [], ":1: expected whole characters"),
        ("sentiment", "a.jsonl", '{"text": null}', [], ":1: expected a text in 'text', found null"),
        (
            "sentiment",
            "a.conll",
            "a O\n",
            [],
            "expected a text a line, a table or JSON lines, found columns",
        ),
        ("lm", "a.txt", "1\ta\n2\tb\n", [], "a table or JSON lines, found columns"),
        ("ner", "a.txt", "1\ta\n3\tb\n", [], "found columns; a name that ends in .conll says"),
        (
            "ner",
            "a.csv",
            "text\nx\n",
            ["--token_column=0"],
            "as --token_column=0 asks for, found a table",
        ),
        ("ner", "a.conll", "a O\n", ["--token_column=2"], "as --token_column=2 asks for, found 2"),
        (
            "sentiment",
            "a.txt",
            "x\n",
            ["--text_column=y"],
            "as --text_column=y asks for, found plain",
        ),
        ("sentiment", "a.txt", b"\x1f\x8b\x08", [], "found a gzip file"),
        ("sentiment", "a.csv", b"PK\x03\x04", [], "found a zip archive"),
        ("ner", "a.txt", b"GIF89a\0\0", [], ":1: expected UTF-8, found byte 0x00"),
        ("lm", "a.txt", b"ok\ncaf\xe9\n", [], ":2: expected UTF-8, found byte 0xe9"),
        ("lm", "a.txt", "x\n".encode("utf-16"), [], "found UTF-16"),
        ("sentiment", "a", "<!DOCTYPE html>\n", [], "found a file of HTML or XML"),
        ("sentiment", "none.csv", None, [], "expected a readable file, found: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, task, name, content, flags, message):
    path = tmp_path / name
    if content is not None:
        write(path, content)
    # Before the model is looked for.
    mode = "--mode=score" if task == "lm" else "--mode=predict"
    run = program(task, mode, "--model=none", f"--input_file={path}", *flags, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"{task}: {path}")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_an_ending_that_no_writer_knows_is_known_before_anything_is_read(tmp_path):
    for task, known in (("sentiment", ".jsonl or .csv or .tsv"), ("ner", ".tsv or .conll")):
        flags = ["--mode=predict", "--model=none", "--input_file=none", "--output_file=x.xlsx"]
        run = program(task, *flags, check=False)
        assert run.returncode == 1
        assert (
            f"--output_file: expected a name that ends in {'.jsonl' if task == 'ner' else ''}"
            in run.stderr
        )
        assert known in run.stderr


def test_what_is_drawn_goes_into_text_or_json_lines(tmp_path):
    flags = ["--mode=generate", "--model=lm_demo", "--max_length=5", "--num_samples=2"]
    outputs = [tmp_path / "a.txt", tmp_path / "a.jsonl"]
    for output in outputs:
        shown = program("lm", *flags, "--prompt=the\ncat", f"--output_file={output}").stdout
    found = objects_of(outputs[1].read_text("utf-8"))
    assert [(one["prompt"], one["seed"]) for one in found] == [("the\ncat", 0), ("the\ncat", 1)]
    assert shown == outputs[0].read_text("utf-8") == "".join(one["text"] + "\n" for one in found)
    run = program("lm", *flags, "--output_file=a.csv", check=False)
    assert "expected a name that ends in .txt or .jsonl" in run.stderr


def test_tags_are_written_in_the_scheme_that_is_asked_for(tmp_path):
    source = write(tmp_path / "a.conll", "Teddy\nRoosevelt\nmet\nHermione\n.\n")
    expected = {"BIO": ["B", "I", "O", "B", "O"], "BIOES": ["B", "E", "O", "S", "O"]}
    for scheme, prefixes in expected.items():
        output = tmp_path / f"{scheme}.jsonl"
        flags = [f"--input_file={source}", f"--output_file={output}", f"--tag_scheme={scheme}"]
        program("ner", "--mode=predict", "--model=ner_demo", *flags)
        (found,) = objects_of(output.read_text("utf-8"))
        assert [tag[0] for tag in found["tags"]] == prefixes
        assert [one["text"] for one in found["entities"]] == ["Teddy Roosevelt", "Hermione"]


@pytest.mark.parametrize(
    ("task", "mode", "flags"),
    [
        ("ner", "predict", ["--text=ok", "--text=0123456789x"]),
        ("lm", "score", ["--input_file=a.txt"]),
    ],
)
def test_a_text_that_is_too_long_is_one_line(tmp_path, task, mode, flags):
    flags = [flag.replace("a.txt", str(tmp_path / "a.txt")) for flag in flags]
    write(tmp_path / "a.txt", "ok\n0123456789x\n")
    flags = [f"--mode={mode}", f"--model={task}_demo", "--max_characters=10", *flags]
    run = program(task, *flags, check=False)
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert "at most 10 characters. Received: 11 in text number 2, which begins with" in run.stderr
    assert program(task, *flags, "--max_characters=0").returncode == 0


def test_standard_input_is_a_text_a_line(tmp_path):
    output = tmp_path / "out.csv"
    flags = ["--mode=predict", "--model=sentiment_demo", f"--output_file={output}"]

    def run(content):
        return program("sentiment", *flags, input=content, check=False)

    assert run(b"\xef\xbb\xbfGood\r\n\xe2\x80\xa8a,b\n\n{}").returncode == 0
    found = rows_of(output.read_bytes().decode())
    assert [row["text"] for row in found] == ["Good", "\u2028a,b", "", "{}"]
    failed = run(b"ok\ncaf\xe9\n")
    assert failed.stderr == (
        "sentiment: standard input:2: expected UTF-8, found byte 0xe9; save it as UTF-8\n"
    )
    assert len(rows_of(output.read_bytes().decode())) == 4


@pytest.mark.parametrize("flag", ["--text", "--model_dir", "--input_file", "--train_file"])
def test_arguments_that_are_no_utf8_are_one_line(flag):
    argument = flag.encode() + b"=caf\xe9"
    command = [sys.executable, "-m", "tasks.sentiment", argument]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment())
    assert run.returncode == 1
    said = f"sentiment: expected arguments in UTF-8. Received: '{flag}=caf\\udce9'\n"
    assert run.stderr.decode() == said


@pytest.mark.parametrize("seed", [2**31, 2**63, -1, "x", 1.5])
def test_seeds_that_no_int32_holds_are_one_line(seed):
    run = program("lm", f"--seed={seed}", "--mode=generate", check=False)
    assert run.returncode == 1
    assert "seed" in run.stderr
    assert run.stderr.count("\n") == 1


def test_the_largest_seed_draws():
    flags = ["--mode=generate", "--model=lm_demo", f"--seed={2**31 - 1}", "--num_samples=2"]
    assert program("lm", *flags, "--max_length=3").stdout.count("\n") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_files_of_other_users_are_one_line():
    code = """
import os, sys
from tasks.data.inputs import read_inputs
from tasks.data.errors import UserError
os.setuid(65534)
for path in sys.argv[1:]:
    try:
        read_inputs(path)
    except UserError as error:
        print(error)
"""
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        path, folder = write(pathlib.Path(parent, "a.csv"), "text\nx\n"), pathlib.Path(parent, "b")
        folder.mkdir()
        path.chmod(0)
        folder.chmod(0)
        command = [sys.executable, "-c", code, path, folder]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == (
        f"{path}: expected a readable file, found: Permission denied\n"
        f"{folder}: expected a readable folder, found: Permission denied\n"
    ), run.stderr
