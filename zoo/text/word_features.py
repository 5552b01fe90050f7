"""What models read of words.

A word is three things to a model: its id in a vocabulary (in lower case, digits as 0; 0 is padding,
1 is `<UNK>`), its bytes in UTF-8, and its shape, each of the word as `normalize_text` writes it.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.text.tokenizing import cut, tokenize, without_markup
from zoo.text.typography import normalize_text
from zoo.text.vocabulary import Vocabulary

# Bytes of a word that a model reads; of longer ones, the first and the last half of them.
WORD_BYTES = 20

# What a word looks like: the first pattern that matches; the number 0 is padding.
SHAPES = (
    r"\p{Ll}+",  # word
    r"\p{Lu}\p{Ll}+",  # Word
    r"\p{Lu}",  # A
    r"\p{Lu}+",  # NATO
    r"\p{Lu}.*\p{L}.*",  # McDonald, Mc-D.
    r"[\p{P}\p{S}]+",  # ( -- €
    r"\p{N}+",  # 1984
    r"[\p{N}\p{P}]+",  # 3.5, 12:30
    r".*\p{N}.*",  # B2, 1st
    r".*\p{Lu}.*",  # iPhone
)


def word_bytes(words: tf.Tensor) -> tf.Tensor:
    """The bytes of words in UTF-8, `[words]` → uint8 `[words, WORD_BYTES]`, padded with 0."""
    half = WORD_BYTES // 2
    length = tf.strings.length(words)
    halves = tf.fill(tf.shape(words), half)
    start = tf.strings.substr(words, tf.zeros_like(halves), halves)
    end = tf.strings.substr(words, -tf.minimum(length, half), halves)
    short = tf.where(length > WORD_BYTES, start + end, words)
    return tf.io.decode_raw(short, tf.uint8, fixed_length=WORD_BYTES)


def word_shapes(words: tf.Tensor) -> tf.Tensor:
    """Numbers of the shapes of words, `[words]` → int32 `[words]`, from 1 to `len(SHAPES) + 1`."""
    shape = tf.fill(tf.shape(words), len(SHAPES) + 1)
    for number, pattern in reversed(list(enumerate(SHAPES, start=1))):
        shape = tf.where(tf.strings.regex_full_match(words, pattern), number, shape)
    return shape


def features(words: tf.Tensor, vocabulary: Vocabulary) -> dict[str, tf.Tensor]:
    """What a tagger reads of words, `[words]`: ids, shapes, and bytes `[words, WORD_BYTES]`.

    Words of a corpus, or of users who split their own texts, are made normal first: "n’t" is "n't".
    """
    words = normalize_text(words)
    return {"words": vocabulary(words), "shapes": word_shapes(words), "bytes": word_bytes(words)}


def word_ids(
    texts: tf.Tensor, vocabulary: Vocabulary, max_length: int, keep: str
) -> tf.RaggedTensor:
    """What a classifier reads of texts, `[batch]`: ids, ragged `[batch, (words)]`, see `cut`."""
    words = words_read(texts, max_length, keep)
    return words.with_flat_values(vocabulary(words.flat_values))


def words_read(texts: tf.Tensor, max_length: int, keep: str) -> tf.RaggedTensor:
    """The words of texts, `[batch]`, without markup and cut, see `cut`: ragged
    `[batch, (words)]`."""
    return cut(tokenize(without_markup(texts)), max_length, keep)
