"""Which of two texts a language model finds likelier."""

import json

import numpy as np
import pytest
from programs import program

import zoo
from tasks.data.errors import DataError
from tasks.language.pairs import Pair, read_pairs

GOOD, BAD = "The cats, which ate the fish, were full.", "The cats, which ate the fish, was full."


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "one a\tone b\ntwo a\ttwo b\n", [Pair("one a", "one b"), Pair("two a", "two b")]),
        ("a.txt", "one a\tone b\tg\n\n", [Pair("one a", "one b", None, "g")]),
        ("a.tsv", "The cats\twere\twas\n", [Pair("The cats were", "The cats was", "The cats")]),
        ("a.tsv", "\tA\tB\n", [Pair("A", "B", "")]),
        ("a.tsv", "cats\tcatz\tg1\n", [Pair("cats", "catz", None, "g1")]),
        ("a.tsv", "The \tcat\tcats\tg\n", [Pair("The cat", "The cats", "The ", "g")]),
        ("a.tsv", "x\tis\tare\tg\n", [Pair("x is", "x are", "x", "g")]),
        ("a.csv", '"one, a",one b\n', [Pair("one, a", "one b")]),
        ("a.tsv", "worse\tbetter\tgroup\nbad\tgood\tg\n", [Pair("good", "bad", None, "g")]),
        ("a.csv", "prefix,right,wrong\n\"a, b\",is,are\n", [Pair("a, b is", "a, b are", "a, b")]),
        ("a.tsv", '"Oh", she said\t"Ah, he say\n', [Pair('"Oh", she said', '"Ah, he say')]),
        (
            "blimp.jsonl",
            '{"sentence_good": "good", "sentence_bad": "bad", "UID": "u", "pairID": "3"}\n',
            [Pair("good", "bad", None, "u")],
        ),
        (
            "a.jsonl",
            '{"prefix": "x", "right": "is", "wrong": "are", "group": 7}\n',
            [Pair("x is", "x are", "x", "7")],
        ),
    ],
)  # fmt: skip
def test_pairs_are_read_from_whatever_holds_them(name, content, expected, tmp_path):
    (tmp_path / name).write_text(content)
    assert read_pairs(str(tmp_path / name)) == expected


def test_how_a_file_without_names_was_read_is_said(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("The cats\twere\twas\n")
    read_pairs(str(tmp_path / "a.tsv"))
    assert "read as a beginning, the right word, the wrong one." in capsys.readouterr().err
    (tmp_path / "b.tsv").write_text("prefix\tright\twrong\nThe cats\twere\twas\n")
    read_pairs(str(tmp_path / "b.tsv"))
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "a b\ta c\nalone\nd e\td f\n", "a.tsv:2: expected two texts with a TAB between"),
        ("a.csv", "good,bad\na b,a c\n", "a.csv:1: expected columns 'better' and 'worse', or"),
        ("a.tsv", "right\twrong\nis\tare\n", "a.tsv:1: expected columns"),
        ("a.tsv", "one two\n", "a.tsv:1: expected two texts with a TAB between"),
        ("a.tsv", "a b\ta c\tg\tx\ty\n", "Found 5"),
        ("a.tsv", "same here\tsame here\n", "a.tsv:1: expected two texts that differ"),
        ("a.tsv", "a b\t\n", "a.tsv:1: expected two texts, found an empty one"),
        ("a.tsv", "\n \n", "expected one or more pairs, found none"),
        ("a.csv", 'a b,a c\n"one" two,three\n', "a.csv:2: expected CSV, found"),
        ("a.csv", 'a b,a c\n"one two,three\n', "a.csv:2: expected CSV, found"),
        ("a.jsonl", '{"good": "a", "bad": "b"}\n', "'sentence_good' and 'sentence_bad'"),
        ("a.jsonl", '{"better": "a", "worse": 3}\n', "expected a text in 'worse', found 3"),
        ("a.jsonl", '{"better": "a", "worse"\n', "a.jsonl:1: expected an object of JSON"),
    ],
)
def test_what_holds_no_pairs_is_an_error_that_says_where(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as error:
        read_pairs(str(tmp_path / name))
    assert message in str(error.value)


def test_the_likelier_text_wins_and_shares_are_by_group(tmp_path):
    rows = [(GOOD, BAD, "verbs"), (BAD, GOOD, "verbs"), ("The zzz cat.", "The yyy cat.", "all")]
    (tmp_path / "pairs.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    flags = ["--mode=pairs", "--model=lm_demo", "--input_file", tmp_path / "pairs.tsv"]
    run = program("lm", *flags, "--output_file", tmp_path / "out.jsonl")
    assert run.stdout.splitlines()[2:5] == [
        "| verbs | 50.0% | 2 |", "| all | 0.0% | 1 |", "| all | 33.3% | 3 |",
    ]  # fmt: skip
    assert "1 of 3 pairs are equally likely" in run.stdout
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = zoo.load("lm_demo")([GOOD, BAD])["log_probability"]
    found = [written[0]["log_p_better"], written[0]["log_p_worse"]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert [one["right"] for one in written] == [True, False, False]


def test_of_a_beginning_and_a_word_the_word_counts_and_not_the_end(tmp_path):
    (tmp_path / "pairs.csv").write_text("prefix,right,wrong\nThe cats,were,was\n")
    flags = ["--mode=pairs", "--model=lm_demo", "--input_file", tmp_path / "pairs.csv"]
    run = program("lm", *flags, "--output_file", tmp_path / "out.tsv")
    header, row = (tmp_path / "out.tsv").read_text().splitlines()
    cells = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    answer = zoo.load("lm_demo").ask("tokens", {"text": ["The cats were", "The cats was"]})
    words = answer["log_probabilities"][:, 2]
    difference = float(cells["log_p_better"]) - float(cells["log_p_worse"])
    assert difference == pytest.approx(float(words[0] - words[1]), rel=1e-4)
    assert run.stdout.splitlines()[2:] == ["| all | 100.0% | 1 |"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--mode=pairs needs --input_file"),
        (["--text=a", "--input_file=b.tsv"], "no --text. Received: --text"),
        (["--input_file=b.tsv"], "b.tsv: expected a readable file"),
        (["--input_file=b.tsv", "--output_file=c.txt"], "ends in .tsv or .csv or .jsonl"),
    ],
)
def test_what_is_missing_is_one_line(flags, message):
    run = program("lm", "--mode=pairs", "--model=lm_demo", *flags, check=False)
    assert run.returncode == 1 and message in run.stderr and "Traceback" not in run.stderr
