"""Models that know text, and the trained ones that load in one line.

What a name needs is imported when it is asked for: `zoo.connect` and `zoo.list_models` need neither
TensorFlow nor Keras.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from zoo import lazy

if TYPE_CHECKING:
    from zoo.catalog.building import build, keras_model
    from zoo.catalog.loading import Model, load, session
    from zoo.saving.versions import list_models
    from zoo.serving.client import connect

__all__ = [
    "Model",
    "__version__",
    "build",
    "connect",
    "keras_model",
    "list_models",
    "load",
    "session",
]

__version__ = "0.2.0"

_MODULES = {
    "Model": "catalog.loading",
    "build": "catalog.building",
    "keras_model": "catalog.building",
    "connect": "serving.client",
    "list_models": "saving.versions",
    "load": "catalog.loading",
    "session": "catalog.loading",
}
_PACKAGES = ("catalog", "configuration", "decoding", "models", "saving", "serving", "text")
__getattr__, __dir__ = lazy.attributes(__name__, _MODULES, _PACKAGES)

# A model is read from a `.keras` file by the name under which its class is registered. Who has
# imported Keras before us may call `keras.models.load_model` next: so our classes are registered.
# Who imports Keras after us imports `zoo.models` too: nothing tells us of what is imported later.
if "keras" in sys.modules:
    importlib.import_module("zoo.models")
