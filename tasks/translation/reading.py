"""Reads texts with their translations: two parallel files, tables, TensorFlow Datasets, the
built-in sentences."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.data import builders, corpora, formats, records
from tasks.data.corpora import HELD_OUT, SPLITS
from tasks.data.errors import DataError
from tasks.translation import demo
from tasks.translation.demo import Pair

# In training, a side may have so many times the characters of the other, and a few more.
_RATIO, _FEW = 5, 20


def load_corpus(
    data: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    source: str | None = None,
    target: str | None = None,
    held_out_test: bool = False,
) -> dict[str, list[Pair]]:
    """Loads the splits of a parallel corpus, see `corpora.load`.

    Pairs that teach nothing, since a side is blank or much longer than the other, are left out of
    the training part, and what is left out is said. What is held out for validation are all pairs
    of some source texts: none of them is trained on with another translation.

    Args:
        held_out_test: whether a tenth of the source texts is held out for the test part as well,
            where there is none.
        source, target: the languages: endings of two parallel files, columns of a table, keys of
            JSON lines, or features of a builder.

    Raises:
        DataError: the corpus cannot be read, or holds no pairs.
    """
    held_out = held_out_test and "test" in splits and not (files or {}).get("test")
    wanted = list(splits)
    if held_out:
        wanted = [split for split in {**dict.fromkeys(splits), "train": None} if split != "test"]
    corpus = corpora.load(
        data,
        files,
        wanted,
        seed,
        optional,
        demo=demo.corpus,
        read_file=functools.partial(read_pairs, source=source, target=target),
        read_builder=functools.partial(_builder_readers, source=source, target=target),
        hold_out=hold_out_sources,
    )
    if held_out:
        # Another seed than that of the validation part, which was drawn of the same pairs.
        corpus["train"], corpus["test"] = hold_out_sources(data, corpus["train"], seed + 1)
        corpus = {split: corpus[split] for split in splits}
    if "train" in corpus:
        corpus["train"] = _that_teach(data, corpus["train"])
    return corpus


def read_pairs(path: str, source: str | None = None, target: str | None = None) -> list[Pair]:
    """The pairs of two parallel files, of a table or of JSON lines.

    Args:
        path: of a table; or what two files are called before the name of their language:
            `train` for `train.de` and `train.en`, which may end in `.gz`.
        source, target: the languages, or the names of the columns; of a table without a line of
            names, their numbers from 0.

    Raises:
        DataError: it cannot be read, or the two files have different numbers of lines.
    """
    if not (source and target) or source == target:
        raise DataError(
            f"{path}: expected two languages, such as --source=de --target=en, found "
            f"--source={source or ''} --target={target or ''}"
        )
    both = [_file_of(path, language) for language in (source, target)]
    if all(both):
        pairs = _parallel(*(formats.read(one) for one in both if one))
    elif os.path.isfile(path):
        pairs = _of_table(formats.read(path), source, target)
    else:
        raise DataError(
            f"{path}: expected a table, or two files {path}.{source} and {path}.{target} (.gz), "
            f"found {next(filter(None, both), 'none of them')}"
        )
    if not pairs:
        raise DataError(f"{path}: expected texts with their translations, found none")
    return pairs


def hold_out_sources(data: str, pairs: list[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs without a tenth of the source texts, and all pairs of that tenth."""
    sources = sorted({pair.source for pair in pairs})
    if len(sources) < 2:
        raise DataError(f"{data}: expected a validation split, or two source texts or more")
    count = max(1, round(HELD_OUT * len(sources)))
    chosen = set(random.Random(seed).sample(sources, count))
    return (
        [pair for pair in pairs if pair.source not in chosen],
        [pair for pair in pairs if pair.source in chosen],
    )


def _that_teach(data: str, pairs: list[Pair]) -> list[Pair]:
    full = [pair for pair in pairs if pair.source.strip() and pair.target.strip()]
    kept = [pair for pair in full if _are_alike(*map(len, pair))]
    for count, why in (
        (len(pairs) - len(full), "of which a side is blank"),
        (len(full) - len(kept), f"of which a side has {_RATIO} times the characters of the other"),
    ):
        if count:
            print(f"train: left out {count:,} of {len(pairs):,} pairs, {why}", flush=True)
    if not kept:
        raise DataError(f"{data}: expected pairs to train on, found none whose sides are alike")
    return kept


def _are_alike(one: int, other: int) -> bool:
    return max(one, other) <= _RATIO * min(one, other) + _FEW


def _file_of(path: str, language: str) -> str | None:
    return next(
        (one for end in ("", ".gz") if os.path.isfile(one := f"{path}.{language}{end}")), None
    )


def _parallel(source: formats.TextFile, target: formats.TextFile) -> list[Pair]:
    counts = len(source.lines), len(target.lines)
    if counts[0] != counts[1]:
        raise DataError(
            f"{source.path}: expected as many lines as in {target.path}, found {counts[0]:,} and "
            f"{counts[1]:,}"
        )
    sides = [[line.strip() for line in file.lines] for file in (source, target)]
    return list(map(Pair, *sides))


def _of_table(file: formats.TextFile, source: str, target: str) -> list[Pair]:
    if source.isdecimal() and target.isdecimal():
        return list(_by_number(file, int(source), int(target)))
    rows = records.read_records(file, {"source": source, "target": target})
    if rows is None:
        raise DataError(
            f"{file.path}: expected a table or JSON lines with {source!r} and {target!r}; columns "
            "without names have numbers, --source=0 --target=1"
        )
    return [Pair(row.text(source).strip(), row.text(target).strip()) for row in rows]


def _by_number(file: formats.TextFile, source: int, target: int) -> Iterator[Pair]:
    for number, line in enumerate(file.lines, start=1):
        cells = line.split("\t")
        if line.strip() and len(cells) <= max(source, target):
            raise DataError(
                f"{file.place(number)}: expected {max(source, target) + 1} columns or more with "
                f"TABs between them, found {len(cells)}"
            )
        if line.strip():
            yield Pair(cells[source].strip(), cells[target].strip())


def _builder_readers(
    name: str, source: str | None = None, target: str | None = None
) -> dict[str, Callable[[], list[Pair]]]:
    builder = builders.builder(name)
    for language in (source, target):
        if language is None or language not in builder.info.features:
            raise DataError(
                f"tfds:{name}: expected --source and --target to be two of "
                f"{', '.join(builder.info.features)}, found {source} and {target}"
            )
    builders.prepare(builder, name)

    def read(split: str) -> list[Pair]:
        return [Pair(*row) for row in builders.rows_of(builder, split, [str(source), str(target)])]

    return {
        builders.split_name(split): functools.partial(read, split) for split in builder.info.splits
    }
