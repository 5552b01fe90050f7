"""What each word adds to the answer of a classifier."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from absl import flags as absl_flags

from tasks.framework import flags
from tasks.framework import task as program
from zoo import text

PERMUTATIONS = absl_flags.DEFINE_integer(
    "permutations",
    32,
    "Orders in which --mode=explain adds the words; more are slower and more exact.",
    lower_bound=1,
)

_BATCH = 64


def contributions(
    score: Callable[[Sequence[str]], np.ndarray],
    words: Sequence[str],
    permutations: int,
    seed: int = 0,
) -> np.ndarray:
    """Shapley values of words: what each adds to a score, on average over the orders of adding.

    A word is added to the words that came before it in a random order, and all stand in the text's
    own order; what the score rises by is the word's. In each order the rises sum to the difference
    of the whole text's score and the empty one's, and so do the means exactly.

    Source: Shapley 1953; Štrumbelj and Kononenko 2010, who sample the orders.

    Args:
        score: from texts to a number for each.
        words: of the text.
        permutations: how many orders; every second one is the one before reversed, which halves
            the variance of values that depend on what came before.
        seed: of the orders.

    Returns:
        A number for each word.
    """
    random = np.random.default_rng(seed)
    count = len(words)
    orders: list[np.ndarray] = []
    while len(orders) < permutations:
        order = random.permutation(count)
        orders += [order, order[::-1]]
    values = np.zeros(count)
    for order in orders[:permutations]:
        kept = np.zeros([count + 1, count], bool)
        for row, word in enumerate(order, start=1):
            kept[row] = kept[row - 1]
            kept[row, word] = True
        texts = [" ".join(w for w, k in zip(words, row, strict=True) if k) for row in kept]
        scores = np.concatenate([score(part) for part in program.batched(texts, _BATCH)])
        values[order] += np.diff(scores)
    return values / permutations


def explain_mode(task: program.Task) -> None:
    """`--mode=explain`: colours the words of texts in the terminal, and in an HTML file."""
    path = flags.OUTPUT_FILE.value
    if path and not path.endswith((".html", ".htm")):
        raise flags.UserError(f"--output_file: --mode=explain writes .html. Received: {path!r}")
    served = task.served(program.needed_model())
    pages = []
    with program.open_texts() as batches:
        for one in (one for batch in batches for one in batch):
            label, probability, pairs = explain(served, one)
            print(as_line(label, probability, pairs, os.isatty(1)), flush=True)
            pages.append(as_html(label, probability, pairs))
    if path:
        program.write_output(path, [_PAGE.format(body="\n".join(pages))])


def explain(served, one: str) -> tuple[str, float, list[tuple[str, float]]]:
    """The label of a text, its probability, and (word, contribution) pairs: what each word adds to
    log(p / (1 - p)) of that label."""
    tokens = text.tokenize(text.without_markup(tf.constant([one])))
    tokens = [token.decode("utf-8", "replace") for token in tokens.flat_values.numpy()]
    (answer,) = served.predict([one])
    number = served.label_names.index(answer.label)

    def score(texts: Sequence[str]) -> np.ndarray:
        p = np.clip(served.probabilities(texts)[:, number].astype(np.float64), 1e-7, 1 - 1e-7)
        return np.log(p / (1 - p))

    values = contributions(score, tokens, PERMUTATIONS.value, flags.SEED.value)
    return answer.label, answer.probability, list(zip(tokens, values.tolist(), strict=True))


def as_line(label: str, probability: float, pairs: list[tuple[str, float]], colour: bool) -> str:
    """Green words speak for the label and red ones against it; without colour, by numbers."""
    if not colour:
        words = " ".join(f"{word}({value:+.2f})" for word, value in pairs)
        return f"{label} {probability:.1%}  {words}"
    peak = max((abs(value) for _, value in pairs), default=1) or 1
    words = []
    for word, value in pairs:
        depth = round(200 * abs(value) / peak)
        red, green = (0, depth) if value > 0 else (depth, 0)
        words.append(f"\033[48;2;{red};{green};0m\033[97m{word}\033[0m")
    return f"\033[1m{label} {probability:.1%}\033[0m  {' '.join(words)}"


def as_html(label: str, probability: float, pairs: list[tuple[str, float]]) -> str:
    peak = max((abs(value) for _, value in pairs), default=1) or 1
    words = " ".join(
        f'<span title="{value:+.3f}" style="background: rgb({_GREEN if value > 0 else _RED} / '
        f'{abs(value) / peak:.2f})">{html.escape(word)}</span>'
        for word, value in pairs
    )
    return f"<p><b>{html.escape(label)}</b> {probability:.1%}<br>{words}</p>"


_GREEN, _RED = "0 140 60", "210 40 40"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>What each word adds</title>
<style>
body {{ font: 17px/1.9 Georgia, serif; max-width: 46em; margin: 3em auto; padding: 0 1em; }}
span {{ padding: .15em .1em; border-radius: .2em; }}
</style>
<h1>What each word adds</h1>
<p>Green words speak for the label, red ones against it: Shapley values of log(p / (1 − p)).
Point at a word to see its number.</p>
{body}
</html>
"""
