"""What is shown of the models in a folder: their cards and a table.

An entry's card, README.md in its folder, and the table in the project's README follow from its
results and from what its entry says. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.catalog import markdown
from zoo.catalog.entries import ENTRIES, is_demo
from zoo.catalog.results import RESULTS, EntryResults, RunResults, Sample, Speed, read_entry
from zoo.configuration import MODELS, EncoderDecoderConfig
from zoo.notes import named
from zoo.saving import versions

CARD = "README.md"
# Beside the card, where its entry says how it is drawn.
PICTURE = "roll.png"
_UNITS = {
    "log_likelihood": "log-likelihood of a token, nats",
    "frame_log_likelihood": "log-likelihood of a frame, nats",
    "bleu": "BLEU",
    "bleu_all_references": "BLEU, of each source once, all its translations as references",
    "chrf": "chrF",
    "exact": "share equal to the reference",
}
_SPLITS = ("validation", "test")
# What a metric's figures were computed by, by the end of the name that says it.
_SIGNATURE = "_signature"


def described(folder: str | os.PathLike | None = None) -> dict[str, EntryResults]:
    """By name, the results of the models in a folder that are entries, where they can be read.

    Args:
        folder: by default that of the zoo's own models.
    """
    folder = Path(versions.home() if folder is None else folder)
    found = {}
    for name in _with_results(folder):
        with contextlib.suppress(OSError):
            found[name] = read_entry(name, folder)
    return found


def _with_results(folder: Path) -> list[str]:
    names = versions.list_models(folder)
    return [name for name in names if name in ENTRIES and (folder / name / RESULTS).exists()]


# --- Cards ---------------------------------------------------------------------------------------


def write_card(name: str, results: EntryResults, folder: str | os.PathLike) -> None:
    """Writes the card of an entry, README.md in its folder."""
    files.write_text(Path(folder) / name / CARD, card(name, results))


def write_results(name: str, results: EntryResults, folder: str | os.PathLike) -> None:
    """Writes an entry's results.json and the card that follows from it."""
    results.write(Path(folder) / name / RESULTS)
    write_card(name, results, folder)


def card(name: str, results: EntryResults) -> str:
    """The Markdown card of an entry."""
    entry = ENTRIES[name]
    facts = [
        ["task", f"`tasks.{results.task}`"],
        ["data", f"{entry.data}; {_counted(results.counts)}"],
        ["licence of the data", entry.licence],
        ["architecture", architecture(results)],
        ["parameters", f"{results.parameters:,}"],
        ["on disk", f"{results.megabytes:.1f} MB{_stored(results)}"],
        ["recipe", f"`{results.command}`"],
        ["seed", str(results.config["seed"])],
        ["wall time", f"{results.wall_seconds / 60:.1f} min, of reading, training and measuring"],
        ["hardware", results.hardware],
        ["software", results.software],
    ]
    text = f"# {name}\n\n<!-- Generated from results.json by `python -m zoo cards`. -->\n\n"
    text += f"{entry.purpose}\n\nNot for: {entry.not_for}\n\n"
    text += markdown.table(["", ""], facts)
    text += "\n## Quality\n\n" + _quality(results)
    if results.speed:
        text += "\n## Speed\n\n" + _speed(results.speed)
    text += "\n## Use\n\n" + _use(name, results)
    if entry.picture:
        asked = shlex.join(["python", "-m", f"tasks.{entry.task}", *entry.picture])
        text += f"\n## A piece\n\n![Piano roll]({PICTURE})\n\n`{asked} --model={name}`\n"
    text += "\n## Samples\n\n" + "".join(map(_shown, results.samples))
    return text


def architecture(results: RunResults) -> str:
    """The recurrent part of a model, in a few words."""
    made_of = MODELS[results.task].from_dict(results.config | results.model)
    if made_of.cell == "none":
        return "no recurrence"
    direction = "bidirectional " if made_of.bidirectional else ""
    words = f"{direction}{made_of.cell}, {made_of.depth} × {made_of.units} units"
    if isinstance(made_of, EncoderDecoderConfig):
        attention = "no" if made_of.attention == "none" else made_of.attention
        words += f"; decoder of as many, {attention} attention"
    return words


def _counted(counts: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(
        f"{split}: " + ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in each.items())
        for split, each in counts.items()
    )


def _stored(results: RunResults) -> str:
    if results.stored is None:
        return ""
    score, stored = results.score, results.stored
    before, after = results.validation[score], stored["validation"][score]
    return (
        f"; weights are {stored['weights']} there and float32 when it runs: "
        f"validation {score} {_digits(score, after)}, with float32 on disk "
        f"{_digits(score, before)}"
    )


def _quality(results: EntryResults) -> str:
    splits = {"validation": results.validation}
    if results.test is not None:
        splits["test"] = results.test
    # A split may lack some: such as BLEU by several references where it has one for each.
    names = {
        name: None
        for metrics in splits.values()
        for name, value in metrics.items()
        if isinstance(value, float)
    }
    rows = [[_unit(name), *(_figure(one, name) for one in splits.values())] for name in names]
    for way, found in results.further.items():
        shown = "perplexity" if "perplexity" in found["validation"] else results.score
        cells = [_figure(found.get(split), shown) for split in splits]
        rows.append([f"{_unit(shown)} with {_settings(way, found)}", *cells])
    if results.baseline is not None:
        found = {"validation": results.baseline.validation, "test": results.baseline.test}
        cells = [_figure(found[split], results.score) for split in splits]
        what = _UNITS.get(results.score, results.score)
        rows.append([f"baseline, {what}: {results.baseline.what}", *cells])
    signatures = {
        _unit(name.removesuffix(_SIGNATURE)): value
        for name, value in results.validation.items()
        if name.endswith(_SIGNATURE)
    }
    said = "".join(f"\n{name}: sacrebleu, `{value}`\n" for name, value in signatures.items())
    return markdown.table(["", *splits], rows) + said


def _unit(name: str) -> str:
    return _UNITS.get(name, name.replace("_", " "))


def _settings(way: str, found: Mapping[str, Any]) -> str:
    """Another way to ask a model, with what is set for it."""
    said = [
        f"{name.replace('_', ' ')} {value:{',' if isinstance(value, int) else '.3g'}}"
        for name, value in found.items()
        if name not in _SPLITS
    ]
    return f"{way.replace('_', ' ')} ({', '.join(said)})"


def _figure(metrics: Mapping | None, score: str) -> str:
    return _digits(score, metrics[score]) if metrics and score in metrics else "–"


def _digits(name: str, value: float) -> str:
    return f"{value:.{2 if name.startswith(('bleu', 'chrf')) else 4}f}"


def _speed(speed: Mapping[str, Mapping[str, Speed]]) -> str:
    rows = [
        [cores, size, f"{one.median_ms:.2f}", f"{one.p99_ms:.2f}", f"{one.per_second:,.0f}"]
        for cores, sizes in speed.items()
        for size, one in sizes.items()
    ]
    header = ["cores", "texts in a request", "median, ms", "99th percentile, ms", "texts a second"]
    return markdown.table(header, rows) + "\n`serving_default` on the texts below, in turn.\n"


def _use(name: str, results: EntryResults) -> str:
    sample = ENTRIES[name].samples[0]
    row = ENTRIES[name].question(sample)
    asked = _asked(sample, row)
    # Of a signature with one input, a server takes it without its name.
    instance = next(iter(row.values())) if len(row) == 1 else row
    quoted = json.dumps({"instances": [instance]}, ensure_ascii=False).replace("'", "'\\''")
    started = "`docker compose up`"
    if is_demo(name):
        started = (
            f"`python -m zoo serve-config --models {name}`, then "
            "`docker compose -f serving/compose.yaml up`"
        )
    lines = [
        f"```python\nimport zoo\n\nmodel = zoo.load({name!r})\nanswer = {asked}\n```\n",
        f"With TensorFlow Serving ({started}), by REST and by gRPC:\n",
        f"```sh\ncurl -d '{quoted}' http://localhost:8501/v1/models/{name}:predict\n```\n",
        f"```python\nimport zoo\n\nmodel = zoo.connect('grpc://localhost:8500', {name!r})\n"
        f"answer = {asked}\n```\n",
    ]
    drawn = next((s.inputs for s in results.samples if s.signature == "generate"), None)
    if drawn is not None:
        lines.append(f"Text is drawn by\n\n```python\nmodel.ask('generate', {drawn})\n```\n")
    rows = [
        [f"`{signature}`", _named(specs.inputs), _named(specs.outputs)]
        for signature, specs in results.signatures.items()
    ]
    return "\n".join(lines) + "\n" + markdown.table(["signature", "takes", "gives"], rows)


def _asked(sample: str, row: Mapping[str, Any]) -> str:
    """What asks for a sample, in Python."""
    said = json.dumps(sample, ensure_ascii=False)
    if row.keys() == {"text"}:
        return f"model({said})"
    more = ", ".join(f"{name}={value}" for name, value in row.items() if name != "notes")
    return f"model.compose({said}, {more})"


def _named(specs: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {spec}" for name, spec in specs.items())


def _shown(sample: Sample) -> str:
    outputs = dict(sample.outputs)
    if "frames" in outputs:
        outputs["frames"] = [list(map(named, piece)) for piece in outputs["frames"]]
    shown = {"signature": sample.signature, **sample.inputs, "→": outputs}
    return f"```json\n{json.dumps(shown, ensure_ascii=False)}\n```\n"


# --- The table -----------------------------------------------------------------------------------


def table(folder: str | os.PathLike | None = None, links: bool = True) -> str:
    """A Markdown table of the models in a folder that have results, linked to their cards."""
    header = ["name", "data", "architecture", "parameters", "on disk", "quality", "baseline"]
    return markdown.table([*header, "one text, one core"], [*_rows(folder, links)])


def _rows(folder: str | os.PathLike | None, links: bool) -> Iterator[Sequence[str]]:
    for name, results in described(folder).items():
        split = "validation" if results.test is None else "test"
        baseline = None if results.baseline is None else getattr(results.baseline, split)
        speed = results.speed.get("1", {}).get("1")
        yield [
            f"[{name}](saved_models/{name}/{CARD})" if links else name,
            ENTRIES[name].data,
            architecture(results),
            f"{results.parameters:,}",
            f"{results.megabytes:.1f} MB",
            f"{split} {_scored(results.test or results.validation, results.score)}",
            "–" if baseline is None else _scored(baseline, results.score),
            "–" if speed is None else f"{speed.median_ms:.1f} ms",
        ]


def published_table(folder: str | os.PathLike | None = None) -> str:
    """A Markdown table of the models beside recurrent networks of others."""
    header = ["corpus", "split", "metric", "ours", "theirs", "of", "source"]
    rows = []
    for name, results in described(folder).items():
        for one in ENTRIES[name].anchors:
            metrics = results.validation if one.split == "validation" else results.test
            split = one.split if metrics else f"{one.split}; ours: validation"
            ours = (metrics or results.validation)[one.metric]
            rows.append(
                [
                    f"{ENTRIES[name].data.partition(' (')[0]} ({name})",
                    split,
                    one.metric,
                    _rounded(one.metric, ours),
                    _rounded(one.metric, one.value),
                    one.of,
                    one.source,
                ]
            )
    return markdown.table(header, rows)


def _scored(metrics: Mapping[str, float], score: str) -> str:
    shown = "perplexity" if "perplexity" in metrics else score
    return f"{'BLEU' if shown == 'bleu' else shown} {_rounded(shown, metrics[shown])}"


def _rounded(metric: str, value: float) -> str:
    return f"{value:.{ {'perplexity': 2, 'bleu': 1}.get(metric, 3) }f}"


def write_all(folder: str | os.PathLike | None = None) -> list[Path]:
    """Writes every card and, of the zoo's own models, the table in the project's README.

    Returns:
        The cards.

    Raises:
        ValueError: the folder is that of an installed package, or has no models with results.
        OSError: results cannot be read; the cards of all others are written, the table is not.
    """
    folder = Path(versions.home() if folder is None else folder)
    versions.check_writable(folder)
    names, found = _with_results(folder), described(folder)
    if not names:
        raise ValueError(f"{folder}: expected a folder with models of the zoo. Received: none")
    for name, results in found.items():
        write_card(name, results, folder)
    for name in names:
        if name not in found:
            read_entry(name, folder)  # says what is wrong with it
    if folder.resolve() == versions.home().resolve():
        readme = versions.home().parent / CARD
        markdown.replace_in_file(readme, "zoo", table(folder))
        markdown.replace_in_file(readme, "published", published_table(folder))
    return [folder / name / CARD for name in found]
