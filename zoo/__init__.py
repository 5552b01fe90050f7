"""Models that know text, and the trained ones that load in one line."""

from zoo.building import build
from zoo.client import connect
from zoo.loading import Model, list_models, load

__all__ = ["Model", "build", "connect", "list_models", "load"]
