"""Texts to tokens, with core TensorFlow string operations alone.

The same code runs in the input pipeline and inside a SavedModel.

Text is split at white space, and punctuation and symbols are tokens of their own, but for full
stops, commas, apostrophes and hyphens inside a word or number:

    "He said, Teddy's well-known."   →   He said , Teddy's well-known .

Bytes that are not UTF-8 become U+FFFD; any text gives tokens, and only white space gives none.
"""

from __future__ import annotations

import tensorflow as tf


def tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into tokens.

    Args:
        text: strings `[batch]`.

    Returns:
        Ragged strings `[batch, (tokens)]`.

    Example:
        >>> tokenize(tf.constant(["He said, Teddy!"])).to_list()
        [[b'He', b'said', b',', b'Teddy', b'!']]
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
    text = tf.strings.regex_replace(text, r"[\s\p{Z}\x{0}]+", " ")
    text = tf.strings.regex_replace(text, r"([^\pL\pM\pN\s.,'’\-])", r" \1 ")
    text = tf.strings.regex_replace(text, r"([.,'’\-]+)(\s|$)", r" \1 ")
    text = tf.strings.regex_replace(text, r"(^|\s)([.,'’\-]+)", r" \2 ")
    return tf.strings.split(text)


def without_markup(text: tf.Tensor) -> tf.Tensor:
    """Texts without tags of HTML, such as the `<br />` of film reviews."""
    return tf.strings.regex_replace(text, r"</?[a-zA-Z][^<>]{0,100}>", " ")


def cut(tokens: tf.RaggedTensor, length: int, keep: str) -> tf.RaggedTensor:
    """At most so many tokens of each text: its `"start"`, its `"end"`, or half from `"both"`."""
    if keep == "start":
        return tokens[:, :length]
    if keep == "end":
        return tokens[:, -length:]
    half = length // 2
    return tf.concat([tokens[:, :half], tokens[:, half:][:, half - length :]], axis=1)


def normalize(words: tf.Tensor) -> tf.Tensor:
    """Words as a vocabulary knows them: in lower case, every digit as 0."""
    words = tf.strings.unicode_transcode(words, "UTF-8", "UTF-8")
    return tf.strings.regex_replace(tf.strings.lower(words, "utf-8"), r"\pN", "0")
