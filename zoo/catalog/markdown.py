"""Generated parts of Markdown files, each between two markers that bear its name."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zoo import files


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Example:
        >>> print(table(["cell", "gates"], [["gru", "2"], ["lstm", "3"]]), end="")
        | cell | gates |
        | --- | --- |
        | gru | 2 |
        | lstm | 3 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def replace(markdown: str, name: str, content: str) -> str:
    """The text with this content between the markers of a name.

    Raises:
        ValueError: the text has no such markers.

    Example:
        >>> text = "A table: <!-- t: begin -->\\n<!-- t: end -->"
        >>> replace(text, "t", "a row\\n")
        'A table: <!-- t: begin -->\\na row\\n<!-- t: end -->'
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in markdown or end not in markdown:
        raise ValueError(f"expected the lines {begin.strip()!r} and {end!r} in the Markdown file")
    before, rest = markdown.split(begin)
    return before + begin + content + end + rest.split(end)[1]


def replace_in_file(path: str | os.PathLike, name: str, content: str) -> None:
    """Writes this content between the markers of a name in a file.

    Raises:
        ValueError: the file has no such markers.
    """
    with open(path, encoding="utf-8") as file:
        text = replace(file.read(), name, content)
    files.write_text(path, text)
