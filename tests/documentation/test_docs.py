"""The documents say what the code does: settings, commands, links and runnable blocks."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from service.cli.commands import COMMANDS
from service.cli.run import load
from watchkeeper.configuration import settings_of
from watchkeeper.document import read_document
from watchkeeper.environment import variable_of
from watchkeeper.model_settings import ModelSettings, load_model
from watchkeeper.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAX_README_LINES = 120
KNOWN = {entry.name for entry in COMMANDS} | {"COMMAND", "--help", "--version"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Yield the fenced blocks of one language: what follows the language, and the text."""
    pattern = rf"^```{language}([^\n]*)\n(.*?)^```$"
    for match in re.finditer(pattern, page.read_text(), re.MULTILINE | re.DOTALL):
        yield match[1].strip(), match[2]


def reference_script() -> ModuleType:
    path = ROOT / "scripts" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/reference/*.md")), ids=name_of)
def test_the_generated_parts_of_the_reference_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert reference_script().render(text) == text, "run `make docs`"


def test_every_setting_and_variable_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/configuration.md").read_text()
    service = [place for place in settings_of(Settings) if place != ("home",)]

    names = [".".join(map(str, place)) for place in [*service, *settings_of(ModelSettings)]]
    assert [name for name in names if f"| `{name}` |" not in text] == []
    assert [place for place in service if variable_of(place) not in text] == []


def test_every_command_and_option_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/command-line.md").read_text()

    for entry in COMMANDS:
        assert f"`watchkeeper {entry.name}" in text
        for param in load(entry).params:
            assert all(f"`{option}`" in text for option in param.opts if option.startswith("-"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_resolves(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target} in {name_of(page)}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{target} in {name_of(page)}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_in(code: str) -> set[str]:
    return set(re.findall(r"(?:^|\s|\$ )watchkeeper ([a-z-]+|COMMAND)\b", f" {code}", re.M))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    code = re.findall(r"^```(?:sh|console)?\n(.*?)^```$|`([^`\n]+)`", page.read_text(), re.M | re.S)
    named = {name for block in code for text in block for name in commands_in(text)}
    assert named <= KNOWN, named - KNOWN


def test_every_command_that_a_web_page_names_exists() -> None:
    pages = [path.read_text() for path in ROOT.glob("reports/templates/*.j2")]
    code = re.findall(r"<(?:pre|code)[^>]*>(.*?)</(?:pre|code)>", "\n".join(pages), re.S)
    named = {name for text in code for name in commands_in(text)}
    assert {"init", "up", "demo"} <= named <= KNOWN, named - KNOWN


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_whole_model_file_in_a_page_is_valid(page: Path, tmp_path: Path) -> None:
    for index, (_, text) in enumerate(blocks(page, "yaml")):
        path = tmp_path / f"block-{index}.yaml"
        path.write_text(text, encoding="utf-8")
        data = read_document(path).data
        if "model" in data:
            load_model(path, {})
        elif set(data) <= set(Settings.model_fields):
            path.rename(tmp_path / "watchkeeper.yaml")
            load_settings(tmp_path, exports(page))


def exports(page: Path) -> dict[str, str]:
    """Return the variables that a page says to set."""
    code = "\n".join(text for language in ("sh", "") for _, text in blocks(page, language))
    return dict(re.findall(r"^export (WATCHKEEPER_\w+)=(\S+)", code, re.MULTILINE))


def runnable() -> list[tuple[Path, list[str]]]:
    """Return the blocks that a page marks as `run`, each as the command that runs it."""
    runners = {"python": [sys.executable, "-W", "error", "-c"], "sh": ["bash", "-euc"]}
    return [
        (page, [*runner, text])
        for page in PAGES
        for language, runner in runners.items()
        for mark, text in blocks(page, language)
        if mark == "run"
    ]


@pytest.mark.parametrize(
    ("page", "command"), runnable(), ids=lambda value: getattr(value, "stem", None)
)
def test_every_runnable_block_runs(page: Path, command: list[str], tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{name_of(page)}:\n{done.stdout}\n{done.stderr}"


def test_the_readme_is_short_and_has_a_runnable_example() -> None:
    readme = ROOT / "README.md"

    assert len(readme.read_text().splitlines()) <= MAX_README_LINES
    assert readme in {page for page, _ in runnable()}


def test_the_words_of_the_glossary_are_sorted() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = [word.lower() for word in re.findall(r"^\*\*([^*]+)\*\*", text, re.MULTILINE)]
    assert words == sorted(words)
    assert len(words) > 20
