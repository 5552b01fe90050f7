"""`--mode=pairs`: of two texts, does a language model find the right one likelier?

Source of the question: Warstadt et al. 2020, "BLiMP: the benchmark of linguistic minimal pairs".
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.data import formats, records
from tasks.data.errors import DataError, UserError
from tasks.data.formats import Kind, TextFile
from tasks.framework.modes import needed_model
from tasks.framework.predicting import as_cell
from tasks.framework.task import Task
from tasks.framework.text_io import (
    PREDICT_BATCH,
    batched,
    check_output,
    with_progress,
    write_output,
)
from tasks.language.configuration import LanguageConfig, LanguageRun
from zoo.catalog import markdown
from zoo.predictions import ScoredTokens

# What columns and keys are called: two texts, the better first, or a beginning and two words.
_TEXTS = (("better", "worse"), ("sentence_good", "sentence_bad"))
_WORDS = ("prefix", "right", "wrong")
# What names a group, the first that is there.
_GROUPS = ("group", "UID", "phenomenon")
_NAMES = {
    *(name.lower() for names in (*_TEXTS, _WORDS, _GROUPS) for name in names),
    *("good", "bad", "sentence1", "sentence2"),
}
_OUTPUTS = {".tsv": "\t", ".csv": ",", ".jsonl": ""}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two texts, of which the first should be likelier.

    Attributes:
        better, worse: the texts.
        prefix: what both begin with, where only what follows is compared; else None.
        group: what the pair is an example of, "" for nothing.
    """

    better: str
    worse: str
    prefix: str | None = None
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Compared:
    """A pair, and log P of both, in nats: of the texts with their `<EOS>`; of a prefix and a word
    without, which differ in the word alone."""

    pair: Pair
    better: float
    worse: float

    @property
    def right(self) -> bool:
        """Whether the first is likelier; two that are equal are not."""
        return self.better > self.worse


def read_pairs(path: str) -> list[Pair]:
    """Reads pairs: a table with or without a line of column names, or JSON lines.

    Columns or keys: `better` and `worse`, or `sentence_good` and `sentence_bad`; or `prefix`,
    `right` and `wrong`. `group`, `UID` or `phenomenon` names a group. Without names, a line has two
    texts; two texts and a group; a beginning and two words; or these and a group. Of three cells,
    the last two are words where neither of them holds a blank in any line, and the first one does.

    How a file without names was read is said on standard error.

    Raises:
        DataError: the file cannot be read, or a line is malformed; the message names the line.
    """
    file = formats.read(path)
    known = [*_TEXTS, _WORDS]
    for names in known:
        wanted = {name: name for name in names}
        if formats.recognise(file) is Kind.JSON or records.has_columns(file, wanted):
            if not _has(file, names):
                continue
            rows = records.read_records(file, wanted) or []
            found = [_of_record(row, names) for row in rows]
            break
    else:
        if formats.recognise(file) is Kind.JSON:
            raise DataError(
                f"{file.place(file.first()[0])}: expected objects with "
                f"{', or with '.join(' and '.join(map(repr, names)) for names in known)}"
            )
        found = _without_names(file)
    if not found:
        raise DataError(f"{path}: expected one or more pairs, found none")
    return found


def _has(file: TextFile, names: Sequence[str]) -> bool:
    """Whether the first object of JSON lines has these keys; a table that was asked has them."""
    if formats.recognise(file) is not Kind.JSON:
        return True
    try:
        first = json.loads(file.first()[1])
    except ValueError:
        return True  # the reader of records says where it is
    return isinstance(first, dict) and first.keys() >= set(names)


def _of_record(row: records.Record, names: Sequence[str]) -> Pair:
    cells = [row.text(name) for name in names]
    group = next((str(row.fields[name]) for name in _GROUPS if row.fields.get(name)), "")
    return _pair(cells, group, row.place)


def _pair(cells: Sequence[str], group: str, place: str) -> Pair:
    *prefix, better, worse = cells
    if not (better.strip() and worse.strip()):
        raise DataError(f"{place}: expected two texts, found an empty one")
    if better.strip() == worse.strip():
        raise DataError(f"{place}: expected two texts that differ, found {better!r} twice")
    if not prefix:
        return Pair(better, worse, None, group)
    (beginning,) = prefix
    space = " " if beginning.strip() and not beginning[-1].isspace() else ""
    return Pair(f"{beginning}{space}{better}", f"{beginning}{space}{worse}", beginning, group)


def _without_names(file: TextFile) -> list[Pair]:
    """Lines of cells alone, between TABs; in a file that ends in .csv between commas."""
    if file.ending == ".csv":
        reader = csv.reader(file.lines, strict=True)
        try:
            rows = list(reader)
        except csv.Error as error:
            raise DataError(
                f"{file.place(reader.line_num)}: expected CSV, found: {error}"
            ) from None
    else:
        rows = [line.split("\t") for line in file.lines]
    cells = {number: row for number, row in enumerate(rows, start=1) if any(map(str.strip, row))}
    width = statistics.mode(len(row) for row in cells.values()) if cells else 2
    for number, row in cells.items():
        if len(row) not in (2, 3, 4) or len(row) != width:
            others = f", and {width} in most lines" if len(row) != width else ""
            raise DataError(
                f"{file.place(number)}: expected two texts with a TAB between, or these and "
                "a group; or a beginning, the right word, the wrong one, and maybe a group; as "
                f"many cells in each line. Found {len(row)}{others}"
            )
    first = next(iter(cells.values()), [])
    named = [cell.strip() for cell in first if cell.strip().lower() in _NAMES]
    if named:
        known = ", or ".join(" and ".join(map(repr, names)) for names in (*_TEXTS, _WORDS))
        raise DataError(
            f"{file.place(min(cells))}: expected columns {known}, and maybe "
            f"{' or '.join(map(repr, _GROUPS))}; found {first}"
        )
    words = all(not any(_has_blank(cell) for cell in row[1:3]) for row in cells.values())
    sentences = any(_has_blank(row[0]) or not row[0].strip() for row in cells.values())
    of_words = width == 4 or (width == 3 and words and sentences)
    texts = 3 if of_words else 2
    if cells:
        what = "a beginning, the right word, the wrong one" if of_words else "two texts"
        group = ", a group" if width > texts else ""
        print(f"{file.path}: no names of columns; read as {what}{group}.", file=sys.stderr)
    return [
        _pair(row[:texts], row[texts].strip() if len(row) > texts else "", file.place(number))
        for number, row in cells.items()
    ]


def _has_blank(cell: str) -> bool:
    return len(cell.split()) > 1


def compare(pairs: Iterable[Pair], predict: Any) -> Iterator[Compared]:
    """Pairs with log P of both of their texts.

    Args:
        pairs: to compare.
        predict: from texts to `ScoredTokens`.
    """
    for some in batched(pairs, PREDICT_BATCH // 2):
        texts = [text for pair in some for text in (pair.better, pair.worse)]
        scored = iter(predict(texts))
        for pair in some:
            yield Compared(pair, *(_log_probability(pair, next(scored)) for _ in range(2)))


def _log_probability(pair: Pair, text: ScoredTokens) -> float:
    """Of a text with its `<EOS>`; of a beginning and a word without, since it may go on."""
    if pair.prefix is None:
        return text.log_probability
    return sum(text.log_probabilities[:-1])


def table_of(found: Sequence[Compared]) -> str:
    """Shares by group, in the order in which groups come, and of all together, as Markdown."""
    groups = defaultdict(list)
    for one in found:
        groups[one.pair.group].append(one.right)
    named = [(name or "no group", rights) for name, rights in groups.items()] if any(groups) else []
    return markdown.table(
        ["group", "right", "pairs"],
        [
            [name, f"{np.mean(rights):.1%}", f"{len(rights):,}"]
            for name, rights in [*named, ("all", [one.right for one in found])]
        ],
    )


def _record(one: Compared) -> Mapping[str, Any]:
    return {
        "group": one.pair.group,
        "better": one.pair.better,
        "worse": one.pair.worse,
        "log_p_better": one.better,
        "log_p_worse": one.worse,
        "right": one.right,
    }


def _lines(found: Iterable[Compared], delimiter: str) -> Iterator[str]:
    """Rows of a table with the names of their columns, or objects of JSON."""
    for number, one in enumerate(found):
        row = _record(one)
        if not delimiter:
            yield json.dumps(row, ensure_ascii=False) + "\n"
            continue
        for cells in [row, row.values()] if number == 0 else [row.values()]:
            line = io.StringIO()
            csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(map(as_cell, cells))
            yield line.getvalue()


def pairs_mode(task: Task, config: LanguageConfig, run: LanguageRun) -> None:
    """Shows in how many pairs of --input_file a SavedModel finds the first text likelier."""
    del config
    if not run.input_file or run.text:
        raise UserError(
            "--mode=pairs needs --input_file, a file with two texts a line, and no --text. "
            f"Received: {'--text' if run.text else 'none'}"
        )
    ending = os.path.splitext(run.output_file or "terminal.tsv")[1].lower()
    if ending not in _OUTPUTS:
        raise UserError(
            f"--output_file: expected a name that ends in {' or '.join(_OUTPUTS)}. Received: "
            f"{run.output_file!r}"
        )
    check_output(run.output_file)
    pairs = read_pairs(run.input_file)
    model = needed_model(task, run)
    found = list(with_progress(compare(pairs, lambda texts: task.predict(model, texts))))
    print(table_of(found), end="")
    equal = sum(one.better == one.worse for one in found)
    if equal:
        print(
            f"\n{equal:,} of {len(found):,} pairs are equally likely and count as wrong: to this "
            "model their words are the same, <UNK>."
        )
    if run.output_file:
        write_output(run.output_file, _lines(found, _OUTPUTS[ending]))
