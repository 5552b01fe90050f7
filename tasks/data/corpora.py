"""What readers of all tasks share: splits, files, TensorFlow Datasets, errors."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tasks.framework.errors import DataError

FILE_FLAGS = {"train": "train_file", "validation": "valid_file", "test": "test_file"}
SPLITS = tuple(FILE_FLAGS)
HELD_OUT = 0.1

# Not str.split and str.strip: a no-break space or a line separator may well be a token.
BLANKS = " \t\r\f\v"


def hold_out_examples(data: str, examples: list, seed: int) -> tuple[list, list]:
    """The examples without a tenth of them, and that tenth, both in the order of the corpus."""
    if len(examples) < 2:
        raise DataError(
            f"{data}: expected a validation split, or two or more training examples to hold "
            f"some out, found {len(examples)}"
        )
    count = max(1, round(HELD_OUT * len(examples)))
    chosen = set(random.Random(seed).sample(range(len(examples)), count))
    return (
        [example for index, example in enumerate(examples) if index not in chosen],
        [example for index, example in enumerate(examples) if index in chosen],
    )


def load(
    data: str,
    files: Mapping[str, str | None] | None,
    splits: Sequence[str],
    seed: int,
    optional: Sequence[str] = (),
    *,
    demo: Callable[[], Mapping[str, list]],
    read_file: Callable[[str], list],
    read_builder: Callable[[str], Mapping[str, Callable[[], list]]],
    hold_out: Callable[[str, list, int], tuple[list, list]] = hold_out_examples,
) -> dict[str, list]:
    """Loads the splits of a corpus.

    Where a corpus has no validation split, a tenth of its training examples, drawn by `seed`, is
    held out for it: "train" is then the rest.

    Args:
        data: `"demo"`; `"tfds:NAME"`, a TensorFlow Datasets builder; or `"files"`.
        files: for `"files"`, the path of each split, or None.
        splits: the splits wanted, of train, validation, test.
        seed: of what is held out.
        optional: splits that are left out where the corpus has none.
        demo: gives the built-in corpus.
        read_file: reads the examples of a file.
        read_builder: from the name of a builder to what reads each of its splits.
        hold_out: from `data`, training examples and seed to what is left, and what is held out.

    Raises:
        DataError: `data` is unknown, a split cannot be had, or its data cannot be read.
    """
    for split in splits:
        if split not in SPLITS:
            raise ValueError(f"splits: expected {', '.join(SPLITS)}. Received: {split!r}")
    readers: Mapping[str, Callable[[], list]]
    if data == "demo":
        corpus = demo()
        return {split: corpus[split] for split in splits}
    if data == "files":
        readers = {
            split: functools.partial(read_file, path)
            for split, path in (files or {}).items()
            if path
        }
    elif data.startswith("tfds:"):
        readers = read_builder(data.removeprefix("tfds:"))
    else:
        raise DataError(
            f"data: expected demo, files or tfds:NAME (such as tfds:wikiann/en), found {data!r}"
        )

    splits = [split for split in splits if split in readers or split not in optional]
    without = "validation" not in readers
    needed = {"train" if without and split == "validation" else split for split in splits}
    for split in sorted(needed - readers.keys()):
        found = ", ".join(readers) or "none"
        if data == "files":
            raise DataError(
                f"files: expected a file for the split {split!r} (--{FILE_FLAGS[split]}), "
                f"found {found}"
            )
        raise DataError(f"{data}: expected a split {split!r}, found {found}")
    corpus = {split: readers[split]() for split in needed}
    if without and "train" in corpus:
        corpus["train"], corpus["validation"] = hold_out(data, corpus["train"], seed)
    return {split: corpus[split] for split in splits}


def lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Number and text of each line; a line of nothing but blanks comes as the empty string."""
    try:
        # Split at line feeds alone: a token may hold what Unicode also counts as a line break.
        raw_lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found: {error.strerror}") from None
    for number, raw_line in enumerate(raw_lines, start=1):
        try:
            line = raw_line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = raw_line[error.start]
            raise DataError(f"{path}:{number}: expected UTF-8, found byte 0x{byte:02x}") from None
        line = line.removesuffix("\r")
        yield number, line if line.strip(BLANKS) else ""
