"""Packages whose names are imported when they are asked for (PEP 562).

So a program can show its flags, and a client ask a server, before or without TensorFlow.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any


def attributes(
    package: str, modules: Mapping[str, str], packages: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        modules: by name, the module below it that defines the name.
        packages: names of packages below it.

    Example:
        >>> look_up, names = attributes("zoo", {"list_models": "saving.versions"}, ["text"])
        >>> {"list_models", "text"} <= set(names())
        True
        >>> look_up("list_models")("no/such/folder")
        []
    """

    def look_up(name: str) -> Any:
        if name in packages:
            return importlib.import_module(f"{package}.{name}")
        if name in modules:
            return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up, lambda: sorted({*vars(sys.modules[package]), *modules, *packages})
