"""Where models are, and which versions of them there are. Needs no TensorFlow.

A model is a folder of versions, `NAME/1`, `NAME/2`, ..., each a SavedModel.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence, Set
from pathlib import Path

SAVED_MODELS = "saved_models"
# In a version: what its model is made of and how it was trained.
CONFIGURATION = "assets.extra/configuration.json"
_SAVED_MODEL = "saved_model.pb"
_PACKAGE = Path(__file__).resolve().parent.parent


def home() -> Path:
    """The folder of the zoo's own models: inside an installed package, beside it in a clone."""
    installed = _PACKAGE / SAVED_MODELS
    return installed if installed.is_dir() else _PACKAGE.parent / SAVED_MODELS


def is_clone() -> bool:
    """Whether the package lies in a clone of the project, and not among installed ones."""
    return (_PACKAGE.parent / "pyproject.toml").is_file()


def check_writable(folder: str | os.PathLike) -> None:
    """Refuses the models of an installed package, of which nothing is to be changed.

    Raises:
        ValueError: the folder is theirs.
    """
    if not is_clone() and Path(folder).resolve().is_relative_to(home().resolve()):
        raise ValueError(
            f"expected a folder of models of your own, to write into. Received: {folder}, which "
            f"belongs to an installed package. Copy its models, and say --folder={SAVED_MODELS}"
        )


def model_folders(folder: str | os.PathLike | None = None) -> list[Path]:
    """Where models are looked for by their name, one place after the other.

    Args:
        folder: the only place, where it is given. By default `saved_models` of the working
            directory, then the zoo's own.
    """
    if folder is not None:
        return [Path(folder)]
    here, own = Path(SAVED_MODELS), home()
    return [own] if here.resolve() == own.resolve() else [here, own]


def versions(folder: str | os.PathLike) -> list[int]:
    """The versions of a model in its folder, oldest first; none where there is no such folder."""
    return sorted(_by_number(folder))


def next_version(folder: str | os.PathLike) -> int:
    """The number of a version that is to be saved: no folder has it or a higher one."""
    names = [child.name for child in Path(folder).iterdir()] if Path(folder).is_dir() else []
    return 1 + max((int(name) for name in names if _is_number(name)), default=0)


def list_models(folder: str | os.PathLike | None = None) -> list[str]:
    """The names of the models that `zoo.load` finds, in order.

    Args:
        folder: that holds the models; by default all of `model_folders()`.

    Example:
        >>> "ner_wikiann" in list_models()
        True
    """
    children = [
        child for place in model_folders(folder) if place.is_dir() for child in place.iterdir()
    ]
    return sorted({child.name for child in children if versions(child)})


def find(
    model: str | os.PathLike,
    version: int | None = None,
    folder: str | os.PathLike | None = None,
) -> Path:
    """The folder of a version of a model.

    Args:
        model: its name; or the path of the model or of a version.
        version: by default the newest.
        folder: that holds the models; by default `model_folders()`, one after the other.

    Raises:
        ValueError: there is no such model or version; the message names the nearest.
    """
    if not isinstance(model, str | os.PathLike):
        raise ValueError(f"expected a model's name, or a path. Received: {model!r}")
    asked, places = os.fspath(model), model_folders(folder)
    candidates = [place / asked for place in places] if asked else []
    if asked and folder is None:  # a path, which is looked at first
        candidates.insert(0, Path(asked))
    known: Set[int] = set()
    for candidate in candidates:
        if (candidate / _SAVED_MODEL).is_file():  # the path of a version
            if version is None or candidate.name == str(version):
                return candidate
            raise ValueError(
                f"{asked}: expected no version beside the path of one. Received: {version}"
            )
        found = _by_number(candidate)
        chosen = max(found, default=None) if version is None else version
        if chosen in found:
            return found[chosen]
        if version is None and _is_number(candidate.name):
            beside = _by_number(candidate.parent)
            if beside:
                asked, version, known = (
                    os.fspath(candidate.parent),
                    int(candidate.name),
                    beside.keys(),
                )
                break
        known |= found.keys()
    if known:
        raise ValueError(
            f"{asked}: expected one of the versions {sorted(known)}. Received: {version}"
        )
    raise ValueError(_missing(asked, places, list_models(folder)))


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Up to three of the names, those that are most like one, whatever their case; all of them
    where none is.

    Example:
        >>> nearest("ner_wikian", ["lm_demo", "ner_wikiann"])
        ['ner_wikiann']
    """
    lower = {one.lower(): one for one in names}
    like = difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.5)
    return [lower[one] for one in like] or list(names)


def _missing(asked: str, places: Sequence[Path], names: Sequence[str]) -> str:
    looked = ", then ".join(str(place.absolute()) for place in places)
    if not names:
        return (
            f"expected the path of a SavedModel, or the name of one. Received: {asked!r}; there "
            f"are no models where they are looked for by name, {looked}. Train one: "
            "`python -m tasks.ner` saves it under saved_models/"
        )
    return (
        f"expected a model of {looked}, such as {nearest(asked, names)}, or the path of a "
        f"SavedModel. Received: {asked!r}"
    )


def _by_number(folder: str | os.PathLike) -> dict[int, Path]:
    path = Path(folder)
    if not path.is_dir():
        return {}
    return {
        int(child.name): child
        for child in path.iterdir()
        if _is_number(child.name) and (child / _SAVED_MODEL).is_file()
    }


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()
