"""`python -m zoo serve-config`: flags, and where the files go."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.configuration import options
from zoo.configuration.base import hints
from zoo.saving.versions import home, is_clone
from zoo.serving.configuration import write_config
from zoo.serving.options import ServerConfig

# Of the working directory; git passes over it.
OUTPUT = "serving"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="models of the folder. Default: the zoo's without its demos, or all of another folder",
    )
    parser.add_argument(
        "--versions",
        nargs="+",
        metavar="NAME=WHICH",
        default=[],
        help="versions of models in place of the newest, with labels or without: ner=2, or "
        "ner=stable:1,canary:2",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=argparse.SUPPRESS,
        help="of the models, as before the command",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"folder that gets the files. Default: {OUTPUT}/; in a clone, without any flags, the "
        "project's own compose.yaml and saved_models/*.config",
    )
    kinds = hints(ServerConfig)
    for name, (field, said) in options(ServerConfig).items():
        parser.add_argument(
            f"--{name}",
            type=kinds[name],
            default=field.default,
            help=f"{said.help} Default: {str(field.default).removesuffix('.0')}",
        )


def run(given: argparse.Namespace, folder: Path) -> list[Path]:
    """Writes the files and returns their paths.

    What is the project's own is written by the command alone: who asks for anything gets files of
    their own, and nothing that git knows changes.
    """
    config = ServerConfig(**{name: getattr(given, name) for name in options(ServerConfig)})
    plain = not given.models and not given.versions and config == ServerConfig()
    own = home().resolve() == folder.resolve() and is_clone()
    output = given.output or (None if plain and own else OUTPUT)
    return write_config(
        folder, output=output, models=given.models, versions=given.versions, config=config
    )
