"""Measured results as rows and tables of Markdown."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from zoo.catalog import markdown, records
from zoo.catalog.results import RunResults, portable, without_folders

# Flags that came later, and what runs from before them did.
_ADDED = {
    "average": 0.0,
    "schedule": "inverse",
    "character_coverage": 1.0,
    "embeddings_vocabulary": 20_000,
    "vectors": "trained",
    "pretrain": False,
    "pretrain_epochs": 5,
    "adversarial": 0.0,
    "self_training": False,
    "teacher_epochs": 4,
}
_DIGITS = 5
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Row:
    """What the tables need of a training run.

    Attributes:
        task, score, config, counts, parameters: as in `RunResults`.
        command: without its seed and where its run was stored.
        wall_seconds: of reading, training and measuring.
        machine: processor and cores.
        validation, test: the score.
    """

    task: str
    score: str
    command: str
    config: dict[str, Any]
    counts: dict[str, dict[str, int]]
    parameters: int
    wall_seconds: float
    machine: str
    validation: float
    test: float | None = None

    @classmethod
    def of(cls, run: RunResults) -> Row:
        """What the tables need of a run's results.json."""
        return cls(
            task=run.task,
            score=run.score,
            command=portable(run.command),
            config=without_folders(run.config),
            counts=run.counts,
            parameters=run.parameters,
            wall_seconds=round(run.wall_seconds, 1),
            machine=run.hardware,
            validation=round(run.validation[run.score], _DIGITS),
            test=None if run.test is None else round(run.test[run.score], _DIGITS),
        )

    def recipe(self, *left_out: str) -> str:
        """What makes runs the same but for some flags."""
        return recipe(self.task, self.config, *left_out)


def rows(values: Iterable[Mapping[str, Any]], where: str) -> list[Row]:
    """The rows of a file, which holds what `as_dicts` gave.

    Raises:
        ValueError: a row lacks a key or has a wrong one; the message names the file and the key.
    """
    return [records.record(Row, value, where, f"[{i}].") for i, value in enumerate(values)]


def as_dicts(some: Iterable[Row]) -> list[dict[str, Any]]:
    """What a file holds of rows."""
    return [records.plain(row) for row in some]


def recipe(task: str, config: Mapping[str, Any], *left_out: str) -> str:
    """What two runs of a task have in common that differ in nothing but some flags.

    Records have the flags that there were: a flag that came later, and is None by default, is as
    if it were not there.

    Example:
        >>> recipe("ner", {"seed": 1, "units": 8}, "seed") == recipe("ner", {"units": 8}, "seed")
        True
        >>> recipe("ner", {"units": 8, "init_from": None}) == recipe("ner", {"units": 8})
        True
    """
    # Records of version 0.1 have the task among the flags.
    left_out = (*left_out, "task")
    said = {name: value for name, value in {**_ADDED, **config}.items() if value is not None}
    flags = {name: value for name, value in said.items() if name not in left_out}
    return json.dumps([task, flags], sort_keys=True)


def merged(runs: Iterable[T], more: Iterable[T], key: Callable[[T], str]) -> list[T]:
    """Runs with more of them; the same run measured again takes the place of the old one.

    Args:
        runs, more: of any kind.
        key: is the same for runs that are the same.
    """
    return list({key(run): run for run in (*runs, *more)}.values())


# --- Tables --------------------------------------------------------------------------------------


def tables(runs: Sequence[Row]) -> str:
    """For each task a table with a row for each recipe."""
    text = ""
    for task in dict.fromkeys(run.task for run in runs):
        recipes: dict[str, list[Row]] = {}
        for run in runs:
            if run.task == task:
                recipes.setdefault(run.recipe("seed"), []).append(run)
        first = next(run for run in runs if run.task == task)
        header = ["command", f"{first.score}: validation", "test"]
        header += ["seeds", "parameters", "wall time"]
        shown = [_shown(seeds) for seeds in recipes.values()]
        text += f"**{task}**\n\n{markdown.table(header, shown)}\n"
    machines = ", ".join(dict.fromkeys(run.machine for run in runs))
    return f"{text}Measured on {machines}. Wall time is that of reading, training and measuring.\n"


def _shown(runs: Sequence[Row]) -> list[str]:
    """The cells of runs that differ in their seed alone."""
    score = runs[0].score
    seconds = statistics.mean(run.wall_seconds for run in runs)
    command = min((run.command for run in runs), key=len)
    return [
        f"`{command}`",
        _mean([run.validation for run in runs], score),
        _mean([run.test for run in runs if run.test is not None], score),
        str(len(runs)),
        f"{runs[0].parameters:,}",
        f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min",
    ]


def _mean(values: Sequence[float], score: str) -> str:
    """Mean and standard deviation."""
    if not values:
        return "–"
    mean = statistics.mean(values)
    shown = f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"
    if score == "log_likelihood":
        shown += f" (perplexity {math.exp(-mean):.2f})"
    return shown


def speed_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """What `tasks.benchmark_models` measured."""
    header = ["models of", "trained a second", "of stock Keras layers", "times Keras"]
    header += ["SavedModel answers a second, in batches of 64", "of 256"]
    header += ["one text on one core"]
    cells = [
        [
            f"`{_asked(entry['command'])}`",
            *(f"{entry['trained_per_second'][name]:,.0f}" for name in ("ours", "keras")),
            f"{entry['times_keras']:.2f}",
            *(_count(entry["served_per_second"].get(size)) for size in ("64", "256")),
            f"{entry['one_text_ms']:.1f} ms" if "one_text_ms" in entry else "–",
        ]
        for entry in entries
    ]
    text = markdown.table(header, cells)
    for entry in entries:
        if "drawn_per_second" in entry:
            one, many = (f"{entry['drawn_per_second'][n]:,.0f}" for n in ("1", "64"))
            text += (
                f"\n`{_asked(entry['command'])}`: the softmax takes "
                f"{entry['softmax_share']:.0%} of a training step; the SavedModel draws {one} "
                f"tokens a second from one prompt, {many} from a batch of 64.\n"
            )
    return text


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _asked(command: str) -> str:
    """A command without the file that its figures went into."""
    return re.sub(r" --output(_file)?[= ]\S+\.json\b", "", command)


def cells_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """What `tasks.cells` measured: a row for each recipe and cell."""
    header = ["recipe", "cell", "units", "score", "validation", "test", "parameters", "training"]
    cells = []
    for entry in entries:
        for name, row in entry["cells"].items():
            seconds = statistics.mean(row["seconds"])
            cells.append(
                [
                    f"`{_asked(entry['command'])}`",
                    name,
                    str(row.get("units", entry["config"]["units"])),
                    entry["score"],
                    _mean(row["validation"], entry["score"]),
                    _mean(row["test"], entry["score"]),
                    f"{row['parameters']:,}",
                    f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min",
                    f"{row['one_text_ms']:.1f} ms",
                ]
            )
    return markdown.table([*header, "one text on one core"], cells)


def attention_table(found: Mapping[str, Any]) -> str:
    """BLEU of each network, by the clauses of a sentence."""
    lengths = [f"{clauses} ({words:.0f} words)" for clauses, words in found["words"].items()]
    header = ["BLEU, by clauses", *lengths, "training"]
    cells = [
        [name, *(f"{bleu:.1f}" for bleu in row), f"{found['training_seconds'][name]:.0f} s"]
        for name, row in found["bleu"].items()
    ]
    return markdown.table(header, cells) + (
        f"\n`{found['command']}`, {found['pairs']} new sentences each; training has up to three "
        "clauses.\n"
    )


def gradient_flow_table(found: Mapping[str, Any]) -> str:
    """How much of a gradient is left at some distances, of each cell, fresh and trained."""
    distances = found["distances"]
    shown = sorted({d for d in (1, 10, 100) if d in distances} | {distances[-1]})
    longest = found["trained_on"][-1]
    header = ["‖∂L<T>/∂a<t>‖, at a distance of", *(f"{d:,}, fresh" for d in shown)]
    header += [*(f"{d:,}, trained" for d in shown), f"(ŷ - y)² after {longest} steps"]
    cells = []
    for name in found["fresh"]:
        rows = [dict(zip(distances, found[s][name], strict=True)) for s in ("fresh", "trained")]
        error = found["errors"].get(name, {}).get(str(longest))
        left = [f"{row[d]:.1e}" for row in rows for d in shown]
        cells.append([name, *left, "" if error is None else f"{error:.5f}"])
    return markdown.table(header, cells) + (
        f"\n`{found['command']}`: each beside that at a distance of 0, of networks of "
        f"{found['units']} units, trained to say the first number of up to {longest}; means of "
        f"{len(found['seeds'])} seed(s). Who always says 0 has an error of 0.33333. `c` is the "
        "memory cell.\n"
    )


def exploding_table(found: Mapping[str, Any]) -> str:
    """Each run that `tasks.gradients` clipped or not, and what became of it."""
    header = ["network", "clipped to", "first loss", "last loss", "largest gradient norm"]
    header += ["steps that became NaN"]
    cells = []
    for run in found["runs"]:
        first, last = (
            "NaN" if loss is None else f"{loss:.3f}"
            for loss in (run["losses"][0], run["last_loss"])
        )
        largest = "NaN" if run["largest_norm"] is None else f"{run['largest_norm']:.2g}"
        gone = f"{run['nan_steps']} of {len(run['losses'])}"
        if run["first_nan"] is not None:
            gone += f", from step {run['first_nan']} on"
        clip = f"{run['clip_norm']:g}" if run["clip_norm"] else "–"
        cells.append([run["network"], clip, first, last, largest, gone])
    return markdown.table(header, cells) + (
        f"\n`{found['command']}`: the same seed with and without; the last loss is the mean of 50 "
        "steps, and 0.333 that of always saying 0.\n"
    )


def gate_units_table(found: Mapping[str, Any]) -> str:
    """The units that open at a word and stay shut until another, as `tasks.gates --find` found."""
    tells = any(unit["tells"] is not None for unit in found["units"])
    header = ["unit", "gate", "at the word", "highest in between", "score"]
    header += ["tells the number"] if tells else []
    cells = [
        [
            f"{unit['place']}, {unit['unit']}",
            "1 - gate_f" if unit["gate"] == "gate_f" else unit["gate"],
            *(f"{unit[name]:.2f}" for name in ("opened", "between", "score")),
            *([f"{unit['tells']:.0%}"] if tells else []),
        ]
        for unit in found["units"]
    ]
    said = f"`{found['command']}`: means" if "command" in found else "Means"
    return markdown.table(header, cells) + (
        f"\n{said} of {found['sentences']:,} sentence(s); a threshold on c tells the number.\n"
        if tells
        else f"\n{said} of {found['sentences']:,} text(s).\n"
    )


def gates_told_table(found: Mapping[str, Any]) -> str:
    """How well c<t> tells the number of the subject, by the words behind it."""
    places = found["told"]
    distances = [row["distance"] for row in next(iter(places.values()))]
    shown = [d for d in distances if d in (0, 1, 2, 4, 6, 8, 10, 12, 14, 16)]
    cells = []
    for place, rows in places.items():
        for title, key in (("all units", "probe"), ("the best unit", "unit")):
            cells.append([f"{place}, {title}", *(f"{rows[d][key]:.0%}" for d in shown)])
    first = next(iter(places.values()))
    cells.append(["chance", *(f"{first[d]['chance']:.0%}" for d in shown)])
    return markdown.table(["number told, words behind the subject", *map(str, shown)], cells) + (
        f"\n`{found['command']}`, on {first[0]['sentences']:,} to {first[-1]['sentences']:,} "
        "sentences that no probe was trained on.\n"
    )


def solved_up_to(found: Mapping[str, Any], task: str, cell: str) -> int | None:
    """The longest T at which two thirds of the seeds of a cell solve a task, or None."""
    solved = [
        row["length"]
        for row in found["summary"]
        if (row["task"], row["cell"], row["variant"]) == (task, cell, "")
        and 3 * row["solved"] >= 2 * row["seeds"]
    ]
    return max(solved, default=None)


_OUTCOMES = (
    "Seeds that solved it, and the median of their updates; where none did, the mean of their last "
    "errors, or shares of right answers."
)


def long_memory_table(found: Mapping[str, Any]) -> str:
    """Where each cell gives up, and what matters."""
    header = ["solved up to"]
    for name, task in found["tasks"].items():
        header.append(f"{name}, T = {', '.join(f'{n:,}' for n in task['lengths'])}")
    cells = [
        [
            found["cells"][cell],
            *(_number(solved_up_to(found, task, cell)) for task in found["tasks"]),
        ]
        for cell in _cells(found)
    ]
    least, most = (
        edge(n for task in found["tasks"].values() for n in task["parameters"].values())
        for edge in (min, max)
    )
    seeds = max(row["seeds"] for row in found["summary"])
    return markdown.table(header, cells) + (
        f"\n`{found['command']}`: the longest T that at least two thirds of {seeds} seed(s) solve; "
        f"–: none. Layers of {least:,} to {most:,} parameters, of one task as nearly the same as "
        f"whole units allow.\n{_what_matters(found)}"
    )


def long_memory_tables(found: Mapping[str, Any]) -> str:
    """All of it: what became of every task, length and cell."""
    text = f"{long_memory_table(found)}"
    for name, task in found["tasks"].items():
        guess, solved = (
            f"{value:.0%} right" if task["of_classes"] else f"(ŷ - y)² = {value:.3g}"
            for value in (task["guess"], task["solved"])
        )
        header = ["cell", "units", "parameters", *(f"T = {n:,}" for n in task["lengths"])]
        cells = [
            [
                found["cells"][cell],
                f"{task['units'][cell]}",
                f"{task['parameters'][cell]:,}",
                *(_outcome(found, name, length, cell) for length in task["lengths"]),
            ]
            for cell in _cells(found)
        ]
        text += f"\n**{name}**: {task['about']}. A guess: {guess}; solved: {solved}.\n\n"
        text += markdown.table(header, cells)
    seconds = sum(one["seconds"] for one in found["trainings"])
    return text + (
        f"\n{_OUTCOMES} {len(found['trainings'])} trainings, one a core, took "
        f"{seconds / 60:.0f} min together on {found['machine']['processor']}.\n"
    )


def _what_matters(found: Mapping[str, Any]) -> str:
    """A row for each change, beside what is not changed, where they are compared."""
    variants = list(dict.fromkeys(row["variant"] for row in found["summary"]))
    places = {name: task["compared_at"] for name, task in found["tasks"].items()}
    columns = [(task, n, cell) for task, n in places.items() if n for cell in _cells(found)]
    if len(variants) < 2 or not columns:
        return ""
    header = ["", *(f"{task}, T = {n:,}: {found['cells'][cell]}" for task, n, cell in columns)]
    cells = [
        [
            f"`{variant}`" if variant else "as it is",
            *(_outcome(found, *column, variant) or "the same" for column in columns),
        ]
        for variant in variants
    ]
    return f"\n{markdown.table(header, cells)}\n{_OUTCOMES}\n"


def _cells(found: Mapping[str, Any]) -> list[str]:
    return list(next(iter(found["tasks"].values()))["units"])


def _outcome(found: Mapping[str, Any], task: str, length: int, cell: str, variant: str = "") -> str:
    """`3 of 3, 1,600`, or `0 of 3, 0.153` or `12% right`; "" where nothing was trained."""
    wanted = (task, length, cell, variant)
    for row in found["summary"]:
        if (row["task"], row["length"], row["cell"], row["variant"]) == wanted:
            share = f"{row['solved']} of {row['seeds']}"
            if row["updates"] is not None:
                return f"{share}, {row['updates']:,.0f}"
            if row["score"] is None:
                return f"{share}, NaN"
            of_classes = found["tasks"][task]["of_classes"]
            return f"{share}, " + (f"{row['score']:.1%}" if of_classes else f"{row['score']:.3f}")
    return ""


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:,}"


def agreement_table(found: Mapping[str, Any]) -> str:
    """Right verbs of each network, by the attractors between subject and verb."""
    by_attractors = list(found["rows"][0]["shares"]["attractors"])
    header = ["right verbs past so many attractors", *by_attractors, "new nouns", "parameters"]
    cells = []
    for row in found["rows"]:
        groups, *_, new = row["shares"].values()
        means = [statistics.mean(groups[name]) for name in by_attractors]
        of_new = statistics.mean(share for seeds in new.values() for share in seeds)
        shown = [f"{mean:.0%}" for mean in (*means, of_new)]
        cells.append([row["network"], *shown, f"{row['parameters']:,}"])
    seeds = len(next(iter(groups.values())))
    return markdown.table(header, cells) + (
        f"\n`{found['command']}`: {found['cases']} sentences each that training does not have, "
        f"means of {seeds} seeds; new nouns: those that training shows only beside their verb, "
        f"past 0 to {by_attractors[-1]} attractors.\n"
    )
