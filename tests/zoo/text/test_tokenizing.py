"""Tokens: which they are, and where they come from."""

import time
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import text

STRINGS = [tf.TensorSpec([None], tf.string, name="text")]
tokenize = tf.function(text.tokenize, input_signature=STRINGS, autograph=False)
normalize = tf.function(text.normalize_text, input_signature=STRINGS, autograph=False)


@tf.function(input_signature=STRINGS, autograph=False)
def locate(texts):
    return tuple(text.tokenize_with_offsets(texts))


def split(string):
    return b" ".join(tokenize(tf.constant([string])).to_list()[0]).decode()


# A blank where the text is split, and nothing else: what it was is what is left without "|".
@pytest.mark.parametrize(
    "tokens",
    [
        # clitics
        "Teddy|'s dogs|' wo|n't bite|, I|'m sure|, they|'ve n't|, she|'ll|, we|'d|, you|'re",
        "IT|'S N'T DOES|N'T|, JOHN|'S",
        "can|not Can|not gon|na wan|na got|ta do|nt did|nt DOES|NT",
        "O'Neill o'clock rock'n'roll rock 'n' roll l'homme aujourd'hui Qur'an 'tis 'em '90s 1980's",
        "don donut canton national wanted gotham want not",
        # full stops
        "Mr. Hill|, Mrs. Hill|, Dr. Who|, St. John|, Prof. X|, Gen. Lee|, Capt. K",
        "the U.S. and U.K. at 5 p.m. or a.m. today|, e.g. this|, i.e. that|, etc. are|, et al. say",
        "J. R. R. Tolkien|, George W. Bush|, Ph.D. here|, Nov. 5 and Sept. 6|, Acme Inc. paid",
        "So do I|. He left|. No|. No. 5 is alive|, vol. 2|, fig. 3",
        "in the U.S|.",
        "at 5 p.m|.",
        "apples|, pears|, etc|.",
        "by J|.",
        "Curie|,|the film|.|It was|.|Good",
        "well|.|, no|;|yes|:|maybe|)|.",
        # numbers
        "$|5|, $|5.50|, 5|%|, 3.5|%|, €|1,000.5|, 1,000,000|, -|5|, 1.5 and 2,5|.",
        "10|km|, 5|kg|, 7|pm|, 7:30|PM|, 10|GB|, 3|M|, 65|k|, 20|mph|, 6|ft",
        "20th 1st 3rd 1970s 4x4 83N A4 B2B H2O 3D v1.2.3",
        "5:30 12:00:59 9/11 12/25/2001 555-1234 713-853-3989 11-20-2000 +44 20 .5",
        # hyphens
        "well|-|known|, twenty|-|one|, 15|-|year|-|old|, al|-|Qaeda|, 5|-|10|, 1990|-|1995",
        "e-mail|, co-op|, non-stop|, re-elect|, anti-war|, pre-owned|, ex-wife|, mid-July",
        "yes -- no - never|--|ever --- so",
        # addresses
        "http://www.example.org/a_b?c=d&e=f#g|, https://x.org/|. www.x.com|! ftp://a.b/c|)",
        "joe.b+c@mail.example.co.uk|, <|a-b@x.org|>|, mailto:x@y.net",
        "example.com|, news.bbc.co.uk/1/hi.html|, report.doc|, a_b.txt|, heise.de/x|.",
        "@user_1 #tag #TwoWords @Zoë|, #|1|:",
        # signs
        "so|... what|?! no|!!! hm|?? a|.. b|....",
        ":-) :) ;) :( :P :-D ^_^ <3 |(|see|)",
        "|(|a|[|b|]|{|c|}|)| |\"|d|\" |'|e|'",
        "and|/|or w/o I/O AT&T R&D a |& b x|=|y|+|z -> => <- <= ** ~~ >> <<",
        # other languages
        "¿|Qué|? ¡|No|! s’il",
        "שלום|, עולם|! مرحبا|، नमस्ते| दुनिया|। Привет|, мир|! 한국어 단어|.",
        "été naïve Füße|. É. Zola|, И. Кант|, Ελλάδα",
    ],
)
def test_tokens(tokens):
    string = tokens.replace("|", "")
    expected = text.normalize_text(tf.constant(tokens.replace("|", " "))).numpy().decode()
    assert split(string).split() == expected.split()


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("今天天气很好。", "今 天 天 气 很 好 。"),
        ("東京タワーへ行く、コーヒー。", "東 京 タ ワ ー へ 行 く 、 コ ー ヒ ー 。"),
        ("ｶﾞｷﾞ か\u3099 人々", "ｶﾞ ｷﾞ が 人 々"),
        ("ที่นี่ กิน ข้าว", "ที่ นี่ กิ น ข้ า ว"),
        ("ພາສາ ນີ້", "ພ າ ສ າ ນີ້"),
        ("ខ្មែរ ភាសា", "ខ្មែ រ ភា សា"),
        ("မြန်မာ ကမ္ဘာ", "မြ န် မာ က မ္ဘာ"),
        ("ꦗꦮ ᥖᥭᥰ ㄅㄆ", "ꦗ ꦮ ᥖ ᥭ ᥰ ㄅ ㄆ"),
        ("我用iPhone13手机,3.5万人", "我 用 iPhone13 手 机 , 3.5 万 人"),
        ("๒๕๖๐ปี 5月3日", "๒๕๖๐ ปี 5 月 3 日"),
        ("서울에서 만나요", "서울에서 만나요"),
    ],
)
def test_scripts_without_blanks_are_split_by_character(string, expected):
    assert split(string) == expected


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("doesn’t “do” it—never – well–known", 'does n\'t " do " it -- never - well - known'),
        ("I can‘t… Mr.… Mr… etc.", "I ca n't ... Mr .... Mr ... etc ."),
        ("\ufeffHe\u200bllo wo\u00adrld\u200e", "Hello world"),
        (
            "Beyonce\u0301 \u1112\u1161\u11ab\u1100\u1173\u11af Vie\u0323\u0302t",
            "Beyoncé 한글 Việt",
        ),
        (
            "👩\u200d👧👍🏽🇫🇷❤\ufe0fok👍🏽ok 1\ufe0f\u20e3",
            "👩\u200d👧 👍🏽 🇫🇷 ❤ ok 👍🏽 ok 1\u20e3",
        ),
        ("'great'👍!", "' great ' 👍 !"),
        ("e‑mail 10\u00a0km 1\u00a0000", "e-mail 10 km 1 000"),
        ("", ""),
        (" \t\n\v\u00a0\u3000\u2028\0\x85", ""),
        ("\ufeff\u200b\u00ad", ""),
        ("a\0b", "a b"),
        ("\u0301 x\u0301\u0323", "\u0301 x\u0323\u0301"),
        ("=\u0301.\u0301-\u0301", "=\u0301 .\u0301 -\u0301"),
    ],
)
def test_texts_are_normal_before_they_are_split(string, expected):
    assert split(string) == expected


def test_bytes_that_are_not_utf8_become_replacement_characters():
    (found,) = tokenize(tf.constant([b"\xff ok"])).to_list()
    assert found == ["\ufffd".encode(), b"ok"]


# --- where tokens are ----------------------------------------------------------------------------


def places(string):
    tokens, start, end = (part.to_list()[0] for part in locate(tf.constant([string])))
    return [token.decode() for token in tokens], list(zip(start, end, strict=True))


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("He  can't.", [(0, 2), (4, 6), (6, 9), (9, 10)]),
        ("\ufeffIt isn’t…", [(1, 3), (4, 6), (6, 9), (9, 10)]),
        ("Beyonce\u0301—so", [(0, 8), (8, 9), (9, 11)]),
        ("a\u00adb\u200b c", [(0, 3), (5, 6)]),
        ("❤\ufe0f!", [(0, 2), (2, 3)]),
        ("👩\u200d👧 👍🏽", [(0, 3), (4, 6)]),
        ("\u1112\u1161\u11ab 글", [(0, 3), (4, 5)]),
        ("a\u0301\u0323\u0331b", [(0, 5)]),
        ("ที่นี่", [(0, 3), (3, 6)]),
        (b"\xff\xe2\x82 ok".decode("utf-8", "surrogateescape"), [(0, 1), (1, 2), (3, 5)]),
        ("can\u00adnot ﬁne", [(0, 3), (4, 7), (8, 11)]),
        ("", []),
    ],
)
def test_places_count_characters_of_the_text_as_it_was(string, expected):
    given_bytes = string.encode("utf-8", "surrogateescape")
    assert places(given_bytes)[1] == expected


# What is likely to be read wrongly, beside each other, and any character at all.
WORDS = """
    can not do n't nt 's ’s ` ´ … — – - -- . .. , ! ? ( ) ' " 10 km 5 pm U.S. Mr. I. J. No. 1980's
    http://a.b/c www.x a@b.c x.com :) :-( <3 ^_^ #t @u ﬁ ﬃ é ạ Å ᄒ ᅡ ᆫ 한 하 ที่ น ခ္ မ 中 コ ー ﾞ
    👩 👧 👍 🏽 🇫 🇷 ❤ e-mail re co O'Neill gon na a B _ $ % & / = + 1.5 3/4 5-7 555-1234 l'été
"""
MARKS = "\u0301\u0323\u0316\u3099\u0e48\u064b\u093c\u0958\u0344"
UNSEEN = "\t\n \u00a0\u200b\ufeff\u00ad\u200d\ufe0f\0\x92"
ODD = st.sampled_from([*WORDS.split(), *MARKS, *UNSEEN])
ODD_TEXTS = st.lists(ODD | st.characters(codec="utf-8"), max_size=14).map("".join)
BROKEN = st.tuples(ODD_TEXTS, st.binary(max_size=3), st.integers(0, 20)).map(
    lambda parts: parts[0].encode()[: parts[2]] + parts[1] + parts[0].encode()[parts[2] :]
)


@settings(max_examples=60)
@given(st.lists(ODD_TEXTS.map(str.encode) | BROKEN, min_size=1, max_size=60))
def test_tokens_are_where_they_are_said_to_be(texts):
    tokens, start, end = (part.to_list() for part in locate(tf.constant(texts)))
    assert tokens == tokenize(tf.constant(texts)).to_list()
    slices, expected = [], []
    for given_bytes, *parts, normal in zip(
        texts, tokens, start, end, normalize(tf.constant(texts)).numpy(), strict=True
    ):
        # No character is lost or added.
        assert b"".join(parts[0]) == b"".join(normal.translate(None, b"\t\n\f\r ").split())
        string = given_bytes.decode("utf-8", "replace")
        last = 0
        for token, first, behind in zip(*parts, strict=True):
            assert token
            assert last <= first < behind <= len(string)
            last = behind
            slices.append(string[first:behind])
            expected.append(token)
    if slices:
        assert normalize(tf.constant(slices)).numpy().tolist() == expected


@given(st.text(max_size=40))
def test_no_letter_is_lost_and_no_token_is_empty(string):
    found = [token.decode() for token in tokenize(tf.constant([string])).to_list()[0]]
    assert all(found)
    normal = normalize(tf.constant([string])).numpy()[0].decode()
    letters = [character for character in normal if unicodedata.category(character)[0] == "L"]
    assert [c for c in "".join(found) if unicodedata.category(c)[0] == "L"] == letters


# --- in the graph --------------------------------------------------------------------------------


class Splitter(tf.Module):
    @tf.function(input_signature=STRINGS, autograph=False)
    def split(self, text_):
        located = text.tokenize_with_offsets(text_)
        return {
            "tokens": located.tokens.to_tensor(),
            "start": located.start.to_tensor(),
            "end": located.end.to_tensor(),
        }


def test_a_saved_model_splits_as_the_input_pipeline_does(tmp_path):
    texts = ["Teddy doesn’t!", "", "e\u0301—한", "plain", "ที่นี่ 👩\u200d👧"]
    tf.saved_model.save(Splitter(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    answer = loaded.split(tf.constant(texts))
    data = tf.data.Dataset.from_tensor_slices(texts).batch(5).map(text.tokenize_with_offsets)
    for located in data:
        for name, expected in located._asdict().items():
            assert answer[name].numpy().tolist() == expected.to_tensor().numpy().tolist()
    for some in (["plain"], []):
        tokens = loaded.split(tf.constant(some, tf.string))["tokens"]
        assert tokens.numpy().tolist() == [[b"plain"]][: len(some)]


LONG = (
    "a. a 1, ! www. a- a.b@ -= ' 's ^_ #a co- http://a! e\u0301 \u0301\u0323 ที่ 中 👩\u200d \u200b"
)


@pytest.mark.parametrize("part", ["He said, Teddy's 5. ", " ", "no. 1", *LONG.split(" ")])
def test_a_long_text_takes_time_by_its_length(part):
    long = tf.constant([part * (1_000_000 // len(part.encode()))])
    locate(long[:, None][0][:0])  # traced
    start = time.perf_counter()
    locate(long)
    assert time.perf_counter() - start < 20  # mostly 0.2 s; by the square of the length, an hour
