"""Reads texts with their translations: two parallel files, tables, TensorFlow Datasets, the
built-in sentences."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.data import builders, corpora, formats, records
from tasks.data.corpora import HELD_OUT, SPLITS
from tasks.data.errors import DataError
from tasks.data.inputs import Input, read_inputs
from tasks.translation import demo
from tasks.translation.demo import Pair

# In training, a side may have so many times the characters of the other, and a few more.
_RATIO, _FEW = 5, 20
# The test part that is held out has one of so many source texts.
_TEST_ONE_OF = 10


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
    the training part, and what is left out is said. What is held out for validation, drawn by
    `seed`, are all pairs of some source texts: none of them is trained on with another translation.

    Args:
        held_out_test: whether a tenth of the source texts is held out for the test part as well,
            where there is none. Which ones follows from the texts alone: they are the same
            whatever the seed, and where other pairs are added.
        source, target: the languages: endings of two parallel files, columns of a table, keys of
            JSON lines, or features of a builder.

    Raises:
        DataError: the corpus cannot be read, or holds no pairs.
    """
    return corpora.load(
        data,
        files,
        splits,
        seed,
        optional,
        demo=demo.corpus,
        read_file=functools.partial(read_pairs, source=source, target=target),
        read_builder=functools.partial(_builder_readers, source=source, target=target),
        hold_out=hold_out_sources,
        prepare=functools.partial(_that_teach, data),
        hold_out_test=functools.partial(_hold_out_test, data) if held_out_test else None,
    )


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
    elif (stem := _without_language(path, source, target)) is not None:
        raise DataError(
            f"{path}: expected what both files are called before the name of their language, "
            f"{stem}, found one of the two"
        )
    elif os.path.isfile(path):
        pairs = _of_table(formats.read(path), source, target)
    else:
        raise DataError(
            f"{path}: expected a table, or two files {path}.{source} and {path}.{target} (.gz), "
            f"found {next(filter(None, both), 'none of them')}"
        )
    if not pairs:
        raise DataError(f"{path}: expected texts with their translations, found none")
    return list(map(_in_one_line, pairs))


def read_sources(path: str, source: str | None = None) -> list[Input]:
    """What a file or folder holds to translate: of a table or of JSON lines the column of the
    language, or by its number if columns have no names; else as `tasks.data.inputs` reads it.

    Raises:
        DataError: it cannot be read.
    """
    if source is None or not os.path.isfile(path):
        return read_inputs(path)
    file = formats.read(path)
    _, first = file.first()
    if source.isdecimal() and "\t" in first and not records.has_columns(file, {"source": "text"}):
        return [Input(text) for (text,) in _numbered(file, int(source))]
    named = records.has_columns(file, {"source": source}) or _has_key(first, source)
    return read_inputs(path, source if named else None)


def _has_key(line: str, name: str) -> bool:
    """Whether a line is an object of JSON with a key of this name."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and name in found


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


def _hold_out_test(data: str, pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """The pairs without those of about a tenth of the source texts, and these."""

    def is_held_out(pair: Pair) -> bool:
        return int(hashlib.sha256(pair.source.encode()).hexdigest(), 16) % _TEST_ONE_OF == 0

    parts = [[pair for pair in pairs if is_held_out(pair) is out] for out in (False, True)]
    if not all(parts):
        raise DataError(
            f"{data}: expected source texts enough to hold out one of {_TEST_ONE_OF} for the test "
            f"part, found {len(pairs):,} pairs"
        )
    return parts[0], parts[1]


def _that_teach(data: str, pairs: list[Pair]) -> list[Pair]:
    full = [pair for pair in pairs if pair.source.strip() and pair.target.strip()]
    kept = [pair for pair in full if _are_alike(*map(len, pair))]
    for count, why in (
        (len(pairs) - len(full), "of which a side is blank"),
        (
            len(full) - len(kept),
            f"of which a side has {_RATIO} times the characters of the other and {_FEW} more",
        ),
    ):
        if count:
            print(f"train: left out {count:,} of {len(pairs):,} pairs, {why}", flush=True)
    if not kept:
        raise DataError(f"{data}: expected pairs to train on, found none but those left out")
    return kept


def _are_alike(one: int, other: int) -> bool:
    return max(one, other) <= _RATIO * min(one, other) + _FEW


def _file_of(path: str, language: str) -> str | None:
    return next(
        (one for end in ("", ".gz") if os.path.isfile(one := f"{path}.{language}{end}")), None
    )


def _without_language(path: str, source: str, target: str) -> str | None:
    """What two files are called, where a path is that of one of them."""
    stem, ending = os.path.splitext(path.removesuffix(".gz"))
    if ending.removeprefix(".") in (source, target) and os.path.isfile(path):
        return stem
    return None


def _in_one_line(pair: Pair) -> Pair:
    """To a model of words, the end of a line would be the end of the text."""
    return Pair(*(" ".join(side.split()) for side in pair))


def _parallel(source: formats.TextFile, target: formats.TextFile) -> list[Pair]:
    counts = len(source.lines), len(target.lines)
    if counts[0] != counts[1]:
        raise DataError(
            f"{source.path}: expected as many lines as in {target.path}, found {counts[0]:,} and "
            f"{counts[1]:,}"
        )
    return list(map(Pair, source.lines, target.lines))


def _of_table(file: formats.TextFile, source: str, target: str) -> list[Pair]:
    if source.isdecimal() and target.isdecimal():
        return [Pair(*cells) for cells in _numbered(file, int(source), int(target))]
    rows = records.read_records(file, {"source": source, "target": target})
    if rows is None:
        raise DataError(
            f"{file.path}: expected a table or JSON lines with {source!r} and {target!r}; columns "
            "without names have numbers, --source=0 --target=1"
        )
    return [Pair(row.text(source), row.text(target)) for row in rows]


def _numbered(file: formats.TextFile, *numbers: int) -> Iterator[list[str]]:
    """Of each line that is not blank, the columns of these numbers."""
    for number, line in enumerate(file.lines, start=1):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) <= max(numbers):
            raise DataError(
                f"{file.place(number)}: expected {max(numbers) + 1} columns or more with TABs "
                f"between them, found {len(cells)}"
            )
        yield [cells[n] for n in numbers]


def _builder_readers(
    name: str, source: str | None = None, target: str | None = None
) -> dict[str, Callable[[], list[Pair]]]:
    builder = builders.builder(name)
    texts = builders.text_features(builder.info.features)
    if source not in texts or target not in texts or source == target:
        raise DataError(
            f"tfds:{name}: expected --source and --target to be two of {', '.join(texts)}, found "
            f"{source} and {target}"
        )
    builders.prepare(builder, name)

    def read(split: str) -> list[Pair]:
        rows = builders.rows_of(builder, split, [str(source), str(target)])
        return [_in_one_line(Pair(*row)) for row in rows]

    return {
        builders.split_name(split): functools.partial(read, split) for split in builder.info.splits
    }
