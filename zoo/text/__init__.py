"""Text to numbers: the same code in training and in a SavedModel."""

from zoo.text.tokenizing import (
    Located,
    cut,
    normalize,
    tokenize,
    tokenize_with_offsets,
    without_markup,
)
from zoo.text.typography import normalize_text
from zoo.text.vocabulary import (
    PADDING,
    UNKNOWN,
    UNKNOWN_WORD,
    Vocabulary,
    count_words,
    lines_of_numbers,
    most_common,
    numbers_of_lines,
    write_lines,
)
from zoo.text.word_features import (
    SHAPES,
    WORD_BYTES,
    features,
    word_bytes,
    word_ids,
    word_shapes,
    words_read,
)

__all__ = [
    "PADDING",
    "SHAPES",
    "UNKNOWN",
    "UNKNOWN_WORD",
    "WORD_BYTES",
    "Located",
    "Vocabulary",
    "count_words",
    "cut",
    "features",
    "lines_of_numbers",
    "most_common",
    "normalize",
    "normalize_text",
    "numbers_of_lines",
    "tokenize",
    "tokenize_with_offsets",
    "without_markup",
    "word_bytes",
    "word_ids",
    "word_shapes",
    "words_read",
    "write_lines",
]
