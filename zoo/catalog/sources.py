"""Trained models that training can start from: an entry, a SavedModel, or the folder of a run."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from zoo.catalog.results import RESULTS, EntryResults, RunResults
from zoo.configuration import MODELS, RecurrentConfig
from zoo.files import read_lines
from zoo.saving import versions

# The weights of a run's best epoch.
BEST = "best.npz"
# Of files of schema 1: the asset with the names that a configuration has.
_NAMES = {"tags": "tags.txt", "labels": "labels.txt"}


@dataclasses.dataclass(frozen=True)
class Source:
    """A trained model, and how it reads text.

    Attributes:
        folder: of the version or of the run.
        task: that trained it.
        config: what it is made of, its `tags` or `labels` included.
        recipe: the options of its training run, by the names of the flags.
        saved: options of its signatures that are no part of the recipe.
    """

    folder: Path
    task: str
    config: RecurrentConfig
    recipe: dict[str, Any]
    saved: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_run(self) -> bool:
        """Whether it is the folder of a run, and not that of a SavedModel."""
        return (self.folder / BEST).exists()

    def as_dict(self) -> dict[str, Any]:
        """What a SavedModel says of itself, in `zoo.saving.versions.CONFIGURATION`."""
        return {
            "task": self.task,
            "model": self.config.as_dict(),
            "recipe": self.recipe,
            "saved": self.saved,
        }

    def path(self, name: str) -> Path:
        """Where one of its text files lies, such as `vocabulary.txt`."""
        return (self.folder if self.is_run else self.folder / "assets") / name

    def lines(self, name: str) -> list[str]:
        """The lines of one of its text files."""
        return read_lines(self.path(name))


def source(name: str | os.PathLike, version: int | None = None) -> Source:
    """Finds a trained model. Needs its files, not TensorFlow.

    Args:
        name: of a model in the zoo; or the path of a SavedModel, or of the folder of a run.
        version: of a SavedModel, by default the newest.

    Raises:
        ValueError: there is none, or it does not say what it is made of.

    Example:
        >>> found = source("ner_demo")
        >>> found.task, found.config.tags[0], found.lines("vocabulary.txt")[0]
        ('ner', 'O', '<UNK>')
    """
    run = Path(name)
    if (run / BEST).exists() and (run / RESULTS).exists():
        results = RunResults.read(run / RESULTS)
        config = MODELS[results.task].from_dict(results.model)
        return Source(run, results.task, config, results.config)
    if (run / BEST).exists():
        raise ValueError(
            f"{name}: expected a run that is finished, with {RESULTS} in its folder. Received one "
            "that is not: the command that began it goes on with it"
        )
    folder = versions.find(name, version)
    said = folder / versions.CONFIGURATION
    if said.exists():
        known = json.loads(said.read_text("utf-8"))
        config = MODELS[known["task"]].from_dict(known["model"])
        return Source(folder, known["task"], config, known["recipe"], known.get("saved", {}))
    if (folder.parent / RESULTS).exists():
        entry = EntryResults.read(folder.parent / RESULTS)
        if str(entry.version) == folder.name:
            config = configuration(entry, folder.parent)
            return Source(folder, entry.task, config, entry.config)
    raise ValueError(
        f"{folder}: expected a SavedModel that says what its model is made of, in "
        f"{versions.CONFIGURATION}. Received one that was saved before version 0.2; train it "
        "again, or give the folder of its training run, --model_dir"
    )


def configuration(results: EntryResults, folder: Path, **changes: Any) -> RecurrentConfig:
    """What an entry's model is made of, but for some fields.

    Args:
        results: of the entry.
        folder: of the entry: in files of schema 1, sizes follow from the model's assets.
        changes: by name.
    """
    kind = MODELS[results.task]
    values = results.model or _of_first_schema(results, folder, changes)
    # Rows whose states are carried belong to a training run, and not to its model's shape.
    values = values | {"rows": 0}
    return kind.from_dict(values).replace(**changes)


def _of_first_schema(results: EntryResults, folder: Path, changes: dict[str, Any]) -> dict:
    """A configuration put together from the flags of a run and the assets of its SavedModel."""
    if results.config.get("embeddings_file") and "embedding_dim" not in changes:
        raise ValueError(
            f"{results.name}: expected `embedding_dim`, the width of the word vectors in "
            f"{results.config['embeddings_file']!r}, which the model was trained with: its "
            f"results.json does not say it. Received: {sorted(changes)}"
        )
    assets = folder / str(results.version) / "assets"
    values = {**results.config, "vocabulary_size": 1 + len(read_lines(assets / "vocabulary.txt"))}
    for field, file in _NAMES.items():
        if (assets / file).exists():
            values[field] = read_lines(assets / file)
    return values
