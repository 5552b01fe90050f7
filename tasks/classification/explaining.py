"""What each word adds to the answer of a classifier."""

from __future__ import annotations

import dataclasses
import functools
import html
import math
import os
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tasks.classification.configuration import ClassificationConfig, ClassificationRun
from tasks.data.errors import UserError
from tasks.framework.modes import needed_model
from tasks.framework.task import Task
from tasks.framework.text_io import batched, check_output, inputs_of, write_output
from zoo import text
from zoo.catalog.loading import Model
from zoo.catalog.results import RESULTS, EntryResults

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What each word adds to log(p / (1 - p)) of a label.

    Attributes:
        label: whose probability it is.
        probability: of the label, for the whole text.
        words: (word, contribution) pairs, in the text's order.
        error: standard error of the contributions, the largest of all words.
    """

    label: str
    probability: float
    words: list[tuple[str, float]]
    error: float


def contributions(
    score: Callable[[Sequence[str]], np.ndarray],
    words: Sequence[str],
    permutations: int,
    seed: int = 0,
    seconds: float = math.inf,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values of words: what each adds to scores, on average over the orders of adding.

    A word is added to the words that came before it in a random order, and all stand in the text's
    own order; what a score rises by is the word's. In each order the rises sum to the difference
    of the whole text's score and the empty one's, and so do the means exactly.

    Source: Shapley 1953; Štrumbelj and Kononenko 2010, who sample the orders.

    Args:
        score: from texts to `[texts, scores]`.
        words: of the text.
        permutations: how many orders; every second one is the one before reversed, which halves
            the variance of values that depend on what came before.
        seed: of the orders.
        seconds: after which no further order is begun, but for the second.
        progress: called with the number of orders done.

    Returns:
        Values `[words, scores]`, and the standard error of each.
    """
    random = np.random.default_rng(seed)
    count, start = len(words), time.perf_counter()
    found: list[np.ndarray] = []
    order = np.arange(count)
    for number in range(permutations):
        if number >= 2 and time.perf_counter() - start > seconds:
            break
        order = order[::-1] if number % 2 else random.permutation(count)
        kept = np.zeros([count + 1, count], bool)
        for row, word in enumerate(order, start=1):
            kept[row] = kept[row - 1]
            kept[row, word] = True
        texts = [" ".join(w for w, k in zip(words, row, strict=True) if k) for row in kept]
        scores = np.concatenate([score(part) for part in batched(texts, _BATCH)])
        rises = np.zeros([count, scores.shape[1]])
        rises[order] = np.diff(scores, axis=0)
        found.append(rises)
        progress(number + 1)
    # An order and its reverse belong together: they are drawn once.
    pairs = [np.mean(found[i : i + 2], axis=0) for i in range(0, len(found), 2)]
    spread = np.std(pairs, axis=0, ddof=1) if len(pairs) > 1 else np.full(pairs[0].shape, np.nan)
    return np.mean(found, axis=0), spread / math.sqrt(len(pairs))


def explain_mode(task: Task, config: ClassificationConfig, run: ClassificationRun) -> None:
    """`--mode=explain`: colours the words of texts in the terminal, and in an HTML file."""
    path = run.output_file
    if path and os.path.splitext(path)[1].lower() not in (".html", ".htm"):
        raise UserError(
            "--output_file: expected a name that ends in .html or .htm, which --mode=explain "
            f"writes. Received: {path!r}"
        )
    check_output(path)
    pages = []
    inputs = inputs_of(run, functools.partial(task.read_inputs, config=config))
    model = needed_model(task, run)
    labels = model.labels()
    if run.explain_class not in ("predicted", "all", *labels):
        raise UserError(
            f"--explain_class: expected predicted, all, or one of {labels}. Received: "
            f"{run.explain_class!r}"
        )
    for given in inputs.each:
        explanations = explain(task, model, given.text, run, config.training.seed)
        for explanation in explanations:
            print(as_line(explanation, os.isatty(1)), flush=True)
        pages += [*map(as_html, explanations), "<hr>"]
    if path:
        write_output(path, [_PAGE.format(body="\n".join(pages))])


def explain(
    task: Task, model: Model, one: str, run: ClassificationRun, seed: int = 0
) -> list[Explanation]:
    """What each word that the model reads of a text adds to its answer.

    Args:
        task, model: what answers.
        one: the text.
        run: which classes are explained, in how many orders and how long.
        seed: of the orders.

    Returns:
        One for each class that is asked for; the likeliest first.
    """
    (answer,) = task.predict(model, [one])
    names = list(answer.probabilities)

    def score(texts: Sequence[str]) -> np.ndarray:
        rows = [list(each.probabilities.values()) for each in task.predict(model, texts)]
        p = np.clip(np.array(rows, np.float64), 1e-7, 1 - 1e-7)
        return np.log(p / (1 - p))

    def progress(done: int) -> None:
        if os.isatty(2):
            print(f"order {done} of {run.permutations}", end="\r", file=sys.stderr, flush=True)

    words = words_read(model, one)
    values, errors = contributions(
        score, words, run.permutations, seed, run.explain_seconds, progress
    )
    if os.isatty(2):
        print(end="\033[K", file=sys.stderr, flush=True)
    wanted = sorted(names, key=lambda name: -answer.probabilities[name])
    if run.explain_class != "all":
        wanted = [answer.label if run.explain_class == "predicted" else run.explain_class]
    found = []
    for name in wanted:
        k = names.index(name)
        pairs = list(zip(words, values[:, k].tolist(), strict=True))
        error = float(np.max(errors[:, k], initial=0))
        found.append(Explanation(name, answer.probabilities[name], pairs, error))
    return found


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
    """Blue words speak for the label and orange ones against it; without colour, by numbers."""
    head = f"{one.label} {one.probability:.1%}"
    if not colour:
        words = " ".join(f"{word}({value:+.2f})" for word, value in one.words)
        return f"{head}  {words}  {_stated(one)}"
    shades = " ".join(
        f"\033[48;2;{';'.join(_shade(value, one))}m\033[97m{word}\033[0m"
        for word, value in one.words
    )
    return f"\033[1m{head}\033[0m  {shades}  \033[2m{_stated(one)}\033[0m"


def as_html(one: Explanation) -> str:
    """A paragraph in which each word is as blue or orange as it speaks for or against the label."""
    words = " ".join(
        f'<span title="{value:+.3f}" style="background: rgb({" ".join(map(str, _hue(value)))} / '
        f'{_depth(value, one):.2f})">{html.escape(word)}</span>'
        for word, value in one.words
    )
    head = f"<b>{html.escape(one.label)}</b> {one.probability:.1%}"
    return f"<p>{head} <small>{_stated(one)}</small><br>{words}</p>"


def _stated(one: Explanation) -> str:
    """How exact the numbers are."""
    return "" if math.isnan(one.error) else f"(± {one.error:.2f})"


def _depth(value: float, one: Explanation) -> float:
    """How strong a colour is, from 0 to 1."""
    return abs(value) / (max((abs(v) for _, v in one.words), default=0) or 1)


def _hue(value: float) -> tuple[int, int, int]:
    """Blue for and orange against: told apart without telling red from green."""
    return (0, 114, 178) if value > 0 else (213, 94, 0)


def _shade(value: float, one: Explanation) -> list[str]:
    return [str(round(part * _depth(value, one))) for part in _hue(value)]


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>What each word adds</title>
<style>
body {{ font: 17px/1.9 Georgia, serif; max-width: 46em; margin: 3em auto; padding: 0 1em; }}
span {{ padding: .15em .1em; border-radius: .2em; }}
hr {{ border: 0; border-top: 1px solid #ccc; }}
</style>
<h1>What each word adds</h1>
<p>Blue words speak for the label, orange ones against it: Shapley values of log(p / (1 − p)).
Point at a word to see its number; ± is the largest standard error.</p>
{body}
</html>
"""
