"""The models of the zoo as data: the recipes of their tasks, and what is said of each model.

Both are read from the files beside this one, `presets.toml` and `entries.toml`.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.catalog import records
from zoo.notes import numbers_of
from zoo.saving.versions import nearest

# By task, by name: flags and their values.
Presets = dict[str, dict[str, dict[str, Any]]]

PRESETS_FILE = Path(__file__).with_name("presets.toml")
ENTRIES_FILE = Path(__file__).with_name("entries.toml")
# The key of a preset that starts from another.
_LIKE = "like"
# How music is composed for cards, and where its speed is measured.
_COMPOSING = {"length": 16, "temperature": 0.9, "seed": 3}
# Frames of the piece that a card shows.
_DRAWN = 64


def is_demo(name: str) -> bool:
    """Whether a model only shows how things work: a server has it where it is asked for by name.

    Example:
        >>> is_demo("ner_demo"), is_demo("ner_wikiann")
        (True, False)
    """
    return name.endswith("_demo")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What an entry is compared with.

    Attributes:
        what: its name.
        flags: that train it, after those of the entry.
    """

    what: str
    flags: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Published:
    """What a recurrent network of others reaches on an entry's data.

    Attributes:
        of: the network.
        source: where it is reported, or how it was run.
        split: of the data, on which it was measured.
        metric: of results.json, such as `"f1"`.
        value: of the metric.
    """

    of: str
    source: str
    split: str
    metric: str
    value: float


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is said of a model of the zoo that is not measured.

    Attributes:
        task: whose program trains it.
        preset: of the task: its recipe.
        purpose, not_for: in a sentence each.
        data, licence: what it was trained on.
        samples: texts whose answers its card shows; of a model of music seed notes.
        baseline: what it is compared with.
        needs: flags with the paths of files, where the data are the user's own copy.
        published: the figures of others that it stands beside, see `Published`.
    """

    task: str
    preset: str
    purpose: str
    not_for: str
    data: str
    licence: str
    samples: tuple[str, ...]
    baseline: Comparison
    needs: tuple[str, ...] = ()
    published: tuple[Mapping[str, Any], ...] = ()

    @property
    def anchors(self) -> list[Published]:
        """The figures of others, checked."""
        return [records.record(Published, one, "published") for one in self.published]

    @property
    def recipe(self) -> list[str]:
        """The flags that train it."""
        return [f"--preset={self.preset}"]

    @property
    def picture(self) -> list[str]:
        """The flags with which its program draws the picture of its card; none where it has none.

        Example:
            >>> entry("music_demo").picture[:2], entry("ner_demo").picture
            (['--mode=generate', '--seed_notes=C4 E4 G4'], [])
        """
        if self.task != "music":
            return []
        how = {**_COMPOSING, "length": _DRAWN}
        flags = [f"--{name}={value}" for name, value in how.items()]
        return ["--mode=generate", f"--seed_notes={self.samples[0]}", *flags]

    def question(self, sample: str) -> dict[str, Any]:
        """What `serving_default` is asked for a sample, see `question`."""
        return question(self.task, sample)


def question(task: str, text: str) -> dict[str, Any]:
    """What `serving_default` of a task's models is asked for a text: a row of its inputs, by name.

    Args:
        task: of the model.
        text: of a model of music seed notes.

    Example:
        >>> question("ner", "A text."), question("music", "C4 E4")["notes"]
        ({'text': 'A text.'}, [60, 64])
    """
    if task == "music":
        return {"notes": numbers_of(text), **_COMPOSING}
    return {"text": text}


def read_presets(path: str | os.PathLike = PRESETS_FILE) -> Presets:
    """The recipes of a file.

    Returns:
        By task, by name: what `python -m tasks.TASK --preset=NAME` sets.

    Raises:
        ValueError: there is a mistake in the file; the message names the key.

    Example:
        >>> read_presets()["ner"]["demo"]
        {'epochs': 8, 'weights': 'float16'}
    """
    presets: Presets = {}
    for task, recipes in _tables(path, _read(path)):
        presets[task] = {}
        for name, flags in _tables(path, recipes, f"{task}."):
            presets[task][name] = _flags(path, f"{task}.{name}", flags, presets[task])
    return presets


def _flags(path: str | os.PathLike, key: str, flags: dict, above: Mapping[str, dict]) -> dict:
    """Flags of a recipe, on top of those that it is like."""
    for name, value in flags.items():
        if not isinstance(value, str | int | float):
            raise ValueError(
                f"{path}: {key}.{name}: expected a text, a number, or true or false. "
                f"Received: {value!r}"
            )
    if _LIKE not in flags:
        return flags
    like = flags[_LIKE]
    if like not in above:
        raise ValueError(
            f"{path}: {key}.{_LIKE}: expected one of the recipes above it, {sorted(above)}. "
            f"Received: {like!r}"
        )
    return above[like] | {name: value for name, value in flags.items() if name != _LIKE}


def read_entries(presets: Presets, path: str | os.PathLike = ENTRIES_FILE) -> dict[str, Entry]:
    """The models that a file describes, by name.

    Args:
        presets: that they are trained with.
        path: of the file.

    Raises:
        ValueError: there is a mistake in the file; the message names the key.

    Example:
        >>> read_entries(read_presets())["ner_demo"].recipe
        ['--preset=demo']
    """
    entries = {}
    for name, values in _tables(path, _read(path)):
        entry = records.record(Entry, values, str(path), f"{name}.")
        _one_of(entry.task, presets, f"{path}: {name}.task")
        _one_of(entry.preset, presets[entry.task], f"{path}: {name}.preset")
        if not entry.samples:
            raise ValueError(f"{path}: {name}.samples: expected at least one text. Received: []")
        entries[name] = entry
    return entries


def _one_of(value: str, known: Mapping[str, object], where: str) -> None:
    if value not in known:
        raise ValueError(f"{where}: expected one of {sorted(known)}. Received: {value!r}")


def _read(path: str | os.PathLike) -> dict[str, Any]:
    with open(path, "rb") as file:
        try:
            return tomllib.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: expected TOML. Received: {error}") from error


def _tables(path: str | os.PathLike, values: dict, key: str = "") -> Iterable[tuple[str, dict]]:
    """The tables in a table, by name; there is nothing else in it."""
    for name, value in values.items():
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {key}{name}: expected a table. Received: {value!r}")
        yield name, value


PRESETS: Presets = read_presets()
ENTRIES: dict[str, Entry] = read_entries(PRESETS)


def entry(name: str) -> Entry:
    """An entry by its name.

    Raises:
        ValueError: there is no such entry; the message names the nearest.
    """
    if name not in ENTRIES:
        near = nearest(name, list(ENTRIES))
        raise ValueError(f"expected an entry of the zoo, such as {near}. Received: {name!r}")
    return ENTRIES[name]
