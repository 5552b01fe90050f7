"""What was drawn, written behind the text that it goes on from."""

from __future__ import annotations

import tensorflow as tf

from zoo.text import joining, tokens

# Of a text, so many tokens decide how the next one is joined to it.
_TOKENS_BEFORE = 16


def continued(texts: tf.Tensor, drawn: tf.Tensor, kind: str) -> tf.Tensor:
    """Texts, byte for byte, and behind each what was drawn for it.

    Words are joined as `tokens.join` does it, the first one to the text before it: with a blank,
    but not where the text ends in white space, nor before what closes and behind what opens. The
    `<EOS>` that ends a text is not shown.

    Args:
        texts: strings `[batch]`; they need not be UTF-8.
        drawn: tokens `[batch, tokens]`; empty strings are none.
        kind: one of `tokens.KINDS`.

    Returns:
        Strings `[batch]`.

    Example:
        >>> texts, drawn = tf.constant(["ZOË  said", "Teddy "]), tf.constant([["."], ["Bear"]])
        >>> [text.decode() for text in continued(texts, drawn, "words").numpy()]
        ['ZOË  said.', 'Teddy Bear']
    """
    if kind == "characters":
        return tf.strings.join([texts, tokens.join(drawn, kind)])
    shown = tf.where(drawn == tokens.END_OF_TEXT, "\n", drawn)
    apart = tf.strings.length(drawn) > 0
    if kind == "words":
        before = _last_tokens(texts, kind)
        apart &= ~joining.goes_on(tf.concat([before, shown], axis=1))[:, tf.shape(before)[1] :]
    shown = tf.where(apart, tf.strings.join([" ", shown]), shown)
    shown = tf.strings.reduce_join(shown, axis=1)
    shown = tf.strings.regex_replace(shown, r" *\n *", "\n")
    shown = tf.strings.regex_replace(shown, r"\n+\z", "")
    # In a pattern that is searched for, bytes that are not UTF-8 do no harm.
    blank = tf.strings.regex_replace(texts, r"(\A|[\s\p{Z}])\z", "\x00") != texts
    shown = tf.where(blank, tf.strings.regex_replace(shown, r"\A +", ""), shown)
    return tf.strings.join([texts, shown])


def _last_tokens(texts: tf.Tensor, kind: str) -> tf.Tensor:
    """The last tokens of texts, `[batch, tokens]`, empty strings before them where there are fewer.

    A quote that is open, see `joining`, is the first of them.
    """
    found = tokens.tokenize(texts, kind)[:, :-1]  # without the <EOS>
    found = found.with_flat_values(
        tf.where(found.flat_values == tokens.END_OF_TEXT, "\n", found.flat_values)
    )
    last = found[:, -_TOKENS_BEFORE:]
    earlier = found[:, :-_TOKENS_BEFORE]
    quotes = earlier.with_flat_values(tf.cast(earlier.flat_values == '"', tf.int32))
    open_before = tf.reduce_sum(quotes, axis=1) % 2 == 1
    first = tf.where(open_before, '"', "")[:, None]
    # Padding on the left: reversed, padded on the right, and reversed again.
    padded = tf.reverse(last[:, ::-1].to_tensor(), [1])
    return tf.concat([first, padded], axis=1)
