"""One way to write the same text, before anything is made of it.

`normalize_text` does this and no more:

- *Composition.* What Unicode holds for the same is written the same, as NFC does it: "e" and U+0301
  are "é", jamo are syllables of Hangul. Of all scripts; the tables are those of Unicode 14.
- *Apostrophes and quotes* are ' and ": ‘ ’ ‚ ‛ ʼ ʻ ′ ` ´ ‹ › ＇ and “ ” „ ‟ ″ « » ＂ 〝 〟.
- *Dashes* are -, whether hyphens that break or do not (U+2010, U+2011), the shorter dash – or the
  minus sign; the longer ones, — and ―, are --, as they are typed.
- *Dots*: … is ..., and ‥ is two of them.
- *Ligatures* of Latin (ﬁ, ﬂ, ﬀ, ﬃ, ﬄ, ﬅ, ﬆ) are their letters, but before combining marks.
- *Blanks*: every space of Unicode, line and paragraph separators and control characters are a
  blank. Tab, line feed, form feed and carriage return stay.
- *Invisible characters* are dropped: byte order marks, zero-width spaces and joiners, soft hyphens,
  marks of direction, variation selectors, and whatever else Unicode says to ignore. A joiner
  between two emoji stays, for together they are one.
- *Mojibake* of Windows' code page 1252: U+0082 to U+009B, where they stand for quotes and dashes.
- Bytes that are not UTF-8 are U+FFFD.

Nothing else changes: not upper and lower case, digits, wide and half-wide forms, circled digits and
the like (NFKC), nor a letter for one that looks like it. Of ASCII, only ` and control characters
do. What is normal already stays the same, byte for byte.

All of it is core operations, and a batch without any of these characters costs one look at its
bytes.
"""

from __future__ import annotations

import functools
import itertools

import tensorflow as tf

from zoo.text import characters, unicode_tables
from zoo.text.characters import Characters, following, is_among, previous
from zoo.text.composition import combining_class, compose

_WRITTEN = {
    "'": "‘’‚‛ʼʻʽ′‵`´‹›＇｀՚׳❛❜\x82\x8b\x91\x92\x9b",
    '"': "“”„‟″‶«»＂〝〞〟❝❞״⹂\x84\x93\x94",
    "-": "\u2010\u2011\u2012\u2013\u2212\u02d7\u058a\u05be\u1806\ufe63\uff0d\x96",
    "--": "\u2014\u2015\u2e3a\u2e3b\ufe58\x97",
    ".": "\u2024",
    "..": "\u2025",
    "...": "\u2026",
}
_LIGATURES = {
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "ffi": "\ufb03",
    "ffl": "\ufb04",
    "st": "\ufb05\ufb06",
}

_BLANKS_THAT_STAY = "\t\n\f\r "
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SPACES = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)

_JOINER = 0x200D
_VARIATION_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
# Unicode's Default_Ignorable_Code_Point, and what encloses interlinear annotations.
_INVISIBLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810)),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
    *(0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFFC)),
    *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE01F0)),
)

# Where the emoji are that are joined with others, and some signs besides.
EMOJI = (
    *(*range(0x2190, 0x2200), *range(0x2300, 0x2400), *range(0x2600, 0x27C0)),
    *(*range(0x2B00, 0x2C00), *range(0x1F000, 0x1FB00)),
)


def normalize_text(texts: tf.Tensor) -> tf.Tensor:
    """Texts of any shape with one spelling of quotes, dashes, blanks and composed characters, and
    none of what cannot be seen; see the module.

    Example:
        >>> normalize_text(tf.constant("“Beyonce\u0301 does\u00adn’t…”")).numpy().decode()
        '"Beyoncé doesn\\'t..."'
    """
    texts = tf.convert_to_tensor(texts)
    flat = tf.reshape(texts, [-1])
    plain = is_plain(flat)

    def written() -> tf.Tensor:
        rows = tf.where(~plain)
        some = read(tf.gather_nd(flat, rows)).texts(tf.shape(rows)[0])
        return tf.tensor_scatter_nd_update(flat, rows, some)

    return tf.reshape(tf.cond(tf.reduce_all(plain), lambda: flat, written), tf.shape(texts))


def is_plain(texts: tf.Tensor) -> tf.Tensor:
    """Whether texts hold only characters that are normal wherever they stand."""
    return tf.strings.regex_full_match(texts, _plain())


# A function of its own: a graph that uses it in several places holds it, and its tables, once.
@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def read(texts: tf.Tensor) -> Characters:
    """The characters of texts, `[texts]`, as `normalize_text` writes them, each with the place that
    it comes from. What makes an emoji look otherwise, and is dropped, is part of its place."""
    found = characters.read(texts)
    selected = is_among(found.code, _VARIATION_SELECTORS)
    found = found._replace(end=found.end + tf.cast(following(selected, found.row), tf.int32))
    found = found.replaced(unicode_tables.replacements(_replaced()))
    emoji = is_among(found.code, EMOJI)
    joined = previous(emoji, found.row) & following(emoji, found.row)
    return compose(_spelled_out(found.kept((found.code != _JOINER) | joined)))


def _spelled_out(found: Characters) -> Characters:
    """Ligatures as letters. Before a mark, which would be one with the last letter and part it from
    the first, they stay."""
    stays = following(combining_class(found.code) > 0, found.row)
    table = unicode_tables.replacements(_table(_LIGATURES))
    spelled = found._replace(code=tf.where(stays, -found.code, found.code)).replaced(table)
    return spelled._replace(code=tf.abs(spelled.code))


@functools.cache
def _replaced() -> dict[int, list[int]]:
    """What is written for a character, whatever stands beside it."""
    table: dict[int, list[int]] = {ord(blank): [ord(" ")] for blank in map(chr, _SPACES)}
    table |= {code: [ord(" ")] for code in _CONTROLS if chr(code) not in _BLANKS_THAT_STAY}
    table |= {code: [] for code in _INVISIBLE if code != _JOINER}
    table |= _table(_WRITTEN)
    composed = unicode_tables.recomposed().items()
    parts = {code: [table.get(part, [part]) for part in found] for code, found in composed}
    return table | {code: list(itertools.chain(*some)) for code, some in parts.items()}


def _table(written: dict[str, str]) -> dict[int, list[int]]:
    return {ord(one): list(map(ord, as_this)) for as_this, some in written.items() for one in some}


@functools.cache
def _plain() -> str:
    moving = {
        *unicode_tables.combining_classes(),
        *unicode_tables.second_in_pairs(),
        *range(0xD800, 0xE000),  # surrogates: no text in UTF-8 has them, but RE2 takes their bytes
    }
    return f"[^{unicode_tables.pattern(changed() | moving)}]*"


def written_as() -> dict[int, list[int]]:
    """What is written for a character, whatever stands beside it, and nothing for a joiner, which
    stays between emoji alone."""
    return {**_replaced(), _JOINER: []}


def changed() -> set[int]:
    """Characters that do not stay as they are, or not everywhere, whether or not they compose."""
    return {*_replaced(), *_table(_LIGATURES), _JOINER}
