"""Names of classes: one line each, and one class each."""

import string
import sys
import tempfile
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.data.names import check_name, label_of
from zoo import text


def refused(name):
    try:
        check_name(name, "a.csv:2")
    except DataError as error:
        assert str(error).startswith("a.csv:2: expected a label on one line")
        assert "\n" not in str(error)
        return True
    return False


def test_every_control_character_and_line_separator_is_refused_inside_of_a_name():
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        is_control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        assert refused(f"a{character}b") == (is_control or character == "\ufeff"), hex(number)


@pytest.mark.parametrize("blank", [c for c in map(chr, range(0x3001)) if c.isspace()])
def test_white_space_is_refused_at_the_ends_of_a_name(blank):
    assert refused(f"{blank}a")
    assert refused(f"a{blank}")
    assert refused(blank)


@given(st.lists(st.text(max_size=4), unique=True))
def test_names_that_are_not_refused_are_the_lines_of_an_asset(names):
    kept = ["first", *(name for name in names if name != "first" and not refused(name))]
    with tempfile.TemporaryDirectory() as folder:
        path = text.write_lines(f"{folder}/labels.txt", kept)
        table = text.lines_of_numbers(tf.saved_model.Asset(path))
        found = table.lookup(tf.range(len(kept), dtype=tf.int64)).numpy()
    assert [name.decode() for name in found] == kept


@pytest.mark.parametrize(
    "name", ["pos", "very bad", "B-PER", "ÄÖÜ", "ไม่ดี", "👩‍👩‍👧", "<3", "a\xa0b", "\\n"]
)
def test_other_names_stay_as_they_are(name):
    assert label_of(name, "") == name


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *(
            (1, "1"),
            (1.0, "1"),
            ("1", "1"),
            ("1.0", "1"),
            ("1.00", "1"),
            ("-2.0", "-2"),
            (-2, "-2"),
        ),
        *((2.5, "2.5"), ("2.50", "2.5"), (1e3, "1000"), (1e-7, "1e-07"), (10**20, "1" + "0" * 20)),
        *(
            ("100", "100"),
            (100.0, "100"),
            ("007", "007"),
            ("1.2.3", "1.2.3"),
            ("1.", "1."),
            (".5", ".5"),
        ),
    ],
)
def test_numbers_are_one_label_however_they_are_written(value, label):
    assert label_of(value, "") == label
    assert label_of(label, "") == label


@pytest.mark.parametrize(
    "value", [None, True, False, float("nan"), float("inf"), [], {}, ["a"], b"a"]
)
def test_what_is_neither_text_nor_number_is_refused(value):
    with pytest.raises(DataError, match=r"a.jsonl:3: expected a label, a text or a number, found "):
        label_of(value, "a.jsonl:3")


def test_ascii_names_are_tried():
    assert not any(refused(f"a{character}b") for character in string.printable if character > " ")
