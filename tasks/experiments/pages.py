"""HTML pages that are one file each, and need no network."""

from __future__ import annotations

import html
from collections.abc import Sequence


def page(title: str, parts: Sequence[str], style: str, script: str) -> str:
    """A page in black on white, which loads nothing.

    Args:
        title: as plain text.
        parts: of its body, below the title, as HTML.
        style: CSS beside that of all pages.
        script: runs when the parts are there.

    Example:
        >>> page("a < b", ["<p>text</p>"], "", "").count("a &lt; b")
        2
    """
    title = html.escape(title)
    return _PAGE.format(title=title, parts="\n".join(parts), style=style, script=script)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 20px/1.9 Georgia, serif; max-width: 46em; margin: 3em auto; padding: 0 1em;
  color: #000; background: #fff; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{parts}
<script>
{script}
</script>
</body>
</html>
"""
