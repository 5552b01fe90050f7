"""The page "Training on several machines": what all-reduce moves, and how many workers it feeds.

On paper: of what every entry's results.json says, and the speed of a network. Nothing is sent.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.framework.cluster import SENT_DENSE
from zoo.catalog import markdown
from zoo.saving.versions import versions

PAGE = "distribution.md"
# Bytes of a float32 and of the number of a row, and bytes a second of 10 Gbit/s.
_FLOAT, _ROW_NUMBER, _NETWORK = 4, 8, 10e9 / 8

_HEAD = """# Training on several machines, on paper

With `--distribute=multi_worker` each step ends with one all-reduce of the gradients. In a ring of N
workers, each of them sends (and receives)

    2 (N - 1) / N · dense  +  (N - 1) / N · rows

bytes a step: the gradients of all weights but large embeddings, as they are; and of embeddings with
more than {bound:,} rows only the rows that the batch has looked up, gathered from all workers, at
most one for each token (and each word of a sampled softmax). `--batch_size` counts the rows of all
workers together, so that the arithmetic of a step is divided by N. Then all-reduce takes a third of
the time where it takes half as long as the arithmetic:

    (N - 1) / N · (2 dense + rows) / network  =  step / N / 2
    N  =  1 + step · network / 2 / (2 dense + rows)

The step is that of one worker of two cores, seconds of an epoch by its batches, as the model was
trained; the network 10 Gbit/s without latency. With faster workers N falls in proportion, with a
larger batch it rises. "Sent dense" is what it would be, were the gradients of embeddings tables of
all rows. From every entry's `results.json`, by `python -m tasks.results`.

"""


@dataclasses.dataclass(frozen=True)
class Traffic:
    """What a step of training sends.

    Attributes:
        weights: numbers of all weights.
        table: numbers of the embedding that is sent row by row; 0 where none is.
        rows: rows of it in a batch, at most.
        width: numbers of a row.
        seconds: of a step on one worker.

    Example:
        >>> small = Traffic(weights=1000, table=0, rows=0, width=0, seconds=1e-3)
        >>> small.bytes(sparse=True), round(small.workers(sparse=True))
        (8000.0, 79)
    """

    weights: int
    table: int
    rows: int
    width: int
    seconds: float

    def bytes(self, sparse: bool) -> float:
        """Bytes that each of many workers sends in a step."""
        if not sparse:
            return 2.0 * _FLOAT * self.weights
        row = self.width * _FLOAT + _ROW_NUMBER
        return 2.0 * _FLOAT * (self.weights - self.table) + self.rows * row

    def workers(self, sparse: bool) -> float:
        """With how many of them all-reduce takes a third of the time."""
        return 1 + self.seconds * _NETWORK / 2 / self.bytes(sparse)


def traffic(results: Mapping[str, Any], vocabulary_size: int) -> Traffic:
    """What a step of a run sends.

    Args:
        results: of a training run, see `zoo.catalog.results`.
        vocabulary_size: rows of the embedding.
    """
    # Of a model on vectors of others, the flags do not say how wide they are.
    config, counts = results["config"] | results.get("model", {}), results["counts"]["train"]
    if "unlabelled" in results["counts"]:  # learned from too
        counts = {name: n + results["counts"]["unlabelled"][name] for name, n in counts.items()}
    examples, *more = counts.values()
    # A piece of music has its notes in its frames.
    tokens = counts.get("frames") or counts.get("tokens") or sum(more)
    batch_size = config["batch_size"]
    if config.get("running"):
        per_batch = batch_size * config["window"]
        steps = tokens / per_batch
    else:
        per_batch = round(tokens / examples * batch_size)
        steps = examples / batch_size
    # The table of scores of a tied softmax has a gradient in all rows, but for a sampled one.
    sampled = config.get("sampled_softmax", 0)
    sparse = vocabulary_size > SENT_DENSE and (sampled or not config.get("tied"))
    return Traffic(
        weights=results["parameters"],
        table=vocabulary_size * config["embedding_dim"] if sparse else 0,
        rows=min(vocabulary_size, per_batch + sampled) if sparse else 0,
        width=config["embedding_dim"] if sparse else 0,
        seconds=statistics.median(row["seconds"] for row in results["epochs"]) / steps,
    )


def page(models: Path) -> str:
    """The page, of all entries that were trained, as Markdown.

    Args:
        models: folder of the entries' SavedModels.
    """
    header = ["model", "weights", "step, ms", "sent dense, MB", "sent, MB"]
    header += ["workers, sent dense", "workers"]
    rows = []
    for path in sorted(models.glob("*/results.json")):
        results = json.loads(path.read_text("utf-8"))
        one = traffic(results, _vocabulary_size(path.parent))
        rows.append(
            [
                path.parent.name,
                f"{one.weights:,}",
                f"{one.seconds * 1e3:.0f}",
                *(f"{one.bytes(sparse) / 1e6:.2f}" for sparse in (False, True)),
                *(f"{one.workers(sparse):.1f}" for sparse in (False, True)),
            ]
        )
    return _HEAD.format(bound=SENT_DENSE) + markdown.table(header, rows)


def _vocabulary_size(folder: Path) -> int:
    """Padding and the words of the vocabulary beside a SavedModel."""
    newest = str(max(versions(folder), default=0))
    path = folder / newest / "assets" / "vocabulary.txt"
    return 1 + len(path.read_bytes().splitlines()) if path.exists() else 0
