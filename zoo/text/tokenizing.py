"""Texts to tokens, with core TensorFlow string operations alone.

The same code runs in the input pipeline and inside a SavedModel.

Texts are first made normal, see `zoo.text.typography`, and then split as the Universal Dependencies
split English, see `zoo.text.splitting`:

    He said, Teddy's "well-known".   →   He said , Teddy 's " well - known " .
    Mr. Smith can't pay $5.50!       →   Mr. Smith ca n't pay $ 5.50 !

- Blanks separate tokens, and punctuation and symbols are tokens of their own, but for what belongs
  to a word: the full stop of an abbreviation from a list or of initials (unless it ends the text),
  points, commas, colons and slashes within numbers, apostrophes within words.
- Web and e-mail addresses, names of files, @user, #tag, emoticons, emoji, telephone numbers and
  dates are one token, and so are repeated signs (`...`, `?!`, `--`).
- Clitics (`n't 's 'm 're 've 'll 'd`), `can|not`, `gon|na`, units (`10|km`, `5|pm`) and the parts
  of words with hyphens (but for prefixes: `e-mail`) are tokens of their own.
- In scripts that put no blank between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese and
  others), each character with its marks is a token. These are no words: there is no dictionary.
  Words and numbers of other scripts among them stay whole. Korean is split at its blanks.
- In other languages the rules of English do little harm, and nothing more: `l'homme` is one token.

No character is lost but blanks and what normalising drops, and none is added. Any text gives
tokens; only what cannot be seen gives none.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from zoo.text import characters, splitting, typography

# Of texts that are normal.
_BLANKS = tuple(map(ord, "\t\n\f\r "))


class Located(NamedTuple):
    """Tokens, ragged strings `[batch, (tokens)]`, and where each begins and ends in its text.

    `start` and `end`, which is exclusive, are ragged int32 and count the Unicode characters of the
    text as it was given; what is not UTF-8 counts as U+FFFD.
    """

    tokens: tf.RaggedTensor
    start: tf.RaggedTensor
    end: tf.RaggedTensor


def tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into tokens.

    Args:
        text: strings `[batch]`.

    Returns:
        Ragged strings `[batch, (tokens)]`.

    Example:
        >>> tokenize(tf.constant(["He said, Teddy doesn’t!"])).to_list()
        [[b'He', b'said', b',', b'Teddy', b'does', b"n't", b'!']]
    """
    return _split(typography.normalize_text(text))


def tokenize_with_offsets(text: tf.Tensor) -> Located:
    """The tokens of `tokenize`, and where they come from: `normalize_text` of `text[start:end]` is
    the token.

    What is invisible, and dropped, belongs to a token within it, but not before or behind it.

    Args:
        text: strings `[batch]`.

    Example:
        >>> located = tokenize_with_offsets(tf.constant(["It doesn’t…"]))
        >>> located.tokens.to_list(), located.start.to_list(), located.end.to_list()
        ([[b'It', b'does', b"n't", b'...']], [[0, 3, 7, 10]], [[2, 7, 10, 11]])
    """
    plain = tf.reduce_all(typography.is_plain(text))
    read = tf.cond(plain, lambda: characters.read(text), lambda: typography.read(text))
    read = characters.Characters(*read)
    tokens = _split(tf.cond(plain, lambda: text, lambda: read.texts(tf.shape(text)[0])))
    # Splitting adds and removes blanks alone: the other characters are those of the tokens in turn.
    read = read.kept(~characters.is_among(read.code, _BLANKS))
    lengths = tf.strings.length(tokens.flat_values, unit="UTF8_CHAR")
    token = characters.repeated(lengths)
    # Marks that were put in order may come from behind the one that is now last.
    start, end = tf.math.segment_min(read.start, token), tf.math.segment_max(read.end, token)
    return Located(tokens, tokens.with_flat_values(start), tokens.with_flat_values(end))


def _split(normal: tf.Tensor) -> tf.RaggedTensor:
    text = tf.strings.regex_replace(normal, splitting.BEFORE, splitting.BEFORE_BECOMES)
    text = tf.strings.regex_replace(text, splitting.TOKEN, splitting.TOKEN_BECOMES)
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
    """Words as a vocabulary knows them: in lower case, every digit as 0; see `normalize_text` for
    quotes, dashes and the like, which tokens have gone through."""
    words = tf.strings.unicode_transcode(words, "UTF-8", "UTF-8")
    return tf.strings.regex_replace(tf.strings.lower(words, "utf-8"), r"\pN", "0")
