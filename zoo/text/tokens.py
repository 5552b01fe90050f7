"""How a language model reads and writes text.

A token is a character, or a word; `<EOS>` ends each text and, in a text of words, each line. Only
core TensorFlow string operations, so that a SavedModel does the same.

    characters   every Unicode character
    words        words and punctuation as in `text.tokenize`, in upper and lower case
    split        whatever white space separates, for text that was tokenized before

Only `words` makes texts normal (`text.normalize_text`): a model of characters writes the quotes
that it has read, and a corpus that others have split is read as they left it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import tensorflow as tf

from zoo import text
from zoo.text import joining

KINDS = ("characters", "words", "split")
END_OF_TEXT = "<EOS>"
PADDING, UNKNOWN, END = text.PADDING, text.UNKNOWN, 2

# A vocabulary has one token a line, which these characters would break.
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\\": "\\\\"}


def tokenize(texts: tf.Tensor, kind: str) -> tf.RaggedTensor:
    """Splits texts into tokens, `<EOS>` at the end.

    Args:
        texts: strings `[batch]`.
        kind: one of `KINDS`.

    Returns:
        Ragged strings `[batch, (tokens)]`, as they stand in a vocabulary.

    Example:
        >>> tokenize(tf.constant(["The cat\\nwas full."]), "words").to_list()
        [[b'The', b'cat', b'<EOS>', b'was', b'full', b'.', b'<EOS>']]
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    if kind == "characters":
        tokens = tf.strings.unicode_split(texts, "UTF-8")
        tokens = tokens.with_flat_values(_escape(tokens.flat_values))
    else:
        lines = tf.strings.split(texts, "\n")
        words = text.tokenize(lines.flat_values) if kind == "words" else _split(lines.flat_values)
        counts = words.row_lengths()
        words = tf.concat([words, tf.fill([tf.size(counts), 1], END_OF_TEXT)], axis=1)
        lines = lines.with_flat_values(words)
        return lines.merge_dims(1, 2)
    return tf.concat([tokens, tf.fill([tf.shape(texts)[0], 1], END_OF_TEXT)], axis=1)


def _split(lines: tf.Tensor) -> tf.RaggedTensor:
    return tf.strings.split(tf.strings.regex_replace(lines, r"[\s\x{0}]+", " "))


def join(tokens: tf.Tensor, kind: str) -> tf.Tensor:
    """Texts of tokens, `[batch, tokens]`; empty strings are none. The last `<EOS>` is not shown.

    Words are put together as people write them: `do n't` is "don't", `( 10 % )` is "(10%)". Where
    that is not certain, it is what is more common: `well - known` is "well-known".

    Example:
        >>> join(tf.constant([["Teddy", "'s", "bears", "ca", "n't", "run", "."]]), "words").numpy()
        array([b"Teddy's bears can't run."], dtype=object)
    """
    if kind == "characters":
        shown = tf.where(tokens == END_OF_TEXT, "", _unescape(tokens))
        return tf.strings.reduce_join(shown, axis=1)
    apart = tf.strings.length(tokens) > 0
    shown = tf.where(tokens == END_OF_TEXT, "\n", tokens)
    if kind == "words":
        apart &= ~joining.goes_on(shown)
    spaced = tf.where(apart, tf.strings.join([tf.fill(tf.shape(shown), " "), shown]), shown)
    texts = tf.strings.reduce_join(spaced, axis=1)
    return tf.strings.strip(tf.strings.regex_replace(texts, r" *\n *", "\n"))


def _escape(characters: tf.Tensor) -> tf.Tensor:
    for character, name in _ESCAPES.items():
        characters = tf.where(characters == character, name, characters)
    return characters


def _unescape(characters: tf.Tensor) -> tf.Tensor:
    for character, name in _ESCAPES.items():
        characters = tf.where(characters == name, character, characters)
    return characters


class Tokens(tf.Module):
    """Texts to ids and back; 0 is padding, 1 `<UNK>`, 2 `<EOS>`.

    Args:
        path: a text file with one token a line, of which the first two are `<UNK>` and `<EOS>`. In
            a SavedModel it becomes an asset.
        kind: one of `KINDS`.
    """

    def __init__(self, path: str, kind: str):
        super().__init__()
        self.kind = kind
        self.vocabulary = text.Vocabulary(path, normalized=False)
        self.lines = text.lines_of_numbers(self.vocabulary.asset)

    @property
    def size(self) -> int:
        return self.vocabulary.size

    def ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of texts `[batch]`, with `<EOS>`: int32, ragged `[batch, (tokens)]`."""
        tokens = tokenize(texts, self.kind)
        return tokens.with_flat_values(self.vocabulary(tokens.flat_values))

    def names(self, ids: tf.Tensor) -> tf.Tensor:
        """The tokens of ids of any shape; padding is the empty string."""
        names = self.lines.lookup(tf.cast(tf.maximum(ids - 1, 0), tf.int64))
        return tf.where(ids == PADDING, "", names)

    def write(self, ids: tf.Tensor) -> tf.Tensor:
        """The texts of ids, `[batch, tokens]`."""
        return join(self.names(ids), self.kind)


def make_vocabulary(tokens: Iterable[bytes], size: int, minimum: int, kind: str) -> list[str]:
    """`<UNK>`, `<EOS>`, and the most common tokens, at most `size`; of characters, all of them."""
    counts = Counter(tokens)
    names: Counter = Counter()
    for token, count in counts.items():
        names[token.decode("utf-8", "replace")] += count
    for special in (END_OF_TEXT, text.UNKNOWN_WORD, text.UNKNOWN_WORD.lower()):
        names.pop(special, None)
    if kind == "characters":
        size, minimum = len(names) + 2, 1
    ordered = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    kept = [name for name, count in ordered if count >= minimum]
    return [text.UNKNOWN_WORD, END_OF_TEXT, *kept[: max(0, size - 2)]]
