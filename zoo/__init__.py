"""Models that know text, and the trained ones that load in one line."""

from zoo.loading import Model, list_models, load

__all__ = ["Model", "list_models", "load"]
