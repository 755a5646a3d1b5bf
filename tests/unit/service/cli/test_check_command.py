"""`check` reports everything that is wrong with a project, and a new project is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.check import check_project
from service.cli.run import run
from service.init.project import TEMPLATES, create


@pytest.fixture
def project(tmp_path: Path) -> Path:
    create(tmp_path / "project")
    return tmp_path / "project"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def problems(project: Path) -> list[str]:
    return [str(error).removeprefix(f"{project}/") for error in check_project(project, {})]


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_new_project_is_right(tmp_path: Path, template: str) -> None:
    create(tmp_path / "new", template)

    assert check_project(tmp_path / "new", {}) == []
    assert run(["check", "--home", str(tmp_path / "new")]) == 0


def test_every_error_is_one_line_and_the_exit_code_is_1(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project / "watchkeeper.yaml", "port: 8000", "prot: 8000")
    edit(project / "models" / "example.yaml", "owner:", "ownr:")

    assert run(["check", "--home", str(project)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("server.prot: unknown key; did you mean 'port'?")
    assert f"watchkeeper: {project}/models/example.yaml:4: ownr: unknown key" in lines[2]


def test_machines_get_the_same_facts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "models" / "example.yaml", "size: 1d", "size: 7h")

    assert run(["check", "--home", str(project), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "files": 2,
        "notes": [],
        "errors": [
            {
                "file": str(project / "models" / "example.yaml"),
                "line": 8,
                "field": "windows.size",
                "problem": "a window under a day must divide it, got 7h",
            }
        ],
    }


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "column: repaid",
            "column: repayd",
            "label.column: no column 'repayd' in train.parq",
        ),
        ("timestamp: timestamp", "timestamp: at", "5: timestamp: no column 'at' in train.parquet"),
        ("train.py:train", "train.py:fit", "retrain.command: train.py has no function 'fit'"),
        ("train.py:train", "trane.py:train", "retrain.command: cannot read trane.py: No such file"),
        ("train.parquet", "absent.parquet", "retrain.data: cannot read absent.parquet: No such"),
        ("alarm_budget", "features: {salary: numerical}\nalarm_budget", "features.salary: no colu"),
    ],
)
def test_it_looks_at_what_the_file_names(project: Path, old: str, new: str, problem: str) -> None:
    edit(project / "models" / "example.yaml", old, new)

    assert any(problem in line for line in problems(project))


def test_a_setting_without_effect_is_noted_and_no_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project / "models" / "example.yaml", "alarm_budget", "rollout: {shadow: 1d}\nalarm_budget")

    assert run(["check", "--home", str(project)]) == 0
    note, verdict = capsys.readouterr().out.splitlines()
    assert note.endswith(
        "example.yaml:10: rollout: has no effect yet: a promoted version takes over at once"
    )
    assert verdict.endswith("are right (models: example)")


def test_it_finds_training_code_and_data_that_are_damaged(project: Path) -> None:
    data = project / "data" / "train.parquet"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    (project / "train.py").write_text("def train(context:\n", encoding="utf-8")

    code, table = problems(project)
    assert code.endswith(":12: retrain.command: train.py is not valid Python: line 1")
    assert table.endswith(
        ":13: retrain.data: cannot read train.parquet: damaged or of another format"
    )


def test_the_header_of_a_csv_file_names_its_columns(project: Path) -> None:
    (project / "data" / "train.csv").write_text("timestamp,repaid,age\n", encoding="utf-8")
    edit(project / "models" / "example.yaml", "train.parquet", "train.csv")
    assert problems(project) == []

    edit(project / "models" / "example.yaml", "alarm_budget", "exclude: [agee]\nalarm_budget")
    assert "exclude.0: no column 'agee' in train.csv; did you mean 'age'?" in problems(project)[0]


def test_a_plain_command_is_not_looked_into(project: Path) -> None:
    edit(project / "models" / "example.yaml", "train.py:train", "python train.py --fast")

    assert problems(project) == []


def test_a_folder_without_a_project_is_said_so(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["watchkeeper.yaml: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    "code",
    [
        "from ours import fit",
        "from ours import *",
        "fit = object()",
        "class fit: ...",
        "import fit",
    ],
)
def test_a_function_may_come_from_elsewhere(project: Path, code: str) -> None:
    (project / "train.py").write_text(code, encoding="utf-8")
    edit(project / "models" / "example.yaml", "train.py:train", "train.py:fit")

    assert problems(project) == []
