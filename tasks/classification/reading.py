"""Reads labelled texts: CSV, TSV, JSON lines, folders, TensorFlow Datasets, the built-in corpus."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.classification import demo
from tasks.data import builders, corpora, folders, formats, records
from tasks.data.corpora import SPLITS
from tasks.data.errors import DataError
from tasks.data.names import check_name, label_of

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

UNLABELLED = -1


class Example(NamedTuple):
    """A text and its label."""

    text: str
    label: str


def load_corpus(
    data: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    text_column: str | None = None,
    label_column: str | None = None,
) -> dict[str, list[Example]]:
    """Loads the splits of a corpus of labelled texts, see `corpora.load`.

    Args:
        text_column, label_column: what the columns of a file, the keys of JSON lines or the
            features of a builder are called; by default `text` and `label`, and of a builder its
            text and its class label.

    Raises:
        DataError: the corpus cannot be read; the message says where and what was expected.
    """
    columns = (text_column, label_column)
    return corpora.load(
        data,
        files,
        splits,
        seed,
        optional,
        demo=lambda: {
            split: [Example(*pair) for pair in reviews] for split, reviews in demo.corpus().items()
        },
        read_file=lambda path: read_labelled_file(
            path, text_column or "text", label_column or "label"
        ),
        read_builder=lambda name: _builder_readers(name, *columns),
        names_of=lambda example: (example.label,),
    )


def read_labelled_file(
    path: str | os.PathLike, text_column: str = "text", label_column: str = "label"
) -> list[Example]:
    """Reads a table (`.csv`, `.tsv`) with a line of column names, JSON lines (`.jsonl`), or a
    folder that holds a folder of text files for each label.

    A label is a text or a number, see `label_of`.

    Raises:
        DataError: the file cannot be read, is of another kind, lacks a column or a cell, has a
            label that is no single line, or holds no example; the message names the line.
    """
    if os.path.isdir(path):
        examples = list(_read_folder(Path(path)))
    else:
        file = formats.read(path)
        wanted = {"text_column": text_column, "label_column": label_column}
        rows = records.read_records(file, wanted)
        if rows is None:
            raise DataError(
                f"{path}: expected a .csv, .tsv or .jsonl file, or a folder with a folder for each "
                f"label, found {formats.recognise(file).value}"
            )
        examples = [
            Example(row.text(text_column), label_of(row.fields[label_column], row.place))
            for row in rows
        ]
    if not examples:
        raise DataError(f"{path}: expected one or more texts with a label, found none")
    return examples


def _read_folder(path: Path) -> Iterator[Example]:
    for folder in folders.entries(path):
        if not folder.is_dir():
            continue
        label = label_of(folder.name, str(folder))
        texts = list(folders.read_texts(folder))
        if not texts:
            raise DataError(f"{folder}: expected one or more text files, found none")
        for _, text in texts:
            yield Example(text, label)


# --- TensorFlow Datasets


def unlabelled_texts(
    data: str, text_column: str | None = None, label_column: str | None = None
) -> list[str]:
    """Texts without a label, of a builder's splits but those that models are measured with; other
    corpora have none.

    Args:
        data, text_column, label_column: as `load_corpus` takes them.
    """
    if not data.startswith("tfds:"):
        return []
    builder, wanted = _prepared(data.removeprefix("tfds:"), text_column, label_column)
    splits = [split for split in builder.info.splits if not builders.is_measured_with(split)]
    return [
        text
        for split in splits
        for text, number in builders.rows_of(builder, split, wanted)
        if number == UNLABELLED
    ]


def _builder_readers(
    name: str, text_column: str | None, label_column: str | None
) -> dict[str, Callable[[], list[Example]]]:
    builder, wanted = _prepared(name, text_column, label_column)
    label = wanted[1]
    labels = builder.info.features[label].names
    names = [check_name(one, f"tfds:{name}, feature {label}") for one in labels]

    def read(split: str) -> list[Example]:
        return [
            Example(one, names[number])
            for one, number in builders.rows_of(builder, split, wanted)
            if number != UNLABELLED
        ]

    # A benchmark may keep the labels of its test split to itself.
    return {
        builders.split_name(split): functools.partial(read, split)
        for split in builder.info.splits
        if next(builders.rows_of(builder, f"{split}[:1]", [label]))[0] != UNLABELLED
    }


def _prepared(
    name: str, text_column: str | None, label_column: str | None
) -> tuple[tfds.core.DatasetBuilder, list[str]]:
    """A builder whose data are there, and which of its features are the text and the label."""
    import tensorflow_datasets as tfds

    builder = builders.builder(name)
    features = builder.info.features
    text = builders.text_feature(name, features, text_column)
    classes = [key for key in features if isinstance(features[key], tfds.features.ClassLabel)]
    label = label_column or next((key for key in ("label", *classes) if key in classes), None)
    if label is None or label not in classes:
        raise DataError(
            f"tfds:{name}: expected a class label{f' {label!r}' if label else ''}, "
            f"found {', '.join(features)}"
        )
    builders.prepare(builder, name)
    return builder, [text, label]
