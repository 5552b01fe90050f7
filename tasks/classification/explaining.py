"""What each word adds to the answer of a classifier."""

from __future__ import annotations

import dataclasses
import html
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tasks.classification.configuration import ClassificationConfig, ClassificationRun
from tasks.framework.errors import UserError
from tasks.framework.modes import needed_model
from tasks.framework.task import Task, load_model
from tasks.framework.text_io import batched, check_output, open_texts, write_output
from zoo import text
from zoo.catalog.loading import Model
from zoo.catalog.results import RESULTS, EntryResults

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The label of a text, its probability, and (word, contribution) pairs: what each word adds to
    log(p / (1 - p)) of that label."""

    label: str
    probability: float
    words: list[tuple[str, float]]


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
        scores = np.concatenate([score(part) for part in batched(texts, _BATCH)])
        values[order] += np.diff(scores)
    return values / permutations


def explain_mode(task: Task, config: ClassificationConfig, run: ClassificationRun) -> None:
    """`--mode=explain`: colours the words of texts in the terminal, and in an HTML file."""
    path = run.output_file
    if path and not path.endswith((".html", ".htm")):
        raise UserError(f"--output_file: --mode=explain writes .html. Received: {path!r}")
    check_output(path)
    pages = []
    with open_texts(run) as batches:
        model = load_model(task, needed_model(run))
        for one in (one for batch in batches for one in batch):
            explanation = explain(task, model, one, run.permutations, config.training.seed)
            print(as_line(explanation, os.isatty(1)), flush=True)
            pages.append(as_html(explanation))
    if path:
        write_output(path, [_PAGE.format(body="\n".join(pages))])


def explain(task: Task, model: Model, one: str, permutations: int, seed: int = 0) -> Explanation:
    """What each word that the model reads of a text adds to its answer."""
    (answer,) = task.predict(model, [one])

    def score(texts: Sequence[str]) -> np.ndarray:
        answers = task.predict(model, texts)
        p = np.array([one.probabilities[answer.label] for one in answers], np.float64)
        p = np.clip(p, 1e-7, 1 - 1e-7)
        return np.log(p / (1 - p))

    words = words_read(model, one)
    values = contributions(score, words, permutations, seed)
    pairs = list(zip(words, values.tolist(), strict=True))
    return Explanation(answer.label, answer.probability, pairs)


def words_read(model: Model, one: str) -> list[str]:
    """The words of a text that a classifier reads: of a long text it reads a part.

    SavedModels say so themselves since version 0.2; of older ones, the results beside them do.
    """
    given = tf.constant([one])
    if hasattr(model.saved, "words"):
        words = model.saved.words(given)[0]
    else:
        tokens = text.tokenize(text.without_markup(given))
        path = model.folder.parent / RESULTS
        if path.exists():
            recipe = EntryResults.read(path).config
            tokens = text.cut(tokens, recipe["max_length"], recipe["keep"])
        words = tokens[0]
    return [word.decode("utf-8", "replace") for word in words.numpy()]


def as_line(one: Explanation, colour: bool) -> str:
    """Green words speak for the label and red ones against it; without colour, by numbers."""
    label, probability, pairs = one.label, one.probability, one.words
    if not colour:
        numbered = " ".join(f"{word}({value:+.2f})" for word, value in pairs)
        return f"{label} {probability:.1%}  {numbered}"
    peak = max((abs(value) for _, value in pairs), default=1) or 1
    words = []
    for word, value in pairs:
        depth = round(200 * abs(value) / peak)
        red, green = (0, depth) if value > 0 else (depth, 0)
        words.append(f"\033[48;2;{red};{green};0m\033[97m{word}\033[0m")
    return f"\033[1m{label} {probability:.1%}\033[0m  {' '.join(words)}"


def as_html(one: Explanation) -> str:
    """A paragraph in which each word is as green or red as it speaks for or against the label."""
    label, probability, pairs = one.label, one.probability, one.words
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
