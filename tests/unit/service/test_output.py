"""Results for machines go to a file or to standard output, and are JSON in the strict sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.output import write_json
from watchkeeper.errors import TableError


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"rows": 3, "name": "é"}, Path("-"))

    assert capsys.readouterr().out == '{\n  "rows": 3,\n  "name": "é"\n}\n'


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_json([1, None], tmp_path / "facts.json")

    assert json.loads((tmp_path / "facts.json").read_text()) == [1, None]


def test_a_number_that_is_not_finite_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(float("nan"), tmp_path / "facts.json")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent/facts\.json: cannot be written: No such file"):
        write_json({}, tmp_path / "absent" / "facts.json")
