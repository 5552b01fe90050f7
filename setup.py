"""Puts the trained models into the wheel, as `zoo/saved_models`; all else is in pyproject.toml.

Which ones, says `zoo/catalog/entries.toml`: what a user has saved beside them stays out. In a clone
and in an editable install they stay where they are.
"""

import json
import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MODELS = "saved_models"


def model_files() -> list[str]:
    """Of each entry the card, its pictures, the results, and the version that these are about."""
    entries = tomllib.loads((ROOT / "zoo/catalog/entries.toml").read_text("utf-8"))
    found: list[Path] = []
    for name in entries:
        folder = ROOT / MODELS / name
        version = json.loads((folder / "results.json").read_text("utf-8"))["version"]
        found += [folder / "README.md", *sorted(folder.glob("*.png")), folder / "results.json"]
        found += sorted(path for path in (folder / str(version)).rglob("*") if path.is_file())
    return [path.relative_to(ROOT).as_posix() for path in found]


class BuildWithModels(build_py):
    """Copies the models beside the packages' own files."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._models().items():
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def _models(self) -> dict[str, str]:
        return {path: str(Path(self.build_lib, "zoo", path)) for path in model_files()}

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *model_files()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        models = [] if self.editable_mode else self._models().values()
        return [*super().get_outputs(include_bytecode), *models]


setup(cmdclass={"build_py": BuildWithModels})
