"""Draws the pictures of the pages on methods: seeded simulations by the project's own code."""

from __future__ import annotations

import argparse
import re
import sys
from html import unescape
from pathlib import Path

from drawings import ALL
from drawings.picture import Picture

from reports.charts import draw
from reports.charts.palette import VARIABLES

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures" / "methods"
PAGES = ROOT / "docs" / "explanation" / "methods"
STYLE = ROOT / "reports" / "assets" / "watchkeeper.css"

_OPENING = re.compile(r'(<svg [^>]*)viewBox="0 0 ([\d.]+) ([\d.]+)">')
#: A picture in a page, with what was written under it before.
_PLACE = re.compile(
    r"!\[[^\]]*\]\(\.\./\.\./pictures/methods/([a-z-]+)\.svg\)\n(?:\n\*[^\n]*\*\n)?"
)
_SAID = re.compile(r'aria-label="([^"]*)"')


def main() -> int:
    """Draw every picture, and write what each shows beside it in the pages that name it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pictures whose name contains this")
    parser.add_argument("--into", type=Path, help="draw there, and leave the pages as they are")
    wanted = parser.parse_args()
    folder = wanted.into or PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in ALL.items():
        if wanted.only in name:
            drawn = standalone(picture())
            (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
            sys.stdout.write(f"{name}: {said(drawn)}\n")
    if wanted.into is None:
        for page in sorted(PAGES.glob("*.md")):
            _say(page)
    return 0


def standalone(picture: Picture) -> str:
    """Return a drawing that needs no page around it, on paper of its own, light or dark."""
    inline = draw.svg(draw.finished(picture.chart), alt=picture.finding, name="chart")
    head = f'width="\\2" height="\\3" viewBox="0 0 \\2 \\3"><style>{_colours()}</style>'
    paper = f'<rect width="\\2" height="\\3" fill="var({VARIABLES["#ffffff"]})"/>'
    return _OPENING.sub(rf"\1{head}{paper}", inline, count=1) + "\n"


def said(drawing: str) -> str:
    """Return what a drawing shows, in words."""
    found = _SAID.search(drawing)
    return unescape(found[1]) if found else ""


def _colours() -> str:
    """Return the colours of the pages for light and for dark."""
    style = STYLE.read_text(encoding="utf-8")
    light, dark = (
        ";".join(f"{name}:{value}" for name, value in re.findall(r"(--[a-z-]+): ([^;]+);", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    )
    kept = set(VARIABLES.values())
    light, dark = (
        ";".join(part for part in block.split(";") if part.split(":")[0] in kept)
        for block in (light, dark)
    )
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _say(page: Path) -> None:
    """Write under each picture of a page what it shows."""
    text = page.read_text(encoding="utf-8")

    def renew(match: re.Match[str]) -> str:
        name = match[1]
        drawing = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
        title = (ALL[name].__doc__ or "").strip().removesuffix(".")
        return f"![{title}](../../pictures/methods/{name}.svg)\n\n*{said(drawing)}*\n"

    fresh = _PLACE.sub(renew, text)
    if fresh != text:
        page.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
