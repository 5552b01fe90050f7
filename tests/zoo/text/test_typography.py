"""One spelling: what is made one is, and nothing else is touched."""

import hashlib
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import text
from zoo.text import typography, unicode_tables

STRINGS = [tf.TensorSpec([None], tf.string)]
normalize = tf.function(text.normalize_text, input_signature=STRINGS, autograph=False)

BLOCKS = {
    "Latin, Greek, Cyrillic": [(0xA0, 0x530), (0x1C80, 0x1C90), (0x1D00, 0x2000), (0x2C60, 0x2C80)],
    "marks and signs": [(0x1AB0, 0x1B00), (0x2000, 0x2400), (0x2DE0, 0x2E00), (0xFE20, 0xFE30)],
    "Latin and Cyrillic, extended": [(0xA640, 0xA800), (0xAB30, 0xAB70), (0xFB00, 0xFB10)],
    "Hangul": [(0x1100, 0x1200), (0xA960, 0xA980), (0xAC00, 0xD800)],
    "Hebrew to Tibetan": [(0x590, 0x1000)],
    "kana and ideographs": [(0x3000, 0x3400), (0xF900, 0xFB00), (0x2F800, 0x2FA20)],
}


def normal(*strings):
    return [found.decode() for found in normalize(tf.constant(strings)).numpy()]


CHANGED_OTHERWISE = typography.changed() - unicode_tables.recomposed().keys()


def is_only_composed(string):
    """Whether nothing but composition changes a string."""
    return not any(
        ord(character) in CHANGED_OTHERWISE
        for some in (string, unicodedata.normalize("NFC", string))
        for character in some
    )


@pytest.mark.parametrize("block", BLOCKS)
def test_composition_is_that_of_unicodedata_for_every_character(block):
    characters = [chr(code) for some in BLOCKS[block] for code in range(*some)]
    strings = [
        string
        for character in characters
        if unicodedata.category(character) != "Cn"
        for apart in [unicodedata.normalize("NFD", character)]
        for string in {character, apart, apart + "\u0323\u0301", "\u0316" + apart, apart[::-1]}
        if is_only_composed(string)
    ]
    assert len(strings) > 300
    assert normal(*strings) == [unicodedata.normalize("NFC", string) for string in strings]


# Whatever composes, in any order: letters, marks of all classes, jamo, and what is never composed.
COMPOSING = st.sampled_from(
    sorted(
        {
            chr(c)
            for c in (
                *unicode_tables.decompositions(),
                *unicode_tables.combining_classes(),
                *unicode_tables.second_in_pairs(),
                *(first for first, _ in unicode_tables.pairs()),
                *range(0x1100, 0x1113),
                *range(0xAC00, 0xAC40),
            )
        }
        | set("aeiouAEIOUyx .")
    )
).filter(is_only_composed)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.text(COMPOSING, max_size=12), min_size=1, max_size=40))
def test_composition_is_that_of_unicodedata_for_any_string(strings):
    assert normal(*strings) == [unicodedata.normalize("NFC", string) for string in strings]


def test_vietnamese_has_two_marks_in_either_order():
    assert normal("Vie\u0323\u0302t", "Vie\u0302\u0323t", "Viê\u0323t", "Vie\u0323\u0302t Nam") == [
        "Việt", "Việt", "Việt", "Việt Nam",
    ]  # fmt: skip


def test_the_tables_are_the_same_whatever_python_knows():
    tables = (
        unicode_tables.decompositions(),
        unicode_tables.recomposed(),
        unicode_tables.combining_classes(),
        unicode_tables.pairs(),
    )
    written = repr([sorted(table.items()) for table in tables]).encode()
    assert hashlib.sha256(written).hexdigest().startswith("e9a99fda086693a8")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("n’t n‘t nʼt n′t n＇t n`t n´t n‛t n׳t n՚t", " ".join(["n't"] * 10)),
        ("“a” „b‟ «c» ＂d＂ 〝e〞 ‹f› ‚g‘", "\"a\" \"b\" \"c\" \"d\" \"e\" 'f' 'g'"),
        ("e‑mail e‐mail 5–7 −3 a－b", "e-mail e-mail 5-7 -3 a-b"),
        ("yes—no ― yes⸺no", "yes--no -- yes--no"),
        ("wait… what‥ ․", "wait... what.. ."),
        ("ﬁnd oﬀer aﬄict ﬂat oﬃce", "find offer afflict flat office"),
        ("it\x92s \x93so\x94 \x96 \x97", "it's \"so\" - --"),
        ("1\u00a0000\u2009km\u3000x\u202fy\u2028z\x85w\0v\x0bu", "1 000 km x y z w v u"),
        ("a\tb\nc\rd\x0ce", "a\tb\nc\rd\x0ce"),
        ("\ufeffa\u200bb\u00adc\u200dd\u2060e\u200ef\u202eg\u034fh\ufe0fi\u180ej", "abcdefghij"),
        ("👩\u200d👧 ❤\ufe0f\u200d🔥 👍🏽 🏳️\u200d🌈", "👩\u200d👧 ❤\u200d🔥 👍🏽 🏳\u200d🌈"),
        ("👩\u200d a\u200d👧 \u200d", "👩 a👧 "),
        ("É ½ ① Ａ ﬁ\u0301 İ ß ⁇ 「x」 ·", "É ½ ① Ａ ﬁ\u0301 İ ß ⁇ 「x」 ·"),
    ],
)  # fmt: skip
def test_one_spelling(written, expected):
    assert normal(written) == [expected]


def test_what_is_normal_stays_byte_for_byte():
    plain = [
        bytes(set(range(0x20, 0x7F)) - {0x60}),
        "naïve Ελληνικά Привет 中文 שלום €".encode(),
        b"",
    ]
    assert normalize(tf.constant(plain)).numpy().tolist() == plain
    assert typography.is_plain(tf.constant(plain)).numpy().all()


def test_a_text_does_not_change_another_one_of_the_batch():
    strings = ["❤", "\ufe0fx", "👩", "\u200d👩", "e", "\u0301", "가", "\u11a8", "plain", "“"]
    assert normal(*strings) == [normal(string)[0] for string in strings]


def test_bytes_that_are_not_utf8_are_replacement_characters():
    some = [b"\xff\xfe", b"a\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98x", b"\xc0\x80", b"ok\xe9"]
    expected = [one.decode("utf-8", "replace").encode() for one in some]
    assert normalize(tf.constant(some)).numpy().tolist() == expected


@pytest.mark.parametrize("shape", [[], [1], [0], [2, 2], [2, 1, 2]])
def test_any_shape(shape):
    texts = tf.fill(shape, "“")
    assert text.normalize_text(texts).shape == shape
    assert set(text.normalize_text(tf.reshape(texts, [-1])).numpy()) <= {b'"'}


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_what_was_made_normal_stays(strings):
    once = normal(*strings)
    assert normal(*once) == once
