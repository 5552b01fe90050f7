"""Gates over words, for a terminal, and as one HTML file that needs no network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence

import numpy as np

from tasks.experiments.gate_readers import SYMBOLS, Gates
from tasks.experiments.pages import page
from tasks.experiments.words import visible

# Steps in which a page shows a value: a byte each.
_STEPS = 127


def as_text(one: Gates, place: str, unit: int) -> str:
    """The gates of a unit, a row for each word.

    Example:
        >>> values = {"gate_u": np.array([[0.5], [1.0]]), "c": np.array([[0.2], [-1.0]])}
        >>> print(as_text(Gates(["The", "cat"], {"layer_1": values}), "layer_1", 0))
        layer_1, unit 0
           Γu     c
         0.50  0.20 The
         1.00 -1.00 cat
    """
    values = one.values[place]
    lines = [f"{place}, unit {unit}", "".join(f"{SYMBOLS[name]:>6s}" for name in values)]
    # A combining character takes no column.
    lines[1] = lines[1].replace(f"    {SYMBOLS['c_tilde']}", f"     {SYMBOLS['c_tilde']}")
    for i, word in enumerate(one.words):
        numbers = "".join(f"{each[i, unit]:6.2f}" for each in values.values())
        lines.append(f"{numbers[1:]} {visible(word)}")
    lines[1] = lines[1][1:]
    return "\n".join(f" {line}" if i else line for i, line in enumerate(lines))


def as_html(found: Sequence[Gates], title: str, place: str, unit: int) -> str:
    """A page: the texts coloured by a gate or state of a unit, all to be chosen.

    Args:
        found: the gates over each text, of one model.
        title: of the page.
        place: the layer and direction that are shown first.
        unit: that is shown first.
    """
    of_place = found[0].values[place]
    gates = [f'<option value="{name}">{SYMBOLS[name]}</option>' for name in of_place]
    places = [
        f"<option{' selected' if one == place else ''}>{html.escape(one)}</option>"
        for one in found[0].values
    ]
    controls = [
        '<form class="chosen">',
        f'<label>layer <select name="place">{"".join(places)}</select></label>',
        f'<label>gate or state <select name="gate">{"".join(gates)}</select></label>',
        f'<label>unit <input name="unit" type="number" min="0" value="{unit}"></label>',
        "</form>",
        "<noscript><p>The colours need scripts; all numbers are in gates.json.</p></noscript>",
    ]
    sections = [_section(number, one) for number, one in enumerate(found, start=1)]
    return page(title, [_ABOUT, *controls, *sections], _STYLE, _SCRIPT)


def _section(number: int, one: Gates) -> str:
    words = [
        f'<span class="word">{html.escape(visible(word))}<small></small></span>'
        for word in one.words
    ]
    stored = {
        place: {name: _stored(values) for name, values in each.items()}
        for place, each in one.values.items()
    }
    lines = [
        f'<section data-gates="{html.escape(json.dumps(stored))}">',
        f"<h2>Text {number}</h2>",
        *('<p class="words">', *words, "</p>"),
        "</section>",
    ]
    return "\n".join(lines)


def _stored(values: np.ndarray) -> dict:
    """Values `[words, units]` as bytes in base64, and what 127 stands for."""
    most = max(1.0, float(np.abs(values).max()))
    steps = np.rint(values / most * _STEPS).astype(np.int8)
    content = base64.b64encode(steps.tobytes()).decode("ascii")
    return {"most": most, "units": values.shape[1], "steps": content}


_ABOUT = """\
<p>Choose a layer, a gate or state and a unit; the arrow keys go from unit to unit. The darker a
word, the larger the value when it is read, which stands below it; negative ones are framed.</p>"""

_STYLE = """\
.chosen { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #000; }
.chosen label { margin-right: 1em; }
select, input { font: inherit; color: inherit; }
input { width: 5em; }
.words { line-height: 2.6; }
.word { display: inline-block; line-height: 1.2; text-align: center; padding: .1em .25em;
  margin: .1em; border: 2px solid transparent; border-radius: .2em; }
.word small { display: block; font: 12px sans-serif; }"""

_SCRIPT = """\
const form = document.querySelector(".chosen");
const texts = [...document.querySelectorAll("section")].map((section) => ({
  words: [...section.querySelectorAll(".word")],
  gates: JSON.parse(section.dataset.gates),
}));
const show = () => {
  for (const { words, gates } of texts) {
    const { most, units, steps } = gates[form.place.value][form.gate.value];
    form.unit.max = units - 1;
    const unit = Math.max(0, Math.min(units - 1, form.unit.valueAsNumber || 0));
    const bytes = Uint8Array.from(atob(steps), (c) => c.charCodeAt(0));
    words.forEach((word, i) => {
      const share = new Int8Array(bytes.buffer)[i * units + unit] / 127;
      word.style.background = `rgb(0 0 0 / ${Math.abs(share)})`;
      word.style.color = Math.abs(share) > 0.55 ? "#fff" : "#000";
      word.style.borderColor = share < 0 ? "#d95f02" : "transparent";
      word.querySelector("small").textContent = (share * most).toFixed(2);
    });
  }
};
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();"""
