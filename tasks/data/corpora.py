"""What readers of all tasks share: splits, files, TensorFlow Datasets, errors."""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tasks.data.errors import DataError

FILE_FLAGS = {"train": "train_file", "validation": "valid_file", "test": "test_file"}
SPLITS = tuple(FILE_FLAGS)
HELD_OUT = 0.1


def hold_out_examples(
    data: str,
    examples: list,
    seed: int,
    names_of: Callable[[Any], Iterable[str]] = lambda example: (),
) -> tuple[list, list]:
    """The examples without a tenth of them, and that tenth, both in the order of the corpus.

    What is drawn stays where it alone has a label or a tag: others are drawn in its place, as far
    as there are any.

    Args:
        data: for messages.
        examples: two or more.
        seed: of what is drawn.
        names_of: the label of an example, or its tags.

    Raises:
        DataError: nothing can be held out.
    """
    count = max(1, round(HELD_OUT * len(examples)))
    draw = random.Random(seed)
    drawn = draw.sample(range(len(examples)), count) if len(examples) > 1 else []
    others = sorted({*range(len(examples))}.difference(drawn))
    draw.shuffle(others)
    left = Counter(name for example in examples for name in {*names_of(example)})
    chosen: set[int] = set()
    for index in [*drawn, *others]:
        names = {*names_of(examples[index])}
        if len(chosen) < min(count, len(examples) - 1) and all(left[name] > 1 for name in names):
            chosen.add(index)
            left.subtract(names)
    if not chosen:
        raise DataError(
            f"{data}: expected a validation split, or training examples of which some can be held "
            f"out while the others have all labels, found {len(examples)}"
        )
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
    hold_out: Callable[[str, list, int], tuple[list, list]] | None = None,
    names_of: Callable[[Any], Iterable[str]] = lambda example: (),
    prepare: Callable[[list], list] = list,
    hold_out_test: Callable[[list], tuple[list, list]] | None = None,
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
        hold_out: from `data`, training examples and seed to what is left, and what is held out; by
            default `hold_out_examples`.
        names_of: the label of an example, or its tags: training keeps one example of each.
        prepare: what is made of the training examples before any are held out.
        hold_out_test: where a corpus has no test split, from training examples to what is left,
            and what is held out for it.

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

    drawn = {"validation", *(["test"] if hold_out_test else [])} - readers.keys()
    splits = [s for s in splits if s in readers or s not in optional or s in drawn]
    needed = {"train" if split in drawn else split for split in splits}
    for split in sorted(needed - readers.keys()):
        found = ", ".join(readers) or "none"
        if data == "files":
            raise DataError(
                f"files: expected a file for the split {split!r} (--{FILE_FLAGS[split]}), "
                f"found {found}"
            )
        raise DataError(f"{data}: expected a split {split!r}, found {found}")
    corpus = {split: readers[split]() for split in needed}
    if "train" in corpus:
        corpus["train"] = prepare(corpus["train"])
    if hold_out_test and "test" in drawn and "train" in corpus:
        corpus["train"], corpus["test"] = hold_out_test(corpus["train"])
    if "validation" in drawn and "train" in corpus:
        hold_out = hold_out or functools.partial(hold_out_examples, names_of=names_of)
        corpus["train"], corpus["validation"] = hold_out(data, corpus["train"], seed)
    return {split: corpus[split] for split in splits}
