"""Generated parts of Markdown files, each between two markers that bear its name."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def replace(markdown: str, name: str, content: str) -> str:
    """The text with this content between the markers of a name.

    Raises:
        ValueError: the text has no such markers.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in markdown or end not in markdown:
        raise ValueError(f"expected the lines {begin.strip()!r} and {end!r} in the Markdown file")
    before, rest = markdown.split(begin)
    return before + begin + content + end + rest.split(end)[1]


def replace_in_file(path: str, name: str, content: str) -> None:
    with open(path, encoding="utf-8") as file:
        text = replace(file.read(), name, content)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
