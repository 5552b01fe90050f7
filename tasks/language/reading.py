"""Reads texts for language models: plain files, TensorFlow Datasets, the built-in sentences."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from tasks.data import builders, corpora
from tasks.data.corpora import HELD_OUT, SPLITS
from tasks.data.errors import DataError
from tasks.data.unlabelled import read_text_file
from tasks.language import demo


def load_corpus(
    data: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    running: bool = False,
    text_column: str | None = None,
) -> dict[str, list[str]]:
    """Loads the splits of a corpus of texts, see `corpora.load`.

    Args:
        running: whether a file is one running text, or a text a line. Of a running text without a
            validation file, the last tenth is held out for it.
        text_column: what the text of a table, of JSON lines or of a builder is called; by default
            `text`, and of a builder the likeliest feature.

    Raises:
        DataError: the corpus cannot be read, or holds no text.
    """
    return corpora.load(
        data,
        files,
        splits,
        seed,
        optional,
        demo=demo.corpus,
        read_file=lambda path: read_text_file(path, running, text_column or "text"),
        read_builder=functools.partial(_builder_readers, text_column=text_column),
        hold_out=_hold_out_end if running else corpora.hold_out_examples,
    )


def _hold_out_end(data: str, texts: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Running text without its last tenth, and that; of several texts, some whole ones."""
    if len(texts) > 1:
        return corpora.hold_out_examples(data, texts, seed)
    (whole,) = texts
    at = round(len(whole) * (1 - HELD_OUT))
    at = whole.rfind("\n", 0, at) + 1 or at
    if not (whole[:at].strip() and whole[at:].strip()):
        raise DataError(f"{data}: expected more text, to hold out a tenth of it")
    return [whole[:at]], [whole[at:]]


def _builder_readers(name: str, text_column: str | None = None) -> dict[str, Callable]:
    builder = builders.builder(name)
    feature = builders.text_feature(name, builder.info.features, text_column)
    builders.prepare(builder, name)

    def read(split: str) -> list[str]:
        return [one for (one,) in builders.rows_of(builder, split, [feature])]

    return {
        builders.split_name(split): functools.partial(read, split) for split in builder.info.splits
    }
