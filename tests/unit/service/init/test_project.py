"""A new project is written whole or not at all, and never over something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli.run import run
from service.init.project import create
from watchkeeper.errors import ConfigurationError, ConflictError


def test_it_writes_everything_that_a_project_needs(tmp_path: Path) -> None:
    files = create(tmp_path / "new")

    assert [path.relative_to(tmp_path / "new").as_posix() for path in files] == [
        ".gitignore",
        "README.md",
        "data/train.parquet",
        "models/example.yaml",
        "train.py",
        "watchkeeper.yaml",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


def test_an_empty_folder_is_filled_and_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert create(tmp_path / "empty")
    assert create(tmp_path / "deep" / "er")


def test_a_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["init", "loans"]) == 0
    assert capsys.readouterr().out.startswith("wrote 6 files to loans:\n  .gitignore\n")


def test_it_refuses_to_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(ConflictError, match="exists and is not an empty folder"):
        create(tmp_path)
    with pytest.raises(ConflictError, match="exists and is not an empty folder"):
        create(tmp_path / "notes.txt")
    assert run(["init", str(tmp_path)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(ConfigurationError, match="new: cannot be written: "):
        create(Path("/proc/new"))


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        create(tmp_path / "file" / "new")


def test_an_unknown_template_lists_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "new"), "--template", "ships"]) == 1
    assert "no template 'ships'; there is: example, flights" in capsys.readouterr().err
