"""Scored text as text: for a terminal."""

from __future__ import annotations

import math

from tasks.framework.evaluating import figure
from zoo.predictions import ScoredTokens


def line(one: ScoredTokens, colour: bool) -> str:
    """log P of the text, and the probability of each token."""
    pairs = zip(one.tokens, one.log_probabilities, strict=True)
    each = " ".join(f"{token}({math.exp(p):.2g})" for token, p in pairs)
    head = f"log P {one.log_probability:.3f}, perplexity {figure(one.perplexity, 2)}"
    return f"\033[1m{head}\033[0m  {each}" if colour else f"{head}  {each}"
