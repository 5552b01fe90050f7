"""Texts without answers, for language models from which other models start."""

from __future__ import annotations

import re

from tasks.data import builders, formats
from tasks.data.errors import DataError

# Of a builder, what is measured with stays unread.
_MEASURED_WITH = {"validation", "test"}
# WikiText writes 1 @,@ 000, well @-@ known, and <unk> for a rare word.
_JOINED = re.compile(r" @([-.,])@ ")
_RARE = "<unk>"
_REPLACEMENT = "\ufffd"


def texts_of(where: str) -> list[str]:
    """The texts of a file, a line each, or of a builder.

    Text that is split already, as WikiText is, has its words put together again where it says so;
    rare words that are not there any more become a character that is in no vocabulary.

    Args:
        where: the path of a file of plain text, which may be packed by gzip, or `tfds:NAME`.

    Raises:
        DataError: it cannot be read, or holds no text.
    """
    if where.startswith("tfds:"):
        texts = builders.texts_beside(where.removeprefix("tfds:"), _MEASURED_WITH)
    else:
        texts = formats.read(where).lines
    texts = [joined(text) for text in texts if text.strip()]
    if not texts:
        raise DataError(f"--pretrain_file: {where}: expected texts, found none")
    return texts


def joined(line: str) -> str:
    """A line of WikiText as its text was written.

    Example:
        >>> joined("The well @-@ known <unk> has 1 @,@ 000 pages")
        'The well-known \\ufffd has 1,000 pages'
    """
    return _JOINED.sub(r"\1", line).replace(_RARE, _REPLACEMENT)
