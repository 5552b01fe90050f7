"""What was measured of a training run and of an entry of the zoo: the records in results.json.

A run writes `RunResults` into its folder. An entry's `EntryResults`, in `saved_models/NAME`, are
those of the run that trained it and what was measured of its SavedModel.

Files of schema 1 have no key `schema`, and neither `model`, `versions` nor `data_fingerprint`. A
new field needs a default: then older files are read as they are.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from zoo import files
from zoo.catalog import records
from zoo.configuration.kinds import is_a
from zoo.saving import versions

RESULTS = "results.json"
SCHEMA = 2
# Of a file without the key `schema`.
_FIRST_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a SavedModel."""

    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SignatureSpecs:
    """What a signature takes and gives: by name, such as `"int32[?]"`."""

    inputs: dict[str, str]
    outputs: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a signature answered; numbers are rounded."""

    signature: str
    inputs: dict[str, list]
    outputs: dict[str, list]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What an entry is compared with."""

    what: str
    command: str
    validation: dict[str, Any]
    test: dict[str, Any] | None = None
    parameters: int | None = None


@dataclasses.dataclass(frozen=True)
class Speed:
    """How fast `serving_default` answers requests of one size."""

    median_ms: float
    p99_ms: float
    per_second: float


@dataclasses.dataclass(kw_only=True)
class RunResults:
    """What a training run measured.

    Attributes:
        task: whose program trained.
        score: of the metrics, the one that validation goes by; higher is better.
        config: the flags of the run, flat.
        model: the whole configuration of the model; empty in files of schema 1.
        counts: by split, numbers of examples and of what they consist of.
        data_fingerprint: of the corpus; empty where there is none.
        parameters: of the model.
        epochs: a record of each.
        machine: that trained, see `tasks.framework.machine`.
        versions: `ours`, `keras` and `tensorflow`; empty in files of schema 1.
        validation, test: metrics by name, with further ones for each class. `test` may be None.
        stored: where weights are stored with fewer bits, their type as `weights`, and `validation`
            with them.
        wall_seconds: of reading, training and measuring.
        command: that started the run.
        further: figures of a task's own; they stand at the top level of the file.
        schema: of the file.

    Example:
        >>> run = RunResults(
        ...     task="ner", score="f1", config={"units": 8}, counts={"train": {"sentences": 3}},
        ...     parameters=100, epochs=[], machine={"cores": 2}, validation={"f1": 0.5},
        ...     wall_seconds=1.5, command="python -m tasks.ner --units=8",
        ...     further={"accuracy_at_ambiguous_words": 0.9},
        ... )
        >>> run.as_dict()["accuracy_at_ambiguous_words"]
        0.9
        >>> RunResults.from_dict(run.as_dict()) == run
        True
    """

    task: str
    score: str
    config: dict[str, Any]
    model: dict[str, Any] = dataclasses.field(default_factory=dict)
    counts: dict[str, dict[str, int]]
    data_fingerprint: str = ""
    parameters: int
    epochs: list[dict[str, Any]]
    machine: dict[str, Any]
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    validation: dict[str, Any]
    test: dict[str, Any] | None = None
    stored: dict[str, Any] | None = None
    wall_seconds: float
    command: str
    further: dict[str, Any] = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA

    @classmethod
    def read(cls, path: str | os.PathLike) -> Self:
        """The record in a file.

        Raises:
            ValueError: the file is no such record; the message names the file and the key.
            OSError: the file cannot be read.
        """
        try:
            values = json.loads(Path(path).read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: expected JSON. Received: {error}") from error
        return cls.from_dict(values, str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = RESULTS) -> Self:
        """The record of what a file holds.

        Args:
            values: by key, as `as_dict` gives them.
            where: the file, for messages.

        Raises:
            ValueError: a key is missing, its value is of another type, or the schema is newer.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{where}: expected an object. Received: {type(values).__name__}")
        schema = values.get("schema", _FIRST_SCHEMA)
        if not is_a(schema, int) or not _FIRST_SCHEMA <= schema <= SCHEMA:
            raise ValueError(
                f"{where}: schema: expected {_FIRST_SCHEMA} to {SCHEMA}. Received: {schema!r}. "
                "A newer version of this project reads newer files."
            )
        own = {field.name for field in dataclasses.fields(cls)} - {"further"}
        known = {key: value for key, value in values.items() if key in own}
        further = {key: value for key, value in values.items() if key not in own}
        return records.record(cls, known | {"further": further, "schema": schema}, where)

    def as_dict(self) -> dict[str, Any]:
        """What the file holds, without what is empty: `from_dict` gives the record again."""
        values = {}
        for field in sorted(dataclasses.fields(self), key=lambda field: field.name not in _FIRST):
            value = records.plain(getattr(self, field.name))
            required = records.is_required(field)
            if field.name not in ("further", "schema") and (required or value not in _EMPTY):
                values[field.name] = value
        schema = {} if self.schema == _FIRST_SCHEMA else {"schema": self.schema}
        return schema | values | self.further

    def write(self, path: str | os.PathLike) -> None:
        """Writes the file, whole or not at all."""
        files.write_json(path, self.as_dict())

    @property
    def hardware(self) -> str:
        """The machine that trained."""
        return f"{self.machine.get('processor', '?')}, {self.machine.get('cores', '?')} cores"

    @property
    def software(self) -> str:
        """What trained; files of schema 1 say it of the machine."""
        known = self.machine | self.versions
        return f"TensorFlow {known.get('tensorflow', '?')}, Keras {known.get('keras', '?')}"


@dataclasses.dataclass(kw_only=True)
class EntryResults(RunResults):
    """What was measured of an entry of the zoo: of its training run and of its SavedModel.

    Attributes:
        name: of the entry.
        version: of the SavedModel.
        baseline: what it is compared with.
        files: by path in the version's folder.
        signatures: by name.
        samples: what it answers to the texts of its entry.
        speed: by number of cores, by texts in a request.
    """

    name: str
    version: int
    baseline: Baseline | None = None
    files: dict[str, StoredFile]
    signatures: dict[str, SignatureSpecs]
    samples: list[Sample]
    speed: dict[str, dict[str, Speed]] = dataclasses.field(default_factory=dict)

    @property
    def megabytes(self) -> float:
        """Size on disk."""
        return sum(file.bytes for file in self.files.values()) / 1e6


_FIRST = ("name", "version")
_EMPTY: tuple = (None, "", {}, [])
# Flags that say where a run was stored, or which of several like it, and not how it came about.
_PLACES = ("model_dir", "export_dir", "seed")
# What begins a flag, and not `-m`; one without "=" may have its value behind a blank.
_BEGINS_FLAG, _WITHOUT_VALUE = re.compile(r"--?[A-Za-z]\w"), re.compile(r"--?[A-Za-z]\w+")


def portable(command: str) -> str:
    """A command without its seed and where its run was stored, and with short paths.

    Example:
        >>> portable("python -m tasks.ner --seed 3 --train_file=/data/of/mine/train.conll")
        'python -m tasks.ner --train_file=mine/train.conll'
    """
    try:
        words = shlex.split(command)
    except ValueError:  # of an older run, which did not quote
        words = command.split()
    kept = [word.partition("=") for word in _joined(words)]
    return shlex.join(
        f"{name}{equals}{_short(value)}"
        for name, equals, value in kept
        if name.lstrip("-") not in _PLACES
    )


def _joined(words: Sequence[str]) -> list[str]:
    """Words of a command in which each flag has its value behind "="."""
    joined: list[str] = []
    for word in words:
        if joined and _WITHOUT_VALUE.fullmatch(joined[-1]) and not _BEGINS_FLAG.match(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def without_folders(config: Mapping[str, Any]) -> dict[str, Any]:
    """Flags with short paths: where a copy of a corpus lies says nothing to anyone else."""
    return {name: _short(value) for name, value in config.items()}


def _short(value: Any) -> Any:
    """Of a path, the file and its folder; all else as it is."""
    is_path = isinstance(value, str) and os.path.isabs(value)
    return "/".join(value.split("/")[-2:]) if is_path else value


def read_entry(name: str, folder: str | os.PathLike | None = None) -> EntryResults:
    """What was measured of an entry.

    Args:
        name: of the entry.
        folder: that holds the models; by default the zoo's own.

    Raises:
        ValueError: there is no such model; the message names the nearest.
        OSError: its results cannot be read.
    """
    folder = versions.home() if folder is None else folder
    versions.find(name, folder=folder)
    path = Path(folder) / name / RESULTS
    try:
        return EntryResults.read(path)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{path}: expected what was measured of {name!r}, as `python -m zoo train {name}` "
            f"writes it. Received: {error}"
        ) from error
