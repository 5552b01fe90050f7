"""Reads labelled texts: CSV, TSV, JSON lines, folders, TensorFlow Datasets, the built-in corpus."""

from __future__ import annotations

import csv
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.classification import demo
from tasks.data import builders, corpora
from tasks.data.corpora import SPLITS
from tasks.framework.errors import DataError

UNLABELLED = -1


class Example(NamedTuple):
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
    )


def read_labelled_file(
    path: str | os.PathLike, text_column: str = "text", label_column: str = "label"
) -> list[Example]:
    """Reads `.csv`, `.tsv` (with a line of column names), `.jsonl`, or a folder that holds a
    folder of text files for each label.

    Raises:
        DataError: the file cannot be read, is of another kind, lacks a column or a cell, or holds
            no example.
    """
    path = Path(path)
    found: Iterator[Example]
    ending = path.suffix.lower()
    if path.is_dir():
        found = _read_folder(path)
    elif ending in (".csv", ".tsv"):
        dialect: dict[str, Any] = {}
        if ending == ".tsv":
            dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        found = _read_table(path, text_column, label_column, dialect)
    elif ending in (".jsonl", ".json", ".ndjson"):
        found = _read_json_lines(path, text_column, label_column)
    else:
        raise DataError(f"{path}: expected a .csv, .tsv or .jsonl file, or a folder for each label")
    examples = list(found)
    if not examples:
        raise DataError(f"{path}: expected one or more texts with a label, found none")
    return examples


def _read_folder(path: Path) -> Iterator[Example]:
    for folder in sorted(child for child in path.iterdir() if child.is_dir()):
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                text = "\n".join(line for _, line in corpora.lines(file))
                yield Example(text.rstrip("\n"), folder.name)


def _read_table(path: Path, text_column: str, label_column: str, dialect: dict) -> Iterator:
    # By a generator of our own, which reports what is no UTF-8; quoted cells may hold line ends.
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader((line + "\n" for _, line in corpora.lines(path)), **dialect)
    header: list[str] = []
    try:
        for row in rows:
            if not row or row == [""]:
                continue
            if not header:
                header = [name.strip() for name in row]
                for column in (text_column, label_column):
                    if column not in header:
                        raise DataError(
                            f"{path}: expected a column {column!r}, found {', '.join(header)}; "
                            "--text_column and --label_column say which to read"
                        )
                text, label = header.index(text_column), header.index(label_column)
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path}:{rows.line_num}: expected {len(header)} columns, found {len(row)}"
                )
            yield _example(row[text], row[label], f"{path}:{rows.line_num}")
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: expected a table, found: {error}") from None


def _read_json_lines(path: Path, text_column: str, label_column: str) -> Iterator[Example]:
    for number, line in corpora.lines(path):
        if not line:
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{place}: expected an object of JSON, found: {error}") from None
        if not isinstance(row, dict) or not {text_column, label_column} <= row.keys():
            found = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise DataError(
                f"{place}: expected an object with {text_column!r} and {label_column!r}, "
                f"found {found}"
            )
        yield _example(row[text_column], row[label_column], place)


def _example(text: object, label: object, place: str) -> Example:
    label = "" if label is None else str(label).strip()
    if not isinstance(text, str) or not label:
        raise DataError(
            f"{place}: expected a text and a label, found text {str(text)[:40]!r} and "
            f"label {label!r}"
        )
    return Example(text, label)


# --- TensorFlow Datasets


def unlabelled_texts(data: str, text_column: str | None = None) -> list[str]:
    """Texts without a label, of the splits that a builder has beside train, validation and test."""
    if not data.startswith("tfds:"):
        return []
    name = data.removeprefix("tfds:")
    builder = builders.builder(name)
    feature = builders.text_feature(name, builder.info.features, text_column)
    builders.prepare(builder, name)
    return [
        text
        for split in builder.info.splits
        if builders.split_name(split) not in SPLITS
        for (text,) in builders.rows_of(builder, split, [feature])
    ]


def _builder_readers(
    name: str, text_column: str | None, label_column: str | None
) -> dict[str, Callable[[], list[Example]]]:
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
    names = features[label].names

    def read(split: str) -> list[Example]:
        return [
            Example(one, names[number])
            for one, number in builders.rows_of(builder, split, [text, label])
            if number != UNLABELLED
        ]

    # A benchmark may keep the labels of its test split to itself.
    return {
        builders.split_name(split): functools.partial(read, split)
        for split in builder.info.splits
        if next(builders.rows_of(builder, f"{split}[:1]", [label]))[0] != UNLABELLED
    }
