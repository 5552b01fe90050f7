r"""Measured results as tables: collects what training runs wrote, and shows it in the README.

    python -m tasks.results runs/*/results.json
    python -m tasks.results                                # only writes the tables anew

Runs that differ in their seed alone are one row: mean and standard deviation.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Iterable

from absl import app

from zoo import files
from zoo.catalog import cards, markdown

# What collects the runs, what `tasks.benchmark_models` wrote, and the file with the tables.
COLLECTION, MODELS, README = "docs/results.json", "docs/benchmark_models.json", "README.md"
# What `tasks.lm --mode=agreement` wrote.
AGREEMENT = "docs/agreement.json"

# Flags that came later, and what runs from before them did.
_ADDED = {"average": 0.0, "schedule": "inverse"}


def collected(result: dict) -> dict:
    """What the tables need of a run's results.json."""
    score = result["score"]
    return {
        "task": result["task"],
        "score": score,
        "command": cards.portable(result["command"]),
        "config": cards.without_folders(result["config"]),
        "counts": result["counts"],
        "parameters": result["parameters"],
        "wall_seconds": round(result["wall_seconds"], 1),
        "machine": f"{result['machine']['processor']}, {result['machine']['cores']} cores",
        **{
            split: round(result[split][score], 5)
            for split in ("validation", "test")
            if split in result
        },
    }


def merged(runs: list[dict], more: Iterable[dict]) -> list[dict]:
    """Runs with more of them; the same run measured again takes the place of the old one."""
    by_run = {_key(run): run for run in (*runs, *more)}
    return list(by_run.values())


def _key(run: dict, *left_out: str) -> tuple:
    config = _ADDED | run["config"]
    config = {name: value for name, value in config.items() if name not in left_out}
    return run["task"], json.dumps(config, sort_keys=True)


def tables(runs: list[dict]) -> str:
    """For each task a table with a row for each recipe."""
    text = ""
    for task in dict.fromkeys(run["task"] for run in runs):
        recipes: dict[tuple, list[dict]] = {}
        for run in runs:
            if run["task"] == task:
                recipes.setdefault(_key(run, "seed"), []).append(run)
        first = next(run for run in runs if run["task"] == task)
        header = ["command", f"{first['score']}: validation", "test"]
        header += ["seeds", "parameters", "wall time"]
        rows = [_row(recipe) for recipe in recipes.values()]
        text += f"**{task}**\n\n{markdown.table(header, rows)}\n"
    machines = ", ".join(dict.fromkeys(run["machine"] for run in runs))
    return f"{text}Measured on {machines}. Wall time is that of everything, from data to export.\n"


def speed_table(entries: list[dict]) -> str:
    """What `tasks.benchmark_models` measured."""
    header = ["models of", "trained a second", "of stock Keras layers", "times Keras"]
    header += ["SavedModel answers a second, in batches of 64", "of 256"]
    header += ["one text on one core"]
    rows = [
        [
            f"`{entry['command'].split('--output')[0].strip()}`",
            *(f"{entry['trained_per_second'][name]:,.0f}" for name in ("ours", "keras")),
            f"{entry['times_keras']:.2f}",
            *(_count(entry["served_per_second"].get(size)) for size in ("64", "256")),
            f"{entry['one_text_ms']:.1f} ms" if "one_text_ms" in entry else "–",
        ]
        for entry in entries
    ]
    text = markdown.table(header, rows)
    for entry in entries:
        if "drawn_per_second" in entry:
            one, many = (f"{entry['drawn_per_second'][n]:,.0f}" for n in ("1", "64"))
            text += (
                f"\n`{entry['command'].split('--output')[0].strip()}`: the softmax takes "
                f"{entry['softmax_share']:.0%} of a training step; the SavedModel draws {one} "
                f"tokens a second from one prompt, {many} from a batch of 64.\n"
            )
    return text


def agreement_table(found: dict) -> str:
    """Right verbs of each cell, by the words between subject and verb."""
    distances = list(next(iter(found["shares"].values())))
    header = ["right verbs, at a distance of", *distances, "training"]
    rows = [
        [cell, *(f"{row[d]:.0%}" for d in distances), f"{found['training_seconds'][cell]:.0f} s"]
        for cell, row in found["shares"].items()
    ]
    return markdown.table(header, rows) + f"\n`{found['command']}`, {found['cases']} cases each.\n"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _row(runs: list[dict]) -> list[str]:
    def scores(split: str) -> str:
        values = [run[split] for run in runs if split in run]
        if not values:
            return "–"
        mean = statistics.mean(values)
        shown = f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"
        if runs[0]["score"] == "log_likelihood":
            shown += f" (perplexity {math.exp(-mean):.2f})"
        return shown

    seconds = statistics.mean(run["wall_seconds"] for run in runs)
    time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    command = min((run["command"] for run in runs), key=len)
    return [
        f"`{command}`",
        scores("validation"),
        scores("test"),
        str(len(runs)),
        f"{runs[0]['parameters']:,}",
        time,
    ]


def main(argv: list[str]) -> None:
    runs, more = _read(COLLECTION), []
    for path in argv[1:]:
        try:
            with open(path, encoding="utf-8") as file:
                more.append(collected(json.load(file)))
        except (OSError, ValueError, KeyError) as error:
            print(f"results: expected a results.json of a training run: {path}: {error!r}")
            sys.exit(1)
    runs = merged(runs, more)
    if more:
        files.write_json(COLLECTION, runs)
    markdown.replace_in_file(README, "results", tables(runs))
    markdown.replace_in_file(README, "models", speed_table(_read(MODELS)))
    markdown.replace_in_file(README, "agreement", agreement_table(_read(AGREEMENT)))


def _read(path: str) -> list[dict]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    app.run(main)
