"""An entry's results: from what its training run wrote, and from its SavedModel."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.catalog import loading
from zoo.catalog.entries import Entry, entry
from zoo.catalog.results import (
    Baseline,
    EntryResults,
    RunResults,
    Sample,
    SignatureSpecs,
    StoredFile,
    portable,
    read_entry,
    without_folders,
)
from zoo.catalog.sources import source
from zoo.configuration import KEYS
from zoo.inputs import Spec
from zoo.predictions import sounding
from zoo.predictor import Predictor

_GENERATE = {"max_length": 120, "temperature": 0.7, "top_k": 0, "top_p": 1.0, "seed": 1}
_DIGITS = 4


def collect(
    name: str, run: RunResults, baseline: RunResults | None, folder: str | os.PathLike
) -> EntryResults:
    """The results of an entry. The speed of a version that is measured already is kept.

    Args:
        name: of the entry.
        run: that trained it.
        baseline: the run that it is compared with, or None.
        folder: that holds the models.

    Raises:
        ValueError: the run is one of another task, or the newest version there one of another run.
    """
    if run.task != entry(name).task:
        raise ValueError(
            f"{name}: expected a run of tasks.{entry(name).task}. Received: one of tasks.{run.task}"
        )
    said, model = entry(name), loading.load(name, folder=folder)
    _check_is_of(model.folder, run)
    of_run = {field.name: getattr(run, field.name) for field in dataclasses.fields(RunResults)}
    changed = {
        "config": without_folders(run.config),
        "command": portable(run.command),
        "further": _other_ways(run),
    }
    results = EntryResults(
        **of_run | changed,
        name=name,
        baseline=None if baseline is None else _comparison(said, baseline),
        **_of_files(model, said),
    )
    try:
        known = read_entry(name, folder)
    except OSError:  # none, or a damaged one: it is about to be written anew
        return results
    if known.files == results.files:
        results.speed = known.speed
    return results


def _check_is_of(version: Path, run: RunResults) -> None:
    """Raises ValueError where a SavedModel says that it comes from another run."""
    try:
        recipe = source(version).recipe
    except ValueError:  # an old one, which does not say
        return
    made = without_folders(run.config)
    differing = [
        f"--{key}={recipe[key]!r} there, {made[key]!r} in the run"
        for key in recipe
        if key in made and recipe[key] != made[key]
    ]
    if differing:
        raise ValueError(
            f"{version}: expected the SavedModel of the run. Received one of another run: "
            f"{'; '.join(differing)}"
        )


def _other_ways(run: RunResults) -> dict[str, Any]:
    """Of a run's further figures those of a model that is asked in other ways, such as by a neural
    cache: metrics of the validation part, and maybe of others."""
    # An entry's own file, read as that of a run, has more keys than a run's.
    own = {field.name for field in dataclasses.fields(EntryResults)}
    return {
        way: figures
        for way, figures in run.further.items()
        if way not in own and isinstance(figures, Mapping) and "validation" in figures
    }


def of_version(results: EntryResults, folder: str | os.PathLike) -> EntryResults:
    """The results of a model that was saved again: those of its newest version, whose speed is to
    be measured."""
    model = loading.load(results.name, folder=folder)
    return dataclasses.replace(results, speed={}, **_of_files(model, entry(results.name)))


def _of_files(model: loading.Model, said: Entry) -> dict[str, Any]:
    """What is said of the files of a version."""
    return {
        "version": int(model.folder.name),
        "files": stored_files(model.folder),
        "signatures": {
            signature: SignatureSpecs(_specs(one.inputs), _specs(one.outputs))
            for signature, one in model.signatures.items()
        },
        "samples": list(samples(model, said)),
    }


def _comparison(said: Entry, baseline: RunResults) -> Baseline:
    return Baseline(
        what=said.baseline.what,
        command=portable(baseline.command),
        validation=baseline.validation,
        test=baseline.test,
        parameters=baseline.parameters,
    )


def stored_files(version: Path) -> dict[str, StoredFile]:
    """The files of a SavedModel, by their path in its folder."""
    paths = sorted(path for path in version.rglob("*") if path.is_file())
    return {
        path.relative_to(version).as_posix(): StoredFile(path.stat().st_size, sha256(path))
        for path in paths
    }


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def samples(model: Predictor, said: Entry) -> Iterator[Sample]:
    """What a model answers to the texts of its entry, one at a time."""
    for sample in said.samples:
        row = said.question(sample)
        yield _sample(model, "serving_default", {name: [value] for name, value in row.items()})
    if "generate" in model.signatures:
        prompt = said.samples[0].split()[0]
        one = {name: [value] for name, value in _GENERATE.items()}
        yield _sample(model, "generate", {"prompt": [prompt], **one})


def _sample(model: Predictor, signature: str, inputs: dict[str, list]) -> Sample:
    outputs = sorted(model.ask(signature, inputs).items())
    return Sample(signature, inputs, {name: plain(value) for name, value in outputs})


def plain(values: np.ndarray) -> list:
    """An output as a sample has it: numbers rounded, and frames of music as MIDI numbers."""
    if values.dtype.kind == "b" and values.shape[-1:] == (KEYS,):
        return sounding(values)
    if values.dtype.kind == "f":
        values = np.round(values.astype(np.float64), _DIGITS)
    return values.tolist()


def _specs(specs: Mapping[str, Spec]) -> dict[str, str]:
    return {name: str(spec) for name, spec in sorted(specs.items())}
