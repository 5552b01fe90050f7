"""The words of a text that is looked into: how many there may be, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.data.errors import UserError

# A figure with more words is not read, and what is shown may grow with their square.
MOST_WORDS = 300


def check_words(words: Sequence[str], one: str) -> None:
    """Nothing, where a text has as many words as can be looked into.

    Args:
        words: of the text, as a model reads them.
        one: the text.

    Raises:
        UserError: there are none, one alone, or too many.
    """
    if not 2 <= len(words) <= MOST_WORDS:
        much = {0: "no words", 1: "1 word"}.get(len(words), f"{len(words):,} words")
        raise UserError(
            f"--text: expected 2 to {MOST_WORDS} words, as the model reads them. Received: "
            f"{much} in {one[:40]!r}. Give a text of whole sentences, and a long one in parts."
        )


def visible(word: str) -> str:
    """A word as it is shown: a blank can be seen, and nothing moves the cursor.

    Example:
        >>> visible("a b"), visible("a\\tb")
        ('a␣b', 'a·b')
    """
    return "".join("␣" if c == " " else c if c.isprintable() else "·" for c in word)
