r"""Which tokens are written without a blank between them: `splitting` undone."""

from __future__ import annotations

import tensorflow as tf

from zoo.text import splitting

_CLOSING = r"[.,;:!?]+|[)\]}%。，、！？：；）」』】》]|n't|(?i:'(?:d|ll|m|re|s|ve))"
_OPENING = r"[(\[{$€£¥（「『【《]|US\$"
# Two tokens with a blank between them that are written as one.
_TOGETHER = "|".join(
    (
        rf".* (?:{_CLOSING})",
        rf"(?:{_OPENING}) .*",
        r".*s '",  # the dogs '
        r"# \d.*",
        rf"(?i:(?:{splitting.AUXILIARY}) nt|can not|(?:gon|wan) na|got ta)",
        rf".*[{splitting.UNSPACED}]\pM* [{splitting.UNSPACED}].*",
        rf"[。，、！？：；）」』】》] [{splitting.UNSPACED}].*",
    )
)


def goes_on(tokens: tf.Tensor) -> tf.Tensor:
    """Whether tokens, `[batch, tokens]`, go on in the word or number of the one before them."""
    before, after = _shifted(tokens, 1), _shifted(tokens, -1)
    pairs = tf.strings.join([before, tokens], " ")
    joined = tf.strings.regex_full_match(pairs, f"(?s:{_TOGETHER})")

    # well - known, and / or: signs within words
    between = (
        tf.strings.regex_full_match(before, r".*[\pL\pN]")
        & tf.strings.regex_full_match(tokens, "[-/]")
        & tf.strings.regex_full_match(after, r"[\pL\pN].*")
    )
    # Quotes open and close in turn.
    quote = tokens == '"'
    open_before = tf.cumsum(tf.cast(quote, tf.int32), axis=1, exclusive=True) % 2 == 1
    closes, opens = quote & open_before, quote & ~open_before
    return joined | between | _shifted(between, 1) | closes | _shifted(opens, 1)


def _shifted(values: tf.Tensor, by: int) -> tf.Tensor:
    """What stands `by` places before, and nothing where nothing does."""
    if by > 0:
        return tf.concat([tf.zeros_like(values[:, :by]), values[:, :-by]], axis=1)
    return tf.concat([values[:, -by:], tf.zeros_like(values[:, by:])], axis=1)
