"""One run of a cell over sequences, as far as it is known before the data."""

from __future__ import annotations

import dataclasses
from typing import Literal

from layers.engine.cell import Cell


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a cell runs over sequences. Plans are hashable: equal plans share compiled functions.

    Attributes:
        cell: the equations.
        units: number of units.
        reverse: from the last step to the first.
        sequences: whether the outputs of all steps are wanted, or only the last states.
        repeats: whether a padded step gives the output of the real step before it, in the direction
            of the run, and zeros before the first one. Otherwise it gives zeros.
        compiled: by XLA, or portable.
        by_hand: back-propagation as written in the cell, or automatic differentiation of `step`.
        cudnn: whether cuDNN takes the place of the loops: True, False, or `"auto"`, where it can.
        products: the name of the type in which all steps are multiplied at once, before the loop
            and behind the loop back; None for that of the tensors.
        keep: what to keep of each step: `"slopes"`, for back-propagation; `"quantities"`, for
            people who look at them; or `"nothing"`: a gradient that is asked for all the same then
            runs the forward pass once more. On the way back, `"derivatives"`: those by the states.

    Example:
        >>> Plan(GRU(4).cell, units=4) == Plan(GRU(4).cell, units=4)
        True
    """

    cell: Cell
    units: int
    reverse: bool = False
    sequences: bool = True
    repeats: bool = False
    compiled: bool = False
    by_hand: bool = True
    cudnn: bool | str = dataclasses.field(default="auto", compare=False)  # no loop asks for it
    products: str | None = dataclasses.field(default=None, compare=False)  # nor for this
    keep: Literal["slopes", "quantities", "nothing", "derivatives"] = "slopes"
