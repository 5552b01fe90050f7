"""Where the SavedModel is that an example is to use."""

from __future__ import annotations

from pathlib import Path

SAVED_MODELS = Path(__file__).parent.parent / "saved_models"


def newest(model: str) -> str:
    """The SavedModel that is meant: a folder, its newest version, or a name in `saved_models/`."""
    for folder in (Path(model), SAVED_MODELS / model):
        names = [path.parent.name for path in folder.glob("*/saved_model.pb")]
        versions = [int(name) for name in names if name.isdecimal()]
        if versions or (folder / "saved_model.pb").exists():
            return str(folder / str(max(versions)) if versions else folder)
    raise SystemExit(f"expected a SavedModel, or a name in {SAVED_MODELS}. Received: {model}")
