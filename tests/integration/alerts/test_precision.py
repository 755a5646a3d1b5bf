from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerts import respond
from alerts.model import IncidentState, Verdict
from monitor.model import Family
from monitor.repository import Measurements
from monitor.window_store import WindowRow
from reports.query import Reader
from service.cli import incidents
from watchkeeper.database import read, write

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
#: Days of one episode: `x` is a bad one. The first pattern fires 2 of 3, but never 2 of 2.
NOISE, USEFUL = "..x.x.........", "..xxxx........"


def tell(story: Any, days: str, first: int) -> None:
    """Tell days one by one, and store their windows as the monitor does."""
    for number, word in enumerate(days, start=first):
        window = story.window(number, loss=2.0 * (word == "x"))
        with write(story.engine) as session:
            session.add(
                WindowRow(
                    model=window.model,
                    version=window.version,
                    window_start=window.window.start,
                    window_end=window.window.end,
                    rows=window.rows,
                    labels=window.labels,
                    labels_mature=True,
                    evaluated_at=window.evaluated_at,
                )
            )
            Measurements(session).replace(window, first=True)
        story.see(window)


def judge(story: Any, verdict: Verdict) -> None:
    last = story.incidents()[-1]
    with write(story.engine) as session:
        respond.judge(session, last.id, "ada", verdict, now=last.updated_at)


@pytest.fixture
def judged(flights: Any) -> Any:
    flights.columns = ()
    verdicts = [Verdict.NOISE] * 4 + [Verdict.USEFUL, Verdict.KNOWN, Verdict.DATA_BUG]
    for episode, verdict in enumerate(verdicts):
        bad = NOISE if verdict in (Verdict.NOISE, Verdict.KNOWN) else USEFUL
        tell(flights, bad, episode * len(bad))
        judge(flights, verdict)
    return flights


def test_verdicts_give_precision_and_a_change_tried_on_the_stored_windows(judged: Any) -> None:
    assert len(judged.incidents()) == 7
    assert {each.state for each in judged.incidents()} == {IncidentState.CLOSED}
    with read(judged.engine) as session:
        view = Reader(session, {"flights": judged.settings}, now=judged.incidents()[-1].updated_at)
        (row,) = view.rules().rows

    assert (row.model, row.family) == ("flights", Family.PERFORMANCE)
    assert (row.useful, row.data_bug, row.known, row.noise, row.judged) == (2, 1, 1, 4, 7)
    assert row.lower < row.share < row.upper
    assert (row.fire, row.of, row.proposed_fire, row.proposed_of) == (2, 3, 2, 2)
    assert (row.kept, row.dropped) == (2, 5)


def test_the_rule_that_is_proposed_would_have_done_so(judged: Any, tell_again: Any) -> None:
    opened = tell_again(fire=2, of=2)

    assert len(opened) == 2


@pytest.fixture
def tell_again(engine: Any, tell: Any) -> Any:
    """Tell the same days to another model under another rule; return what it opens."""

    def again(**rule: int) -> list[Any]:
        story = tell("again", alerts=rule)
        story.columns = ()
        days = NOISE * 4 + USEFUL + NOISE + USEFUL
        for number, word in enumerate(days):
            story.day(number, loss=2.0 * (word == "x"))
        return [each for each in story.incidents() if each.model == "again"]

    return again


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_shown_and_changes_nothing(judged: Any, database_url: str, tmp_path: Path) -> None:
    home = tmp_path / "project"
    (home / "models").mkdir(parents=True)
    (home / "watchkeeper.yaml").write_text(f"database_url: '{database_url}'\n")
    path = home / "models" / "flights.yaml"
    path.write_text(MODEL)

    shown = CliRunner().invoke(incidents.app, ["precision", "--home", str(home)])
    assert shown.output == (
        "performance of flights: 2 of 7 useful (95 % CI 8 % to 64 %); raise fire to 2 of 2: it "
        "would have kept all 2 that were useful and dropped 5\n"
    )
    (row,) = json.loads(
        CliRunner().invoke(incidents.app, ["precision", "--home", str(home), "--json", "-"]).output
    )
    assert (row["proposed_fire"], row["proposed_of"]) == (2, 2)
    assert path.read_text() == MODEL
