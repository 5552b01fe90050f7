"""Which models and versions a server has."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.catalog.entries import ENTRIES, is_demo
from zoo.saving.versions import home, list_models, nearest, versions

_LABEL = r"[\w.-]+"


@dataclasses.dataclass(frozen=True)
class Served:
    """A model of a server.

    Attributes:
        name: of the model and its folder.
        versions: that are served; none where it is the newest, whichever that is.
        labels: names of some of the versions.
    """

    name: str
    versions: tuple[int, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()


def served(
    folder: Path, names: Sequence[str] | None = None, chosen: Iterable[str] = ()
) -> list[Served]:
    """The models of a folder that are to be served.

    Args:
        folder: of the models.
        names: of the models. By default all of the folder; of the zoo's own folder those of the
            zoo, and not what else was saved there. Demos are left out where there are others.
        chosen: versions of models, as `NAME=stable:1,canary:2,3`: three versions, two with labels.

    Raises:
        ValueError: there is no such model or version, or none at all.
    """
    there = list_models(folder)
    if not there:
        raise ValueError(f"{folder}: expected a folder with at least one model. Received: none")
    by_name = {one.name: one for one in map(_parsed, chosen)}
    asked = _default(folder, there) if names is None else names
    asked = sorted({*asked, *by_name})
    for name in asked:
        if name not in there:
            raise ValueError(
                f"{folder}: expected models of this folder, such as {nearest(name, there)}. "
                f"Received: {name!r}. Say --folder for models of another one"
            )
        known = versions(folder / name)
        missing = {*by_name.get(name, Served(name)).versions} - {*known}
        if missing:
            raise ValueError(
                f"{folder / name}: expected versions that are there, {known}. Received: "
                f"{sorted(missing)}. Export a model to it for another one"
            )
    return [by_name.get(name, Served(name)) for name in asked]


def _default(folder: Path, there: Sequence[str]) -> list[str]:
    own = folder.resolve() == home().resolve()
    names = [name for name in there if name in ENTRIES] if own else there
    return [name for name in names if not is_demo(name)] or list(names or there)


def _parsed(text: str) -> Served:
    name, _, which = text.rpartition("=")
    found = [re.fullmatch(rf"(?:({_LABEL}):)?([0-9]+)", one) for one in which.split(",")]
    pairs = [(match[1], int(match[2])) for match in found if match]
    labels = [pair for pair in pairs if pair[0] is not None]
    if not name or len(pairs) < len(found) or len(dict(labels)) < len(labels):
        raise ValueError(
            "expected a model and its versions, such as ner=2 or ner=stable:1,canary:2, and each "
            f"label once. Received: {text!r}"
        )
    return Served(name, tuple(sorted({number for _, number in pairs})), tuple(labels))
