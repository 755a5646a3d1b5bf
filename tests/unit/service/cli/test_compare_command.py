"""`compare` writes what was asked for, in words and for machines, and ends with a fitting code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from service.cli.run import run


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str]:
    draw = np.random.default_rng(0)
    reference = pd.DataFrame(
        {"x": draw.normal(size=2_000), "same": draw.normal(size=2_000), "[red]": ["a", "b"] * 1_000}
    )
    current = pd.DataFrame(
        {"x": draw.normal(1, 1, 900), "same": draw.normal(size=900), "[red]": ["a", "b", "a"] * 300}
    )
    names = (str(tmp_path / "reference.parquet"), str(tmp_path / "current.parquet"))
    reference.to_parquet(names[0])
    current.to_parquet(names[1])
    return names


def test_the_worst_column_comes_first_in_plain_words(
    tables: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *tables]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("x ")
    assert "large change" in lines[1]
    assert any(line.startswith("[red]") for line in lines)
    assert any(line.startswith("critical: ") for line in lines)


def test_json_on_standard_output_is_alone_there(
    tables: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *tables, "--json", "-", "--columns", "x, same"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in result["columns"]] == ["x", "same"]
    assert (result["n_reference"], result["n_current"], result["status"]) == (
        2_000,
        900,
        "critical",
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-on", "warning"], 2),
        (["--fail-on", "critical"], 2),
        (["--fail-on", "critical", "--columns", "same"], 0),
        (["--columns", "gone"], 1),
    ],
)
def test_the_exit_code_tells_a_pipeline_what_to_do(
    tables: tuple[str, str], options: list[str], code: int
) -> None:
    assert run(["compare", *tables, *options]) == code


def test_a_refusal_is_one_line_on_standard_error(
    tables: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("x,same\n1,2\n3\n")
    assert run(["compare", tables[0], str(tmp_path / "bad.csv")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"watchkeeper: {tmp_path}/bad.csv: line 3: expected 2 fields, got 1\n"


def test_the_page_stands_alone_and_escapes_names(tables: tuple[str, str], tmp_path: Path) -> None:
    for name in tables:
        pd.read_parquet(name).rename(columns={"x": "<script>x"}).to_parquet(name)
    page = tmp_path / "page.html"
    assert run(["compare", *tables, "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;x" in text
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert text.count("<svg") == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--html", "none/page.html"], "none/page.html: cannot be written: No such file or direct"),
        (["--html", "-"], "--html: expected the name of a file for the page"),
        (["--fail-on", "foo"], "Invalid value for '--fail-on': 'foo' is not one of 'warning', "),
    ],
)
def test_a_place_that_cannot_be_written_and_a_strange_option_are_named(
    tables: tuple[str, str],
    options: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(Path(tables[0]).parent)
    assert run(["compare", *tables, *options]) == 1
    assert capsys.readouterr().err.startswith(f"watchkeeper: {said}")


@pytest.mark.skipif(
    importlib.util.find_spec("evidently") is not None, reason="Evidently is installed"
)
def test_evidently_that_is_not_installed_is_named_with_its_extra(
    tables: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *tables, "--evidently", str(tmp_path / "page.html")]) == 1
    assert "watchkeeper[evidently]" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("evidently") is None, reason="Evidently is an extra")
def test_evidently_writes_its_page_from_samples(tables: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(["compare", *tables, "--evidently", str(page)]) == 0
    assert page.stat().st_size > 100_000
