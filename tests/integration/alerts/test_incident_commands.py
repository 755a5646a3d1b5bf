from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerts.model import IncidentState
from service.cli import incidents, silence

RUN = CliRunner()
MODEL = """
model: flights
task: binary
owner: {name: Ada Byron, channel: C0FLIGHTS}
timestamp: scheduled_at
prediction: {score: y_pred_proba}
label: {column: delayed, delay: 1d}
windows: {size: 1d}
tolerance: {metric: roc_auc, drop: 0.02}
"""
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def home(database_url: str, tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "watchkeeper.yaml").write_text(f"database_url: '{database_url}'\n")
    (project / "models" / "flights.yaml").write_text(MODEL)
    return project


def say(app: Any, *words: str) -> str:
    result = RUN.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_it_lists_what_is_wrong_now(
    flights: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home))
    assert say(incidents.app) == "Nothing is wrong.\n"
    for number in (0, 1):
        flights.day(number, loss=2.0)

    assert "INC-0001" in say(incidents.app, "list")
    (found,) = json.loads(say(incidents.app, "list", "--json", "-"))
    assert (found["name"], found["family"], found["state"]) == ("INC-0001", "performance", "open")


def test_it_acknowledges_judges_and_ends(flights: Any, home: Path) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    say(incidents.app, "ack", "1", "--home", str(home))
    assert flights.incident().standing.acked_by == getpass.getuser()
    say(incidents.app, "resolve", "1", "--reason", "fixed by hand", "--home", str(home))
    assert flights.incident().state is IncidentState.RESOLVED
    say(incidents.app, "judge", "1", "useful", "--home", str(home))
    assert flights.incident().state is IncidentState.CLOSED
    assert "INC-0001" in say(incidents.app, "list", "--home", str(home), "--show", "all")


def test_it_silences_and_ends_the_silence(flights: Any, home: Path) -> None:
    flights.day(0, broken=("temp",))
    words = ("add", "--for", "2h", "--reason", "moving", "--column", "t*", "--home", str(home))
    assert "covers flights: null_surge temp" in say(silence.app, *words, "--dry-run")
    assert say(silence.app, "list", "--home", str(home)) == "Nothing is silenced.\n"
    assert "silence 1 until" in say(silence.app, *words)
    assert "t*" in say(silence.app, "list", "--home", str(home))
    say(silence.app, "end", "1", "--home", str(home))

    assert say(silence.app, "list", "--home", str(home)) == "Nothing is silenced.\n"


def test_a_wrong_duration_is_one_clear_line(flights: Any, home: Path) -> None:
    words = ("add", "--for", "soon", "--reason", "moving", "--home", str(home))
    with pytest.raises(Exception, match="--for: expected a duration such as 15m"):
        say(silence.app, *words)
