"""Influences between words, for a terminal, and as one HTML file that needs no network."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Sequence

import numpy as np

from tasks.experiments.influences import Influences
from tasks.experiments.pages import page
from tasks.experiments.words import visible

_SHADES = " ░▒▓█"
# Of longer texts a terminal shows the words alone.
_MOST_SHADES = 60
_NAMED = 3


def as_text(found: Influences) -> str:
    """A row for each decision, darker where a word moves it more, and the words that move it most.

    Example:
        >>> values = np.array([[0.0, 0.0], [2.0, 1.0]])
        >>> print(as_text(Influences(["A", "cat"], ["30%", "9%"], values)))
        A 30%  |  |
        cat 9% |█▒| A  cat 0.50
    """
    said = labels(found)
    width = max(map(_columns, said))
    lines = []
    for label, shares, named in zip(said, found.shares(), _named(found), strict=True):
        shades = "".join(_SHADES[int(np.ceil(4 * share - 0.05))] for share in shares)
        shades = f"|{shades}|" if len(shades) <= _MOST_SHADES else "|"
        lines.append(f"{label}{' ' * (width - _columns(label))} {shades} {named}".rstrip())
    return "\n".join(lines)


def labels(found: Influences) -> list[str]:
    """What was said, each of a word behind that word."""
    if found.whole:
        return list(map(visible, found.decisions))
    pairs = zip(found.decided, found.decisions, strict=True)
    return [f"{visible(word)} {visible(said)}" for word, said in pairs]


def _named(found: Influences) -> list[str]:
    """For each decision the words that move it most, each but the first with its share."""
    rows = []
    for shares in found.shares():
        best = [i for i in np.argsort(-shares, kind="stable")[:_NAMED] if shares[i] > 0]
        each = [f"{visible(found.words[i])} {shares[i]:.2f}" for i in best]
        rows.append("  ".join(each).replace(" 1.00", "", 1))
    return rows


def _columns(word: str) -> int:
    """How many columns of a terminal a word takes."""
    wide = {"W": 2, "F": 2}
    return sum(
        0 if unicodedata.combining(c) else wide.get(unicodedata.east_asian_width(c), 1)
        for c in word
    )


def as_html(found: Sequence[Influences], title: str) -> str:
    """A page: a click on a word, or a key, shows what moves what is said of it.

    Without scripts it is the texts, and a list of the words that matter most.
    """
    parts = [_section(number, one) for number, one in enumerate(found, start=1)]
    return page(title, [_ABOUT, *parts], _STYLE, _SCRIPT)


def _section(number: int, one: Influences) -> str:
    """A text. Each word is a button where it is decided about, and so is what is said of all."""
    undecided = len(one.words) - len(one.decided)
    words = [_word(word) for word in one.words[:undecided]]
    for i, word in enumerate(one.decided):
        words.append(_button("word", word, i, one.decisions[i]))
    whole = [_button("whole", one.decisions[0], 0, "the whole text")] if one.whole else []
    rows = [
        f"<li>{html.escape(label)}: {html.escape(named) or '–'}</li>"
        for label, named in zip(labels(one), _named(one), strict=True)
    ]
    shares = json.dumps([[round(float(v), 3) for v in row] for row in one.shares()])
    lines = [
        f'<section data-shares="{shares}">',
        f"<h2>Text {number}</h2>",
        *(f"<p>{button}</p>" for button in whole),
        *('<p class="words">', *words, "</p>"),
        '<p class="said" aria-live="polite"></p>',
        *("<details><summary>In words</summary>", "<ul>", *rows, "</ul>", "</details>"),
        "</section>",
    ]
    return "\n".join(lines)


def _word(word: str) -> str:
    return f'<span class="word">{html.escape(visible(word))}</span>'


def _button(kind: str, shown: str, decision: int, title: str) -> str:
    return (
        f'<button class="{kind}" data-decision="{decision}" title="{html.escape(visible(title))}" '
        f'aria-pressed="false">{html.escape(visible(shown))}</button>'
    )


_ABOUT = """\
<p>Click a word, or go to it by the tabulator and press Enter: the darker another one is, the more
it moves what the model says there. Shares of the largest ‖∂s/∂x&lt;t&gt;‖.</p>"""

_STYLE = """\
.word, .whole { font: inherit; color: inherit; border: 0; border-radius: .2em;
  padding: .1em .2em; background: none; }
button { cursor: pointer; }
.whole { border: 2px solid #000; }
button[aria-pressed="true"] { outline: 3px solid #000; }
button:focus-visible { outline: 3px dashed #000; }
.said { min-height: 1.9em; }
li { line-height: 1.5; }"""

_SCRIPT = """\
for (const section of document.querySelectorAll("section")) {
  const shares = JSON.parse(section.dataset.shares);
  const words = [...section.querySelectorAll(".word")];
  const buttons = [...section.querySelectorAll("button")];
  const show = (button) => {
    for (const one of buttons) one.setAttribute("aria-pressed", one === button);
    shares[button.dataset.decision].forEach((share, i) => {
      words[i].style.background = `rgb(0 0 0 / ${share})`;
      words[i].style.color = share > 0.55 ? "#fff" : "#000";
    });
    section.querySelector(".said").textContent =
      section.querySelectorAll("li")[button.dataset.decision].textContent;
  };
  for (const one of buttons) one.addEventListener("click", () => show(one));
  show(buttons[buttons.length - 1]);
}"""
