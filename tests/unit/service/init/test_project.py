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


def test_the_folder_where_one_stands_is_filled_and_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino

    assert run(["init", "."]) == 0
    assert "wrote 6 files to .:\n  .gitignore\n" in capsys.readouterr().out
    assert Path.cwd().stat().st_ino == before
    assert sorted(path.name for path in Path.cwd().iterdir()) == [
        ".gitignore",
        "README.md",
        "data",
        "models",
        "train.py",
        "watchkeeper.yaml",
    ]


def test_a_folder_that_cannot_be_filled_is_left_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target == tmp_path / "train.py":
            raise OSError(28, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


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
