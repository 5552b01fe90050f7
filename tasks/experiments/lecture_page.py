"""The page "The lecture in pictures": each claim with its command, its figure and what came."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tasks.framework import tables

PAGE = "lecture.md"
_HEAD = """# The lecture in pictures

What Andrew Ng's *Sequence Models*, week 1, claims, each measured by one command on two cores. The
numbers of a figure are in the JSON file of its name beside it, and this page is made from those by
`python -m tasks.results`.
"""


@dataclasses.dataclass(frozen=True)
class Claim:
    """Something that the lecture says.

    Attributes:
        title: in a few words.
        says: the claim, a sentence.
        name: of the JSON file with what was measured, without its ending.
        found: says what came, a sentence, of what the file holds.
        figures: the pictures, by default the PNG of the same name.
        more: another file with numbers that a reader may want, such as a page.
    """

    title: str
    says: str
    name: str
    found: Callable[[Mapping[str, Any]], str]
    figures: tuple[str, ...] = ()
    more: str = ""


def page(docs: Path) -> str:
    """The page, of all claims that were measured, as Markdown.

    Args:
        docs: folder of the JSON files and figures.
    """
    parts = [_HEAD]
    for claim in CLAIMS:
        path = docs / f"{claim.name}.json"
        if path.exists():
            parts.append(_section(claim, json.loads(path.read_text("utf-8"))))
    return "\n".join(parts)


def _section(claim: Claim, found: Mapping[str, Any]) -> str:
    figures = claim.figures or (f"{claim.name}.png",)
    shown = "\n\n".join(f"![{claim.title}]({figure})" for figure in figures)
    more = f" [{claim.more}]({claim.more})" if claim.more else ""
    return (
        f"## {claim.title}\n\n{claim.says} {claim.found(found)}{more}\n\n"
        f"`{found['command']}`\n\n{shown}\n"
    )


# --- What came -----------------------------------------------------------------------------------


def _flow(found: Mapping[str, Any]) -> str:
    at = found["distances"].index(100)
    fresh, trained = (found[state]["RNN"][at] for state in ("fresh", "trained"))
    gated = {name: found["trained"][name][at] for name in ("GRU", "LSTM")}
    before = found["fresh"]["GRU"][at]
    return (
        f"At a distance of 100 steps, {fresh:.0e} of the gradient is left in a fresh RNN and "
        f"{trained:.0e} in a trained one; {before:.0e} in a fresh GRU, whose gates are half open, "
        f"and {gated['GRU']:.0e} in a trained one; {gated['LSTM']:.0e} in a trained LSTM."
    )


def _radius(found: Mapping[str, Any]) -> str:
    # Of a linear network the radius alone would decide; tanh makes what grows saturate.
    at = found["distances"].index(100)
    small, large = (found["norms"][radius][at] for radius in ("0.5", "1.5"))
    return (
        f"With a spectral radius of W_aa of 0.5, {small:.0e} is left after 100 steps; with 1.5 the "
        f"gradient is {large:.3g} times as large."
    )


def _exploding(found: Mapping[str, Any]) -> str:
    plain = [run for run in found["runs"] if not run["clip_norm"]]
    clipped = [run for run in found["runs"] if run["clip_norm"]]
    largest = max(run["largest_norm"] for run in plain if run["largest_norm"] is not None)
    broken, left = (sum(run["nan_steps"] for run in runs) for runs in (plain, clipped))
    return (
        f"Without clipping the norm reached {largest:.0e} and {broken:,} steps were NaN; with "
        f"--clip_norm={clipped[0]['clip_norm']:g} and the same seeds, {left:,}."
    )


def _influences(found: Mapping[str, Any]) -> str:
    return (
        f"Of {found['model']}, which reads in both directions: each row is a word that it decides "
        "on, each column a word that moves the decision, and the words behind a name move it too."
    )


def _agreement(found: Mapping[str, Any]) -> str:
    shares = []
    for row in found["rows"]:
        *_, (most, seeds) = row["shares"]["attractors"].items()
        shares.append(f"{sum(seeds) / len(seeds):.0%} ({row['network']})")
    return (
        f"Past {most} nouns of the other number the verb is right in {', '.join(shares)}; half is "
        "chance."
    )


def _long_memory(found: Mapping[str, Any]) -> str:
    said = []
    for task in found["tasks"]:
        each = ((name, tables.solved_up_to(found, task, cell)) for cell, name in _cells(found))
        said.append(f"{task}: " + ", ".join(f"{name} {n or 'none'}" for name, n in each))
    return (
        "Of equal numbers of parameters, the longest T that at least two thirds of the seeds "
        f"solve: {'; '.join(said)}."
    )


def _cells(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    cells = dict.fromkeys(row["cell"] for row in found["summary"])
    return [(cell, found["cells"][cell]) for cell in cells]


def _gates(found: Mapping[str, Any]) -> str:
    best = found["units"][0]
    return (
        f"Of {found['model']}, unit {best['unit']}: over {found['sentences']:,} sentences Γu is "
        f"{best['opened']:.2f} at the subject and, on average, at most {best['between']:.2f} "
        "between it and the verb, and a threshold on its c tells the number in "
        f"{best['tells']:.0%} of sentences."
    )


def _attention(found: Mapping[str, Any]) -> str:
    bleu, words = found["bleu"], [*found["words"].values()]
    plain, attending = (bleu[name] for name in ("LSTM", "LSTM, attention"))
    return (
        f"From sentences of {words[0]:.0f} words to those of {words[-1]:.0f}, the plain network "
        f"falls from {plain[0]:.0f} to {plain[-1]:.0f} BLEU, the one with attention from "
        f"{attending[0]:.0f} to {attending[-1]:.0f}."
    )


CLAIMS = (
    Claim(
        "Vanishing gradients",
        "An output far away hardly changes what an early step learns: its gradient shrinks with "
        "every step back, and gates can learn to let it pass.",
        "gradient_flow",
        _flow,
    ),
    Claim(
        "Vanishing on one side, exploding on the other",
        "Back-propagation through T steps multiplies T matrices, and what becomes of the product "
        "hangs on the size of W_aa.",
        "gradient_radius",
        _radius,
    ),
    Claim(
        "Clipping",
        "Exploding gradients show as NaN, and clipping the norm of the gradient is a robust way "
        "out.",
        "exploding",
        _exploding,
    ),
    Claim(
        "The cat, which already ate, was full",
        "The verb depends on a noun many words before, which a plain RNN of as many units forgets "
        "and gates keep; one of as many recurrent weights as the LSTM keeps it too.",
        "agreement",
        _agreement,
    ),
    Claim(
        "A gate that remembers",
        "Γu is near 1 where the subject is read, and near 0 until its verb, so that c carries the "
        "number across.",
        "gates_cat",
        _gates,
    ),
    Claim(
        "Where each cell gives up",
        "Gates carry what was read over a hundred steps and more, where a plain RNN has lost it; "
        "not in every task, and not every gated cell.",
        "long_memory",
        _long_memory,
    ),
    Claim(
        "Teddy bears, Teddy Roosevelt",
        "Whether Teddy is a name is decided by words that come later, so a tagger has to read in "
        "both directions.",
        "influences",
        _influences,
        figures=("influences.png", "influences_2.png"),
        more="influences.html",
    ),
    Claim(
        "Many-to-many of different length",
        "An encoder hands one state to a decoder, and a long sentence does not fit into it; what "
        "helps is attention, which the course has later.",
        "attention",
        _attention,
    ),
)
