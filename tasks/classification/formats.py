"""Classified texts as text: for a terminal."""

from __future__ import annotations

from zoo.predictions import Classified


def line(one: Classified, colour: bool) -> str:
    """The label, its probability, and the text on one line."""
    label = f"{one.label} {one.probability:.1%}"
    text = " ".join(one.text.split())
    return f"\033[1m{label}\033[0m  {text}" if colour else f"{label}  {text}"
