"""Models that know text, and the trained ones that load in one line."""

from zoo.catalog.building import build
from zoo.catalog.loading import Model, list_models, load
from zoo.serving.client import connect

__all__ = ["Model", "build", "connect", "list_models", "load"]
