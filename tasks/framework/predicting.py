"""`--mode=predict`: texts in, predictions out, with all that came with the texts."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tasks.data.errors import UserError
from tasks.data.inputs import Input
from tasks.framework.configuration import RunConfig, TaskConfig
from tasks.framework.task import Task
from tasks.framework.text_io import check_output, inputs_of, with_progress, write_output
from zoo.records import renamed

# From inputs and their predictions to the pieces of a file.
Writer = Callable[[Iterable[tuple[Input, Any]]], Iterator[str]]


def predict(task: Task, config: TaskConfig, run: RunConfig, load: Callable[[], Any]) -> None:
    """Shows what a model says of texts in the terminal, or writes it into a file.

    A file of predictions has what the input has: the columns of a table, the keys of JSON lines,
    the lines of a file in columns. What is predicted comes behind; a name that the input has
    already is prefixed with `predicted_`.

    Args:
        task: of the model.
        config: says which columns are read.
        run: what is read, and what is written.
        load: loads the model, once all else is found to be in order.
    """
    ending = check_ending(task, run.output_file)
    check_output(run.output_file)
    inputs = inputs_of(run, functools.partial(task.read_inputs, config=config))
    model, task = load(), task.asked(run)
    pairs = (
        (given, task.as_asked(prediction, run))
        for batch in inputs.batches
        for given, prediction in zip(batch, task.predict_inputs(model, batch), strict=True)
    )
    if run.output_file is None:
        for _, prediction in pairs:
            print(task.show(prediction, os.isatty(1)), flush=True)
    else:
        write = writer(task, ending, inputs.names)
        write_output(run.output_file, write(with_progress(pairs)))


def check_ending(task: Task, path: str | None) -> str:
    """The ending of --output_file, which says its format; "" for the terminal.

    Raises:
        UserError: there is no such format.
    """
    if path is None:
        return ""
    ending = os.path.splitext(path)[1].lower()
    known = [*_WRITERS, *task.formats]
    if ending not in known:
        raise UserError(
            f"--output_file: expected a name that ends in {' or '.join(known)}. Received: {path!r}"
        )
    return ending


def writer(task: Task, ending: str, names: Sequence[str]) -> Writer:
    """What writes predictions in a format.

    Args:
        task: whose predictions.
        ending: of the file.
        names: of the columns of the inputs.
    """
    if ending in task.formats:
        write = task.formats[ending]
        return lambda pairs: (write(given, prediction) for given, prediction in pairs)
    return functools.partial(_WRITERS[ending], task, names)


def json_lines(
    task: Task, names: Sequence[str], pairs: Iterable[tuple[Input, Any]]
) -> Iterator[str]:
    """An object a line."""
    for given, prediction in pairs:
        text = {"text": given.text} if _is_bare(given) else {}
        predicted = {**text, **task.record(prediction)}
        row = {**given.fields, **given.by_token}
        row |= {renamed(name, names): value for name, value in predicted.items()}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def table(
    task: Task, names: Sequence[str], pairs: Iterable[tuple[Input, Any]], delimiter: str
) -> Iterator[str]:
    """A line of column names, then a row for each text, or each token: then `row` counts texts."""
    by_token = task.columns[0] == "row"
    texts: list[str] = []
    for number, (given, prediction) in enumerate(pairs, start=1):
        if number == 1:
            texts = ["text"] if _is_bare(given) and not by_token else []
            header = [renamed(name, names) for name in (*texts, *task.columns)]
            yield _line([*names, *header], delimiter)
        for index, row in enumerate(task.rows(prediction)):
            kept = {**given.fields, **{name: v[index] for name, v in given.by_token.items()}}
            before = [given.text] if texts else [number] if by_token else []
            cells = [kept.get(name, "") for name in names]
            yield _line([*cells, *before, *row], delimiter)


def _is_bare(given: Input) -> bool:
    """Whether a text is not among the columns of its input."""
    return given.text_field is None and given.tokens is None


def _line(cells: Sequence[Any], delimiter: str) -> str:
    """A row of a table; a cell with a line end, a quote or the delimiter is in quotes."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow(map(as_cell, cells))
    return line.getvalue().removesuffix("\r\n") + "\n"


def as_cell(value: Any) -> str:
    """A value in a table: nothing for null, and JSON for what is neither text nor number."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.8g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_WRITERS: dict[str, Callable[..., Iterator[str]]] = {
    ".jsonl": json_lines,
    ".csv": functools.partial(table, delimiter=","),
    ".tsv": functools.partial(table, delimiter="\t"),
}
