"""Packages whose names are imported when they are asked for (PEP 562).

So a program can show its flags, and a client ask a server, before or without TensorFlow.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def attributes(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        modules: by name, the module below it that defines the name.

    Example:
        >>> look_up, _ = attributes("zoo.saving", {"versions": "versions"})
        >>> look_up("versions")("no/such/folder")
        []
    """

    def look_up(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return look_up, lambda: sorted(modules)
