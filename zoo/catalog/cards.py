"""What is known of the models in a folder: their results, cards and a table.

`saved_models/NAME/results.json` holds what was measured of an entry; its card, README.md beside it,
and the table in the project's README follow from it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo import files
from zoo.catalog import loading, markdown
from zoo.catalog.entries import ENTRIES, Entry

RESULTS, CARD = "results.json", "README.md"
PROJECT_README = Path(__file__).parent.parent.parent / "README.md"
# What says where a run was stored and not how it came about.
_PLACES = ("--model_dir", "--export_dir", "--seed")
# Between machines and versions of TensorFlow, sums of float32 differ so much.
_TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}
_GENERATE = {"max_length": 120, "temperature": 0.7, "top_k": 0, "top_p": 1.0, "seed": 1}
_UNITS = {"log_likelihood": "log-likelihood of a token, nats"}


# --- Results -------------------------------------------------------------------------------------


def described(folder: str | os.PathLike = loading.SAVED_MODELS) -> list[str]:
    """The names of the models in a folder that are entries and have results."""
    names = loading.list_models(folder)
    return [name for name in names if name in ENTRIES and (Path(folder) / name / RESULTS).exists()]


def read_results(name: str, folder: str | os.PathLike = loading.SAVED_MODELS) -> dict:
    """What was measured of an entry.

    Raises:
        ValueError: there is no such entry; the message names the nearest.
        OSError: its results cannot be read.
    """
    path = Path(folder) / loading.existing(name, folder) / RESULTS
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OSError(
            f"{path}: expected what was measured of {name!r}, as `python -m zoo train {name}` "
            f"writes it. Received: {error}"
        ) from error


def collect(name: str, run: Mapping, baseline: Mapping | None, folder: str | os.PathLike) -> dict:
    """The results of an entry, from what training runs wrote and from its newest version.

    Args:
        name: of the entry.
        run: results.json of the run that trained it.
        baseline: that of what it is compared with, or None.
        folder: that holds the models. The speed of a version that is measured already is kept.
    """
    model = loading.load(name, folder=folder)
    kept = ("task", "score", "config", "counts", "parameters", "epochs", "machine")
    kept += ("validation", "test", "stored", "wall_seconds")
    results = {"name": name, "version": int(model.folder.name)}
    results |= {key: run[key] for key in kept if key in run}
    results["config"] = without_folders(run["config"])
    results["command"] = portable(run["command"])
    if baseline is not None:
        results["baseline"] = {
            "what": ENTRIES[name].baseline.what,
            "command": portable(baseline["command"]),
            **{
                key: baseline[key]
                for key in ("validation", "test", "parameters")
                if key in baseline
            },
        }
    paths = sorted(path for path in model.folder.rglob("*") if path.is_file())
    results["files"] = {
        str(path.relative_to(model.folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in paths
    }
    signatures = model.signatures.items()
    results["signatures"] = {
        signature: {
            "inputs": _specs(run.inputs),
            "outputs": _specs(run.outputs),
        }
        for signature, run in signatures
    }
    results["samples"] = list(samples(model, ENTRIES[name]))
    if (Path(folder) / name / RESULTS).exists():
        known = read_results(name, folder)
        if "speed" in known and known["files"] == results["files"]:
            results["speed"] = known["speed"]
    return results


def samples(model: loading.Model, entry: Entry) -> Iterator[dict]:
    """What a model answers to the texts of its entry, one at a time."""
    for text in entry.samples:
        yield _sample(model, "serving_default", {"text": [text]})
    if "generate" in model.signatures:
        prompt = entry.samples[0].split()[0]
        one = {name: [value] for name, value in _GENERATE.items()}
        yield _sample(model, "generate", {"prompt": [prompt], **one})


def _sample(model: loading.Model, signature: str, inputs: dict) -> dict:
    outputs = model.ask(signature, inputs)
    lists = {
        name: (np.round(v.astype(np.float64), 4) if v.dtype.kind == "f" else v).tolist()
        for name, v in sorted(outputs.items())
    }
    return {"signature": signature, "inputs": inputs, "outputs": lists}


def _specs(specs: Mapping) -> dict[str, str]:
    return {name: str(spec) for name, spec in sorted(specs.items())}


def portable(command: str) -> str:
    """A command without where its run was stored, and with short paths."""
    words = [word for word in command.split() if word.split("=")[0] not in _PLACES]
    return " ".join(
        f"{name}{equals}{_without_folder(value)}"
        for name, equals, value in (word.partition("=") for word in words)
    )


def without_folders(config: Mapping) -> dict:
    """Flags with short paths: where a copy of a corpus lies says nothing to anyone else."""
    return {name: _without_folder(value) for name, value in config.items()}


def _without_folder(value: object) -> object:
    """Of a path, the file and its folder."""
    is_path = isinstance(value, str) and os.path.isabs(value)
    return "/".join(value.split("/")[-2:]) if is_path else value


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_results(
    name: str, results: dict, folder: str | os.PathLike = loading.SAVED_MODELS
) -> None:
    """Writes an entry's results.json and the card that follows from it."""
    files.write_json(str(Path(folder) / name / RESULTS), results)
    write_card(name, results, folder)


# --- Verification --------------------------------------------------------------------------------


def problems(name: str, folder: str | os.PathLike = loading.SAVED_MODELS) -> list[str]:
    """What is wrong with a model: files that differ, and samples that it answers otherwise.

    Raises:
        ValueError: there is no such entry.
        OSError: its results cannot be read.
    """
    results = read_results(name, folder)
    version = Path(folder) / name / str(results["version"])
    found = []
    for file, known in results["files"].items():
        path = version / file
        if not path.is_file():
            found.append(f"{path}: missing. Get it again, for instance by `git checkout {path}`.")
        elif sha256(path) != known["sha256"]:
            found.append(
                f"{path}: expected sha256 {known['sha256'][:12]}…, {known['bytes']:,} bytes. "
                f"Received {sha256(path)[:12]}…, {path.stat().st_size:,} bytes. Get it again, for "
                f"instance by `git checkout {path}`."
            )
    if found:
        return found
    model = loading.load(name, results["version"], folder)
    for sample in results["samples"]:
        outputs = model.ask(sample["signature"], sample["inputs"])
        for line in differences(outputs, sample["outputs"]):
            found.append(f"{version}: {sample['signature']}({sample['inputs']}): {line}")
    return found


def differences(received: Mapping[str, np.ndarray], expected: Mapping[str, list]) -> list[str]:
    """In what outputs differ from those of a sample; numbers are rounded there."""
    return [
        f"{name}: expected {value}. Received: "
        f"{received[name].tolist() if name in received else 'none'}"
        for name, value in expected.items()
        if name not in received or not _same(received[name], value)
    ]


def _same(received: np.ndarray, expected: list) -> bool:
    if list(received.shape) != list(np.shape(expected)):
        return False
    if received.dtype.kind == "f":
        return np.allclose(received, expected, **_TOLERANCE)
    return received.tolist() == expected


# --- Cards and tables ----------------------------------------------------------------------------


def write_card(name: str, results: dict, folder: str | os.PathLike = loading.SAVED_MODELS) -> None:
    files.write_text(str(Path(folder) / name / CARD), card(name, results))


def card(name: str, results: dict) -> str:
    """The Markdown card of an entry."""
    entry = ENTRIES[name]
    config, machine = results["config"], results["machine"]
    facts = [
        ["task", f"`tasks.{results['task']}`"],
        ["data", f"{entry.data}; {_counted(results['counts'])}"],
        ["licence of the data", entry.licence],
        ["architecture", architecture(config)],
        ["parameters", f"{results['parameters']:,}"],
        ["on disk", f"{megabytes(results):.1f} MB{_stored(results)}"],
        ["recipe", f"`{results['command']}`"],
        ["seed", str(config["seed"])],
        ["wall time", f"{results['wall_seconds'] / 60:.1f} min, from data to SavedModel"],
        ["hardware", f"{machine['processor']}, {machine['cores']} cores"],
        ["software", f"TensorFlow {machine['tensorflow']}, Keras {machine['keras']}"],
    ]
    text = f"# {name}\n\n<!-- Generated from results.json by `python -m zoo cards`. -->\n\n"
    text += f"{entry.purpose}\n\nNot for: {entry.not_for}\n\n"
    text += markdown.table(["", ""], facts)
    text += "\n## Quality\n\n" + _quality(results)
    if "speed" in results:
        text += "\n## Speed\n\n" + _speed(results["speed"])
    text += "\n## Use\n\n" + _use(name, results)
    text += "\n## Samples\n\n" + "".join(map(_shown, results["samples"]))
    return text


def architecture(config: Mapping) -> str:
    if config["cell"] == "none":
        return "no recurrence"
    direction = "bidirectional " if config["bidirectional"] else ""
    return f"{direction}{config['cell']}, {config['depth']} × {config['units']} units"


def megabytes(results: dict) -> float:
    return sum(file["bytes"] for file in results["files"].values()) / 1e6


def _counted(counts: Mapping) -> str:
    return "; ".join(
        f"{split}: " + ", ".join(f"{n:,} {what}" for what, n in each.items())
        for split, each in counts.items()
    )


def _stored(results: dict) -> str:
    if "stored" not in results:
        return ""
    score, stored = results["score"], results["stored"]
    before, after = results["validation"][score], stored["validation"][score]
    return (
        f"; weights are {stored['weights']} there and float32 when it runs: "
        f"validation {score} {after:.4f}, with float32 on disk {before:.4f}"
    )


def _quality(results: dict) -> str:
    baseline = results.get("baseline", {})
    header = ["", *(split for split in ("validation", "test") if split in results)]
    names = [key for key, value in results["validation"].items() if isinstance(value, float)]
    rows = [
        [_UNITS.get(name, name.replace("_", " ")), *(f"{results[s][name]:.4f}" for s in header[1:])]
        for name in names
    ]
    if baseline:
        score = results["score"]
        cells = [f"{baseline[s][score]:.4f}" if s in baseline else "–" for s in header[1:]]
        what = f"baseline, {_UNITS.get(score, score)}: {baseline['what']}"
        rows.append([what, *cells])
    return markdown.table(header, rows)


def _speed(speed: Mapping) -> str:
    rows = [
        [
            cores,
            size,
            f"{one['median_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['per_second']:,.0f}",
        ]
        for cores, sizes in speed.items()
        for size, one in sizes.items()
    ]
    header = ["cores", "texts in a request", "median, ms", "99th percentile, ms", "texts a second"]
    return markdown.table(header, rows) + "\n`serving_default` on the texts below, in turn.\n"


def _use(name: str, results: dict) -> str:
    text = json.dumps(ENTRIES[name].samples[0], ensure_ascii=False)
    request = json.dumps({"instances": [ENTRIES[name].samples[0]]}, ensure_ascii=False)
    quoted = request.replace("'", "'\\''")
    lines = [
        f"```python\nimport zoo\n\nmodel = zoo.load({name!r})\nanswer = model({text})\n```\n",
        "With TensorFlow Serving (`docker compose up`), by REST and by gRPC:\n",
        f"```sh\ncurl -d '{quoted}' http://localhost:8501/v1/models/{name}:predict\n```\n",
        f"```python\nimport zoo\n\nmodel = zoo.connect('grpc://localhost:8500', {name!r})\n"
        f"answer = model({text})\n```\n",
    ]
    if "generate" in results["signatures"]:
        request = next(s["inputs"] for s in results["samples"] if s["signature"] == "generate")
        lines.append(f"Text is drawn by\n\n```python\nmodel.ask('generate', {request})\n```\n")
    rows = [
        [f"`{signature}`", _named(specs["inputs"]), _named(specs["outputs"])]
        for signature, specs in results["signatures"].items()
    ]
    return "\n".join(lines) + "\n" + markdown.table(["signature", "takes", "gives"], rows)


def _named(specs: Mapping) -> str:
    return ", ".join(f"{name} {spec}" for name, spec in specs.items())


def _shown(sample: dict) -> str:
    shown = {"signature": sample["signature"], **sample["inputs"], "→": sample["outputs"]}
    return f"```json\n{json.dumps(shown, ensure_ascii=False)}\n```\n"


def table(folder: str | os.PathLike = loading.SAVED_MODELS, links: bool = True) -> str:
    """A Markdown table of the models in a folder that have results, linked to their cards."""
    header = ["name", "data", "architecture", "parameters", "on disk", "quality", "baseline"]
    return markdown.table([*header, "one text, one core"], [*_rows(folder, links)])


def _rows(folder: str | os.PathLike, links: bool) -> Iterator[Sequence[str]]:
    for name in described(folder):
        results = read_results(name, folder)
        split = "test" if "test" in results else "validation"
        baseline = results.get("baseline", {}).get(split)
        speed = results.get("speed", {}).get("1", {}).get("1")
        yield [
            f"[{name}](saved_models/{name}/{CARD})" if links else name,
            ENTRIES[name].data,
            architecture(results["config"]),
            f"{results['parameters']:,}",
            f"{megabytes(results):.1f} MB",
            f"{split} {_scored(results[split], results['score'])}",
            "–" if baseline is None else _scored(baseline, results["score"]),
            "–" if speed is None else f"{speed['median_ms']:.1f} ms",
        ]


def _scored(metrics: Mapping, score: str) -> str:
    shown = "perplexity" if "perplexity" in metrics else score
    return f"{shown} {metrics[shown]:.{2 if shown == 'perplexity' else 3}f}"


def write_all(folder: str | os.PathLike = loading.SAVED_MODELS) -> None:
    """Writes every card, and the table in the project's README."""
    for name in described(folder):
        write_card(name, read_results(name, folder), folder)
    markdown.replace_in_file(str(PROJECT_README), "zoo", table(folder))
