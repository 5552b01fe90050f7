"""Reads pieces: MIDI files and folders of them, JSON of frames, the built-in corpus."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.data import corpora, folders
from tasks.data.corpora import SPLITS
from tasks.data.errors import DataError, why
from tasks.melody import demo, midi
from tasks.melody.pieces import Piece
from zoo.notes import is_key

# What an object of JSON calls each split.
_NAMES = {
    "train": ("train",),
    "validation": ("valid", "validation", "dev"),
    "test": ("test",),
}
# Of files that cannot be read, so many are named.
_NAMED = 5


def load_corpus(
    data: str,
    files: Mapping[str, str | None] | None = None,
    splits: Sequence[str] = SPLITS,
    seed: int = 0,
    optional: Sequence[str] = (),
    step: str = "eighth",
) -> dict[str, list[Piece]]:
    """Loads the splits of a corpus of pieces, see `corpora.load`.

    An object of JSON that is given for training gives the other splits that it has as well.

    Args:
        step: the grid of MIDI files.

    Raises:
        DataError: the corpus cannot be read, or holds no piece.
    """
    given = {split: path for split, path in (files or {}).items() if path}
    if data == "files" and "train" in given:
        there = _splits_of(given["train"])
        given = {**dict.fromkeys(there, given["train"]), **given}
    # What stands for a file is its split: of an object of JSON, it says what is read.
    return corpora.load(
        data,
        dict(zip(given, given, strict=True)),
        splits,
        seed,
        optional,
        demo=demo.corpus,
        read_file=lambda split: read_pieces(given[split], step, split),
        read_builder=_no_builder,
    )


def read_pieces(path: str, step: str = "eighth", split: str | None = None) -> list[Piece]:
    """The pieces of a file or folder.

    Of a folder, MIDI files that cannot be read are counted and named, and passed over.

    Args:
        path: of a MIDI file, a folder of them, or JSON of frames.
        step: the grid of MIDI files.
        split: of an object of JSON, the one that is wanted; by default all of them.

    Raises:
        DataError: it cannot be read, or holds no piece.
    """
    if path.lower().endswith(".json"):
        return _pieces_of_json(path, _read_json(path), split)
    if not os.path.isdir(path):
        return [midi.read(path, step)]
    found, bad = [], []
    names = list(_midi_files(Path(path)))
    for name in names:
        try:
            found.append(midi.read(str(name), step))
        except DataError as error:
            bad.append(str(error))
    if bad:
        more = "" if len(bad) <= _NAMED else f"\n  and {len(bad) - _NAMED} more"
        lines = "\n  ".join(bad[:_NAMED])
        said = f"{path}: {len(bad)} of {len(names)} MIDI files cannot be read:"
        print(f"{said}\n  {lines}{more}", file=sys.stderr)
    if not found:
        raise DataError(f"{path}: expected one or more MIDI files that can be read, found none")
    return found


def _midi_files(folder: Path) -> list[Path]:
    """The MIDI files of a folder and of the folders in it, by name."""
    found = []
    for path in folders.entries(folder):
        if path.is_dir():
            found += _midi_files(path)
        elif path.suffix.lower() in midi.ENDINGS:
            found.append(path)
    return found


def _read_json(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found: {why(error)}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, found: {error}") from None


def _splits_of(path: str) -> list[str]:
    """The splits that an object of JSON has."""
    if not path.lower().endswith(".json"):
        return []
    value = _read_json(path)
    known = value.keys() if isinstance(value, dict) else ()
    return [split for split, names in _NAMES.items() if any(name in known for name in names)]


def _pieces_of_json(path: str, value: Any, split: str | None) -> list[Piece]:
    if isinstance(value, dict):
        wanted = [name for s in ([split] if split else _NAMES) for name in _NAMES[s]]
        there = [name for name in wanted if name in value]
        if not there:
            raise DataError(f"{path}: expected pieces as {wanted[0]!r}, found {sorted(value)}")
        value = [piece for name in there for piece in _listed(path, value[name])]
    pieces = [_piece(f"{path}: piece {i}", one) for i, one in enumerate(_listed(path, value), 1)]
    if not pieces:
        raise DataError(f"{path}: expected one or more pieces, found none")
    return pieces


def _listed(path: str, value: Any) -> list:
    if not isinstance(value, list):
        raise DataError(f"{path}: expected a list of pieces, found {type(value).__name__}")
    return value


def _piece(where: str, value: Any) -> Piece:
    """A piece of JSON: a list of frames, each a list of MIDI numbers in any order."""
    if not (isinstance(value, list) and value):
        raise DataError(f"{where}: expected a list of one or more frames, found {value!r:.60}")
    for number, frame in enumerate(value, start=1):
        known = isinstance(frame, list) and all(type(note) is int for note in frame)
        if not (known and all(map(is_key, frame))):
            raise DataError(
                f"{where}, frame {number}: expected a list of MIDI numbers of a piano, 21 to 108, "
                f"found {frame!r:.60}"
            )
    return [sorted({*frame}) for frame in value]


def _no_builder(name: str) -> Mapping:
    raise DataError(f"data: expected demo or files, found 'tfds:{name}'")
