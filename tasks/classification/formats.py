"""Classified texts as text: for a terminal, as TSV, as JSON lines."""

from __future__ import annotations

import dataclasses
import json

from zoo.predictions import Classified


def line(one: Classified, colour: bool) -> str:
    label = f"{one.label} {one.probability:.1%}"
    text = " ".join(one.text.split())
    return f"\033[1m{label}\033[0m  {text}" if colour else f"{label}  {text}"


def json_line(one: Classified) -> str:
    return json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n"


def tab_separated(one: Classified) -> str:
    """Label, probability and text, the text on one line."""
    text = " ".join(one.text.split())
    return f"{one.label}\t{one.probability:.6f}\t{text}\n"
