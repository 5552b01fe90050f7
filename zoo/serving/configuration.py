"""The files that TensorFlow Serving starts with: models, batching, monitoring, a compose file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo import files
from zoo.saving.versions import home
from zoo.serving.compose import compose
from zoo.serving.options import ServerConfig
from zoo.serving.served import served
from zoo.serving.server_files import (
    MODELS,
    batching_config,
    check_labels,
    models_config,
    monitoring_config,
)

MODELS_CONFIG, BATCHING_CONFIG = "models.config", "batching.config"
MONITORING_CONFIG, COMPOSE = "monitoring.config", "compose.yaml"
# Where the server sees its files, if they are not in the folder of the models.
_CONFIG = "/config"


def write_config(
    folder: str | os.PathLike | None = None,
    root: str | os.PathLike | None = None,
    *,
    output: str | os.PathLike | None = None,
    models: Sequence[str] | None = None,
    versions: Iterable[str] = (),
    config: ServerConfig | None = None,
) -> list[Path]:
    """Writes the files for the models of a folder.

    Args:
        folder: of the models; by default the zoo's own. It gets the three files of the server.
        root: gets `compose.yaml`; by default the folder above.
        output: gets all four files, in place of `folder` and `root`.
        models, versions: as of `served`.
        config: how the server runs.

    Returns:
        The paths of the files; the last is that of the compose file.

    Raises:
        ValueError: there is no such model or version, or a running server would refuse the file.
    """
    texts = file_texts(folder, root, output=output, models=models, versions=versions, config=config)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)
    return list(texts)


def file_texts(
    folder: str | os.PathLike | None = None,
    root: str | os.PathLike | None = None,
    *,
    output: str | os.PathLike | None = None,
    models: Sequence[str] | None = None,
    versions: Iterable[str] = (),
    config: ServerConfig | None = None,
) -> dict[Path, str]:
    """What `write_config` writes, by path."""
    folder = Path(home() if folder is None else folder).absolute()
    root = Path(output or root or folder.parent).absolute()
    place, seen = (folder, MODELS) if output is None else (root, _CONFIG)
    config, chosen = config or ServerConfig(), served(folder, models, versions)
    if (place / MODELS_CONFIG).is_file():
        check_labels((place / MODELS_CONFIG).read_text("utf-8"), chosen)
    volumes = {MODELS: _from(root, folder), seen: _from(root, place)}
    flags = {
        "model_config_file": f"{seen}/{MODELS_CONFIG}",
        "batching_parameters_file": f"{seen}/{BATCHING_CONFIG}",
        "monitoring_config_file": f"{seen}/{MONITORING_CONFIG}",
    }
    return {
        place / MODELS_CONFIG: models_config(chosen),
        place / BATCHING_CONFIG: batching_config(config),
        place / MONITORING_CONFIG: monitoring_config(),
        root / COMPOSE: compose(config, volumes, flags),
    }


def _from(root: Path, folder: Path) -> str:
    """A folder as the compose file in `root` names it; relative, where both can move together."""
    if folder.is_relative_to(root):
        inside = folder.relative_to(root).as_posix()
        return "." if inside == "." else f"./{inside}"
    if folder.is_relative_to(root.parent):
        return f"../{folder.relative_to(root.parent).as_posix()}"
    return folder.as_posix()
