"""The pictures of the methods are drawn by the code as it is, and say what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "explanation" / "methods").glob("*.md"))
PICTURE = re.compile(r"!\[([^\]]+)\]\(([^)]+)/([a-z-]+)\.svg\)\n\n\*(.+)\*\n")


def drawn_into(folder: Path) -> dict[str, str]:
    """Draw every picture anew."""
    command = [sys.executable, "-W", "error", "scripts/pictures.py", "--into", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.svg")}


def test_the_pictures_are_those_of_the_pages_and_show_what_the_code_finds_now(
    tmp_path: Path,
) -> None:
    """One test, for to draw them takes longest."""
    drawn = drawn_into(tmp_path)
    shown = [match for page in PAGES for match in PICTURE.finditer(page.read_text())]
    kept = {path.stem for path in (ROOT / "docs/pictures/methods").glob("*.svg")}
    assert {match[3] for match in shown} == kept == set(drawn)
    for match in shown:
        label = ElementTree.fromstring(drawn[match[3]]).get("aria-label")
        assert match[4] == label, f"{match[3]}: run `make docs`"
    for name, drawing in drawn.items():
        assert "prefers-color-scheme:dark" in drawing, name
        assert 'fill="var(--paper)"' in drawing, name
        assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", drawing), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_on_a_method_says_what_it_answers_and_when_not_to_trust_it(page: Path) -> None:
    text = page.read_text()

    assert "**Question**" in text
    assert "\n## What it promises\n" in text
    assert "\n## When not to trust it\n" in text
    assert PICTURE.search(text), "no picture"


def test_every_page_on_a_method_is_linked_from_the_page_on_statistics() -> None:
    index = (ROOT / "docs/explanation/statistics.md").read_text()

    assert [page.name for page in PAGES if f"(methods/{page.name})" not in index] == []
