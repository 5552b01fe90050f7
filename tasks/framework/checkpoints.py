"""The folder of a run: which run it holds, and how far that has come."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.data.errors import UserError, why
from tasks.framework import stages
from tasks.framework.stages import CHECKPOINT, CONFIG
from zoo import files
from zoo.catalog.sources import BEST
from zoo.saving.restoring import read_arrays, set_weights

if sys.platform != "win32":
    import fcntl

_DATA = "data_fingerprints"
# A finished run may go on for more epochs.
_MAY_GROW = "epochs"


def claim(
    model_dir: str,
    recipe: Mapping[str, Any],
    data: Mapping[str, str],
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Makes a folder the place of a run, or finds that it is the place of this one already. A run
    whose first epoch never ended leaves its place to another.

    The same run with more epochs is the same run: it goes on. With `schedule="inverse"` it goes on
    as if they had been planned; with the others, which end at zero, the learning rates of the
    epochs to come are those of the longer run.

    Args:
        model_dir: the folder.
        recipe: the options that make the run what it is, by the names of their flags.
        data: a fingerprint of each split that training reads.
        defaults: of the options: what a run had of those that came after it.

    Raises:
        UserError: it holds another run: the flags or splits that differ are named.
    """
    path = os.path.join(model_dir, CONFIG)
    try:
        os.makedirs(model_dir, exist_ok=True)
        said = {**recipe, _DATA: dict(data)}
        found = read_config(model_dir) if os.path.exists(path) else {}
        if not found and stages.has_begun(model_dir):
            raise UserError(
                f"--model_dir: {model_dir!r} holds checkpoints, and no {CONFIG} that says of which "
                "run. Give another folder."
            )
        if found and (_DATA not in found or stages.has_begun(model_dir)):
            _check(model_dir, {**(defaults or {}), **found}, recipe, data)
            # Without options that came later: checkpoints know their run by what is there.
            said = {name: said[name] for name in found if name in said}
        files.write_json(path, said)
    except OSError as error:
        raise UserError(
            f"--model_dir: expected a folder to write to. Received: {model_dir!r}, which cannot be "
            f"written to: {why(error)}. Give another folder."
        ) from None


@contextlib.contextmanager
def held(model_dir: str) -> Iterator[None]:
    """While it lasts, no other process trains in a folder.

    Raises:
        UserError: another one does.
    """
    try:
        os.makedirs(model_dir, exist_ok=True)
        folder = os.open(model_dir, os.O_RDONLY)
    except OSError:  # `claim` says so
        folder = None
    if sys.platform == "win32" or folder is None:
        yield
        return
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise UserError(
            f"--model_dir: expected a folder in which nothing trains. Received: {model_dir!r}, in "
            "which another process does. Wait for its end, or give another folder."
        ) from None
    except OSError:  # a file system without locks
        pass
    else:
        with contextlib.suppress(OSError):  # `claim` says so
            for path in stages.files(model_dir):
                files.forget_unfinished(path)
    try:
        yield
    finally:
        os.close(folder)


def _check(
    model_dir: str, found: dict[str, Any], recipe: Mapping[str, Any], data: Mapping[str, str]
) -> None:
    found_data = found.pop(_DATA, {})
    if found.get(_MAY_GROW, 0) < recipe.get(_MAY_GROW, 0):
        found[_MAY_GROW] = recipe[_MAY_GROW]
    differing = [
        f"--{name}={found.get(name)!r} there, {recipe.get(name)!r} now"
        for name in sorted({*found, *recipe})
        if found.get(name) != recipe.get(name)
    ]
    if differing:
        raise UserError(
            f"--model_dir: {model_dir!r} holds a run with other flags: {'; '.join(differing)}. "
            "Give the same flags to resume it (--epochs may be more), or another folder."
        )
    changed = [split for split in data if found_data.get(split) != data[split]]
    if changed:
        raise UserError(
            f"--model_dir: {model_dir!r} holds a run on other data: it began with other "
            f"{' and '.join(changed)} data. Give the same data to resume it, or another "
            "folder."
        )


def what_is_read(model_dir: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The options of a run, by name, and digests of what it reads: of its data, as `claim` wrote
    them, and of its vocabularies and the like, which `keep_lines` wrote."""
    options = read_config(model_dir)
    read = {f"corpus ({split})": digest for split, digest in options.pop(_DATA, {}).items()}
    for path in sorted(Path(model_dir).glob("*.txt")):
        read[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return options, read


def read_config(model_dir: str) -> dict[str, Any]:
    """What `claim` wrote: the recipe, and fingerprints of the data."""
    path = os.path.join(model_dir, CONFIG)
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"--model_dir: {path}: expected what this program writes there, an object of JSON. "
            "Give another folder."
        )
    return found


def keep_lines(
    model_dir: str,
    name: str,
    lines: Sequence[str],
    follows_from: str = "its data, or how text is read,",
) -> str:
    """Writes a text file of a run, such as its vocabulary, one line each, and returns its path.

    Args:
        model_dir: folder of the run.
        name: of the file.
        lines: of it.
        follows_from: from what the lines follow, for the message.

    Raises:
        UserError: the run that the folder holds began with other lines.
    """
    path, text = os.path.join(model_dir, name), "".join(f"{line}\n" for line in lines)
    if os.path.exists(path) and stages.has_begun(model_dir):
        with open(path, encoding="utf-8", newline="") as file:
            if file.read() != text:
                raise UserError(
                    f"--model_dir: {model_dir!r} holds a run with another {name}: {follows_from} "
                    "have changed since. Give another folder."
                )
    files.write_text(path, text)
    return path


def save(model_dir: str, name: str, variables: Sequence, history: list[dict]) -> None:
    """Writes the values of variables, and what the epochs so far gave, as an `.npz` file.

    Raises:
        UserError: it cannot be written; what was there is still there.
    """
    arrays = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    arrays["history"] = np.array(json.dumps(history))
    arrays["run"] = np.array(_run_id(model_dir))
    target = os.path.join(model_dir, name)
    try:
        files.replace(target, lambda path: np.savez(path, **arrays))
    except OSError as error:
        raise UserError(
            f"--model_dir: {target}: expected to write a checkpoint. Received: {why(error)}. The "
            "one before it is kept; the same command goes on from there."
        ) from None


def restore(model_dir: str, name: str, variables: Sequence) -> list[dict]:
    """Sets variables to the values of a checkpoint, and returns its history; without one, [].

    Raises:
        UserError: the file is damaged, or is one of another run or model; no variable is changed.
    """
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        return []
    arrays = _read(path)
    values = [arrays.get(str(i)) for i in range(len(variables))]
    fits = [
        value is not None and tuple(value.shape) == tuple(variable.shape)
        for value, variable in zip(values, variables, strict=True)
    ]
    of_this_run = _is_of_run(arrays, model_dir)
    if not (all(fits) and of_this_run and str(len(variables)) not in arrays):
        raise UserError(
            f"{path}: expected a checkpoint of the run that {_config_of(model_dir)} describes. "
            "Received one of another run or another model. Give another --model_dir."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return json.loads(str(arrays["history"]))


def restore_best(model: keras.Model, model_dir: str) -> None:
    """Loads the weights of the best epoch; without one, they stay as they are.

    Raises:
        UserError: the file is damaged, or is one of another run or model.
    """
    path = os.path.join(model_dir, BEST)
    if not os.path.exists(path):
        return
    arrays = _read(path)
    try:
        if not _is_of_run(arrays, model_dir):
            raise ValueError(
                f"{path}: expected weights of the run that {_config_of(model_dir)} describes"
            )
        set_weights(model, arrays, path)
    except ValueError as error:
        raise UserError(f"{error}. Give another --model_dir.") from None


def seconds_before(model_dir: str) -> float:
    """How long the epochs of a run took that earlier processes trained and scored."""
    return sum(row["seconds"] + row.get("scoring_seconds", 0.0) for row in rows(model_dir))


def rows(model_dir: str) -> list[dict]:
    """What a run has recorded of its epochs, and of all that it did before them."""
    return [row for path in stages.recorded(model_dir) for row in _history(path)]


def epochs(folder: str) -> list[dict]:
    """What the checkpoint of a folder has recorded of its epochs; without one, []."""
    path = os.path.join(folder, CHECKPOINT)
    return _history(path) if os.path.exists(path) else []


def _history(path: str) -> list[dict]:
    return json.loads(str(_read(path, ["history"])["history"]))


def _read(path: str, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    try:
        found = read_arrays(path, names)
    except (OSError, ValueError) as error:
        again = "Give another --model_dir, or get the file again."
        if os.path.basename(path) == stages.ANSWERS:
            again = "Remove it: the teacher is asked again."
        raise UserError(f"{error}. {again}") from None
    if "history" not in found:
        raise UserError(
            f"{path}: expected a checkpoint that this program wrote. Received another .npz file. "
            "Give another --model_dir."
        )
    return found


def _config_of(model_dir: str) -> str:
    return os.path.join(stages.run_of(model_dir), CONFIG)


def _is_of_run(arrays: Mapping[str, np.ndarray], model_dir: str) -> bool:
    """Whether a checkpoint is of the run of its folder; those of older versions that were trained
    before the run's own model do not say so."""
    said = str(arrays.get("run", ""))
    return said == _run_id(model_dir) or (not said and stages.run_of(model_dir) != model_dir)


def _run_id(model_dir: str) -> str:
    """What tells a run from others; "" without a configuration."""
    if not os.path.exists(_config_of(model_dir)):
        return ""
    config = read_config(stages.run_of(model_dir))
    known = {n: value for n, value in config.items() if n != _MAY_GROW}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
