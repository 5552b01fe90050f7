"""Words in pieces: byte-pair encoding (Sennrich et al. 2016), read and written inside the graph.

SentencePiece learns the pieces; a SavedModel has only their list. A word begins with `▁` and the
characters that it is spelt with; as long as two neighbours together are a piece, those whose piece
stands first in the list are joined. The list is in the order in which the pieces were learned, so
the same file is vocabulary and merge table.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from zoo.text import tokens
from zoo.text.characters import rows_of
from zoo.text.typography import normalize_text
from zoo.text.vocabulary import PADDING, UNKNOWN_WORD, Vocabulary, lines_of_numbers

BEGINNING = "▁"
# Longer words are read in parts of as many characters: each takes a turn of the loop.
WORD_CHARACTERS = 100
# In the list, behind `<UNK>` and `<EOS>`.
_FIRST_PIECE = 2


class Subwords(tf.Module):
    """Texts to ids of pieces and back; 0 is padding, 1 `<UNK>`, 2 `<EOS>`.

    Text is made `normal` first. For such text it gives what SentencePiece gives, but for words of
    more than `WORD_CHARACTERS` characters, which are read in parts.

    Args:
        path: of a list of pieces, as `learn` writes it. In a SavedModel it becomes an asset.

    Example:
        >>> from zoo import text
        >>> lines = ["<UNK>", "<EOS>", "at", "▁c", "▁cat", "▁", "a", "c", "s", "t"]
        >>> subwords = Subwords(text.write_lines("subwords.txt", lines))
        >>> ids = subwords.ids(tf.constant(["cats cat"]))
        >>> subwords.names(ids.flat_values).numpy().tolist()[:2], ids.shape[1]
        ([b'\\xe2\\x96\\x81cat', b's'], None)
        >>> subwords.write(ids.to_tensor()).numpy()
        array([b'cats cat'], dtype=object)
    """

    def __init__(self, path: str):
        super().__init__()
        self.vocabulary = Vocabulary(path, normalized=False)
        self.lines = lines_of_numbers(self.vocabulary.asset)

    @property
    def size(self) -> int:
        """How many ids there are, padding included."""
        return self.vocabulary.size

    def ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of texts `[batch]`, with `<EOS>`: int32, ragged `[batch, (pieces)]`."""
        words = tf.strings.split(normal(texts))
        distinct, which = tf.unique(words.flat_values)
        pieces = tf.gather(self._pieces(tf.strings.join([BEGINNING, distinct])), which)
        ids = words.with_flat_values(pieces).merge_dims(1, 2)
        return tf.concat([ids, tf.fill([ids.nrows(), 1], tokens.END)], axis=1)

    def _pieces(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Ids of the pieces of words `[words]`, ragged int32 `[words, (pieces)]`."""
        characters = tf.strings.unicode_split(words, "UTF-8")
        word = tf.cast(rows_of(characters), tf.int64)
        place = tf.ragged.range(characters.row_lengths()).flat_values
        part = tf.cumsum(tf.cast(place % WORD_CHARACTERS == 0, tf.int32)) - 1
        word_of_part = tf.boolean_mask(word, place % WORD_CHARACTERS == 0)

        _, symbols, part = tf.while_loop(
            lambda goes_on, *_: goes_on,
            lambda _, *state: self._join_one_pair_of_each(*state),
            (tf.size(part) > 0, characters.flat_values, part),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None])),
        )
        ids, word = self.vocabulary(symbols), tf.gather(word_of_part, part)
        # Characters that no piece has are one `<UNK>`, however many stand side by side.
        unknown = ids == tokens.UNKNOWN
        again = (unknown[1:] & unknown[:-1]) & (word[1:] == word[:-1])
        kept = ~tf.concat([tf.zeros_like(unknown[:1]), again], 0)
        return tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(ids, kept), tf.boolean_mask(word, kept), characters.nrows()
        )

    def _join_one_pair_of_each(
        self, symbols: tf.Tensor, part: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Joins in each part of a word the two neighbours whose piece comes first in the list.

        Args:
            symbols: of all parts, one behind the other, `[symbols]`.
            part: that each belongs to, int32 `[symbols]`, ascending from 0 without a gap.

        Returns:
            Whether there was a pair to join, and symbols and parts as they are now.
        """
        joined = tf.strings.join([symbols, tf.concat([symbols[1:], [""]], 0)])
        line = tf.cast(self.vocabulary.table.lookup(joined), tf.int32)
        followed = tf.concat([part[1:] == part[:-1], [False]], 0)
        line = tf.where(followed & (line >= _FIRST_PIECE), line, tf.int32.max)
        least = tf.gather(tf.math.segment_min(line, part), part)
        place = tf.range(tf.size(part))
        candidate = tf.where((line == least) & (line < tf.int32.max), place, tf.int32.max)
        joins = place == tf.gather(tf.math.segment_min(candidate, part), part)
        kept = ~tf.concat([tf.zeros_like(joins[:1]), joins[:-1]], 0)
        symbols = tf.boolean_mask(tf.where(joins, joined, symbols), kept)
        return tf.reduce_any(joins), symbols, tf.boolean_mask(part, kept)

    def names(self, ids: tf.Tensor) -> tf.Tensor:
        """The pieces of ids of any shape; padding is the empty string."""
        names = self.lines.lookup(tf.cast(tf.maximum(ids - 1, 0), tf.int64))
        return tf.where(ids == PADDING, "", names)

    def write(self, ids: tf.Tensor) -> tf.Tensor:
        """The texts of ids, `[batch, pieces]`, without their `<EOS>`."""
        pieces = tf.where(ids == tokens.END, "", self.names(ids))
        return tf.strings.strip(
            tf.strings.regex_replace(tf.strings.reduce_join(pieces, axis=1), BEGINNING, " ")
        )


def normal(texts: tf.Tensor) -> tf.Tensor:
    """Texts as they are read: normal, and a single blank for any white space and for `▁`.

    Example:
        >>> normal(tf.constant([" one\\ttwo▁ three’s"])).numpy()
        array([b"one two three's"], dtype=object)
    """
    texts = tf.strings.regex_replace(normalize_text(texts), rf"[\s\x{{0}}{BEGINNING}]+", " ")
    return tf.strings.strip(texts)


def learn(lines: Iterable[str], size: int, coverage: float = 1.0) -> list[str]:
    """Learns pieces by SentencePiece.

    It is chosen because it needs nothing but itself, joins by the order of its list alone, and is
    what translation toolkits use; here it only learns.

    Args:
        lines: of text, of both languages if they share their pieces; they are made normal.
        size: how many lines the list has at most, `<UNK>` and `<EOS>` among them; fewer where the
            text does not hold as many.
        coverage: share of the characters of the text that have a piece.

    Returns:
        `<UNK>`, `<EOS>` and the pieces, in the order in which they are joined.

    Raises:
        ValueError: `size` does not even hold all characters of the text.
    """
    model = train(lines, size, coverage)
    return [model.id_to_piece(number) for number in range(model.get_piece_size())]


def train(lines: Iterable[str], size: int, coverage: float = 1.0) -> Any:
    """What `learn` takes its list from: a `sentencepiece.SentencePieceProcessor`."""
    import sentencepiece

    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(
                line.decode() for line in normal(tf.constant(list(lines), tf.string)).numpy()
            ),
            model_writer=written,
            model_type="bpe",
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=coverage,
            normalization_rule_name="identity",
            max_sentence_length=2**20,
            unk_id=0,
            eos_id=1,
            bos_id=-1,
            pad_id=-1,
            unk_piece=UNKNOWN_WORD,
            eos_piece=tokens.END_OF_TEXT,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(
            f"subwords: expected a number that holds every character of the text; or a "
            f"character_coverage below 1. Received: {size} ({error})"
        ) from None
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
