"""What is read of a text in chunks is what is read of the whole, wherever it is cut."""

import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from zoo import text
from zoo.text import streaming, tokens

# What looks beyond itself when texts are split and made normal.
PIECES = [
    *(
        "U.S",
        ":(",
        ":D",
        ";)",
        "+44",
        ".5",
        "No.",
        "nos",
        "5",
        "Mr.",
        ".",
        "…",
        "\u2024",
        "-",
        "?!",
    ),
    *("I", "can", "not", "10", "km", "don’t", "n't", "'s", '"', "(", ")", "www.a.b/c", "a@b.com"),
    *(
        "é",
        "e",
        "\u0301",
        "\u0345",
        "ﬁ",
        "日本",
        "。",
        "한",
        "ᄒ",
        "ᅡ",
        "ไทย",
        "😀",
        "🏽",
        "❤",
        "\ufe0f",
    ),
    *("\u200b", "\u200d", "\x01", "\0", "\x82", "\xa0", "\v", " ", "  ", "\t", "\n", "\r\n"),
    *("<br />", "<b", "</a>", "x < y", ">"),
]
TEXTS = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["", "", " "])).map("".join), max_size=9
).map("".join)
BROKEN = st.sampled_from([b"\xe2", b"\xff", b"\x80", b"\xf0\x9f", b""])


def of_markup(texts):
    return text.tokenize(text.without_markup(texts))


def of_language(kind):
    return lambda texts: tokens.tokenize(texts, kind)


READERS = {
    "tagger": (text.tokenize, streaming.behind_words, False),
    "classifier": (of_markup, streaming.behind_words_of_markup, False),
    **{kind: (of_language(kind), parted, True) for kind, parted in streaming.PARTED.items()},
}


def reader(name):
    """From (what waited and has come, whether it is all) to tokens and what waits."""
    read, parted, has_end = READERS[name]

    @tf.function(
        input_signature=[tf.TensorSpec([1], tf.string), tf.TensorSpec([1], tf.bool)],
        autograph=False,
    )
    def on(texts, last):
        now, later = streaming.ready(texts, last, parted)
        return read(now).flat_values, later

    def step(waited, last):
        found, later = on(tf.constant([waited]), tf.constant([last]))
        found = found.numpy().tolist()
        return found[:-1] if has_end and not last else found, later.numpy()[0]

    return step


@pytest.fixture(scope="module", params=READERS)
def read(request):
    return reader(request.param)


@given(TEXTS, BROKEN, st.data())
@example("U.S :D ", b"", None)
@example("Mr.\x01\x01 :( :D No. 5", b"", None)
@example("Mr. \u200b", b"", None)
def test_chunks_give_what_the_whole_gives(read, texts, broken, data):
    whole = texts.encode()
    cuts = range(1, len(whole))
    if data is not None:
        at = data.draw(st.integers(0, len(whole)))
        whole = whole[:at] + broken + whole[at:]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    expected, _ = read(whole, True)
    found, waits = [], b""
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        some, waits = read(waits + whole[start:end], False)
        found += some
    some, waits = read(waits, True)
    assert (found + some, waits) == (expected, b"")


@pytest.mark.parametrize(
    ("name", "come", "waits"),
    [
        ("tagger", "He said, Ted", "Ted"),
        ("tagger", "He left. ", "left. "),  # the dot may end the text
        ("tagger", "He left. So it ", ""),
        ("tagger", "No. ", "No. "),
        ("words", "He left.\n", ""),
        ("split", "He left. ", ""),
        ("characters", "He", ""),
        ("classifier", "fine <br ", "<br "),
        ("classifier", "x < y ", ""),
    ],
)
def test_what_waits_is_what_may_still_grow(name, come, waits):
    assert reader(name)(come.encode(), False)[1] == waits.encode()


def test_half_a_character_waits():
    assert reader("characters")("né€".encode()[:-1], False) == ([b"n", "é".encode()], b"\xe2\x82")
