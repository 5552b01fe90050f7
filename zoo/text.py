"""Text to numbers, with core TensorFlow string operations alone.

The same code runs in the input pipeline and inside a SavedModel.

Tokens. Text is split at white space, and punctuation and symbols are tokens of their own, but for
full stops, commas, apostrophes and hyphens inside a word or number:

    "He said, Teddy's well-known."   →   He said , Teddy's well-known .

Bytes that are not UTF-8 become U+FFFD; any text gives tokens, and only white space gives none.

Numbers. A word is three things to a model: its id in a vocabulary (in lower case, digits as 0; 0 is
padding, 1 is `<UNK>`), its bytes in UTF-8, and its shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import tensorflow as tf

PADDING, UNKNOWN = 0, 1
UNKNOWN_WORD = "<UNK>"

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
    """What a tagger reads of words, `[words]`: ids, shapes, and bytes `[words, WORD_BYTES]`."""
    return {"words": vocabulary(words), "shapes": word_shapes(words), "bytes": word_bytes(words)}


def word_ids(
    texts: tf.Tensor, vocabulary: Vocabulary, max_length: int, keep: str
) -> tf.RaggedTensor:
    """What a classifier reads of texts, `[batch]`: ids, ragged `[batch, (words)]`, see `cut`."""
    words = cut(tokenize(without_markup(texts)), max_length, keep)
    return words.with_flat_values(vocabulary(words.flat_values))


def count_words(words: Iterable[str]) -> Counter:
    """How often each normalized word occurs."""
    distinct = Counter(words)
    normal = normalize(tf.constant(list(distinct) or [""])).numpy()
    counts = Counter()
    for word, count in zip(normal, distinct.values(), strict=False):
        counts[word.decode()] += count
    return counts


class _Lines(tf.lookup.TextFileInitializer):
    """TensorFlow names such a table by the path of its file: a SavedModel would tell where it was
    trained, and of two that were trained in one folder the second would get the first one's.
    Without a name it draws one."""

    _shared_name = ""


def numbers_of_lines(asset: tf.saved_model.Asset, default: int) -> tf.lookup.StaticHashTable:
    """From a line of a text file to its number, int64, from 0 up."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = _Lines(asset.asset_path, tf.string, line, tf.int64, number)
    return tf.lookup.StaticHashTable(lines, default)


def lines_of_numbers(asset: tf.saved_model.Asset) -> tf.lookup.StaticHashTable:
    """From the number of a line of a text file, int64, from 0 up, to the line."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = _Lines(asset.asset_path, tf.int64, number, tf.string, line)
    return tf.lookup.StaticHashTable(lines, "")


class Vocabulary(tf.Module):
    """Words with ids from 2 up; 1 is `<UNK>`, 0 is padding.

    Args:
        path: a text file with one word a line, of which the first is `<UNK>`. In a SavedModel it
            becomes an asset.
        normalized: whether words are looked up as `normalize` makes them.

    Example:
        >>> path = write_lines("vocabulary.txt", [UNKNOWN_WORD, "a", "cat"])
        >>> Vocabulary(path)(tf.constant(["A", "dog"])).numpy()
        array([2, 1], dtype=int32)
    """

    def __init__(self, path: str, normalized: bool = True):
        super().__init__()
        self.normalized = normalized
        self.asset = tf.saved_model.Asset(path)
        with open(path, encoding="utf-8") as file:
            self.size = 1 + sum(1 for _ in file)
        self.table = numbers_of_lines(self.asset, default=UNKNOWN - 1)

    def __call__(self, words: tf.Tensor) -> tf.Tensor:
        """Ids of words of any shape, int32."""
        words = normalize(words) if self.normalized else words
        return tf.cast(self.table.lookup(words), tf.int32) + 1


def most_common(counts: Counter, size: int, minimum: int) -> list[str]:
    """`<UNK>` and the most common words, at most `size`, each at least `minimum` times."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [word for word, count in ordered if count >= minimum and word.strip()]
    return [UNKNOWN_WORD, *words[: max(0, size - 1)]]


def write_lines(path: str, lines: Sequence[str]) -> str:
    """Writes a text file, one line each, and returns its path."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    return path
