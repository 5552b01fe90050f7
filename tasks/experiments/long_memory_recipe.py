"""How a network of `tasks.long_memory` is made and trained, and what of it is changed to see
whether it matters."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.configuration import Configuration, option

INITIALIZERS = ("orthogonal", "glorot_uniform", "identity")


@dataclasses.dataclass(frozen=True)
class Recipe(Configuration):
    """What all networks of a run have in common, whatever their cell and task."""

    units: int = option(
        32, "Of the LSTM; the other cells have as many as give as many parameters.", at_least=1
    )
    forget_bias: float = option(
        1.0, "Before training, b_f of an LSTM, -b_u of a GRU: above 0, they begin by keeping c."
    )
    recurrent_initializer: str = option(
        "orthogonal", "Of the recurrent weights of each gate.", choices=INITIALIZERS
    )
    clip_norm: float = option(
        1.0, "Gradients are clipped to this global norm; 0: not at all.", at_least=0
    )
    learn_initial_state: bool = option(False, "Train a<0> and c<0>; else they are zeros.")
    layer_normalization: bool = option(False, "Normalize what the gates are made of.")
    zoneout: float = option(
        0.0, "Share of the units that keep their state at a step.", at_least=0, at_most=0.99
    )
    updates: int | None = option(
        None, "A training has so many at most. Default: what the task takes.", at_least=1
    )
    batch_size: int = option(32, "Sequences of an update.", at_least=1)
    learning_rate: float = option(0.002, "Of Adam.", at_least=1e-9)
    digits: str = option(
        "rows",
        "With --tasks=digits, what is read at a step: a row of 28 pixels, or one of 784.",
        choices=("rows", "pixels"),
    )

    def layer(self) -> dict[str, Any]:
        """The arguments of the recurrent layer, but for the bias; what is not asked for is left
        out."""
        asked: dict[str, Any] = {
            "learn_initial_state": self.learn_initial_state,
            "layer_normalization": self.layer_normalization,
            "zoneout": self.zoneout,
        }
        given = {name: value for name, value in asked.items() if value}
        return {"recurrent_initializer": self.recurrent_initializer, **given}


# One at a time, each in place of what the recipe has.
_CHANGES: tuple[tuple[str, Any], ...] = (
    ("forget_bias", 0.0),
    ("forget_bias", 1.0),
    ("forget_bias", 4.0),
    ("recurrent_initializer", "orthogonal"),
    ("recurrent_initializer", "glorot_uniform"),
    ("clip_norm", 0.0),
    ("clip_norm", 1.0),
    ("learn_initial_state", True),
    ("layer_normalization", True),
    ("zoneout", 0.1),
)


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """Recipes with one change each, by the flag that makes it.

    Example:
        >>> list(variants(Recipe()))[:3]
        ['--forget_bias=0', '--forget_bias=4', '--recurrent_initializer=glorot_uniform']
    """
    return {
        _flag(name, value): recipe.replace(**{name: value})
        for name, value in _CHANGES
        if getattr(recipe, name) != value
    }


def _flag(name: str, value: Any) -> str:
    if value is True:
        return f"--{name}"
    return f"--{name}={value:g}" if isinstance(value, float) else f"--{name}={value}"
