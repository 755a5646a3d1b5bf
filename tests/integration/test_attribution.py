"""A loss is explained from samples of the log, stored, and told to the incident's thread."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from alerts.explanations import tell_explanation
from alerts.model import Cause
from alerts.observe import observe
from alerts.repository import History, Incidents
from feeding import DAY, SETTINGS, START, Feed, flights
from monitor.attribute import needs_attribution
from monitor.attribution.words import describe
from monitor.attribution_store import Attributions, ReferenceSamples
from monitor.model import CheckResult, CheckStatus, Family, Measurement, Threshold
from monitor.reference_store import References
from monitor.samples import sample_of_log
from watchkeeper.database import read, write
from watchkeeper.window import Window

DAY_0 = Window(start=START, end=START + DAY)
NOW = START + 3 * DAY


@pytest.fixture
def feed(engine: Engine, tmp_path: Path) -> Feed:
    return Feed.with_reference(engine, tmp_path)


def harmed(feed: Feed, number: int = 0) -> None:
    """Ship a day on which labels no longer follow the score where the carrier is UA."""
    day = flights(START + number * DAY, 1, 20 + number)
    bad = day.carrier == "UA"
    day.loc[bad, "y_true"] = 1 - day.y_pred[bad]
    feed.ship(day, START + (number + 1) * DAY)
    feed.label(day, START + (number + 1) * DAY)


def test_a_loss_is_traced_to_its_carrier_and_kept(feed: Feed) -> None:
    harmed(feed)
    evaluated = feed.tick(NOW)[0]
    assert needs_attribution(evaluated, "log_loss")
    found = feed.monitor.attribute(SETTINGS, evaluated, NOW)
    assert found is not None
    assert (found.segments[0].column, found.segments[0].segment) == ("carrier", "UA")
    assert found.n_current == evaluated.labels
    assert "carrier UA adds" in describe(found)
    with read(feed.engine) as session:
        assert Attributions(session).find("flights", 1, DAY_0) == found


def test_a_good_day_needs_no_explanation(feed: Feed) -> None:
    day = flights(START, 1, 30)
    feed.ship(day, START + DAY)
    feed.label(day, START + DAY)
    evaluated = feed.tick(NOW)[0]
    assert not needs_attribution(evaluated, "log_loss")


def test_the_same_rows_are_drawn_however_they_were_shipped(feed: Feed) -> None:
    day = flights(START, 1, 31)
    feed.ship(day.iloc[::2], START + DAY)
    feed.ship(day.iloc[1::2], START + DAY)
    feed.ship(day.iloc[:50], START + DAY)
    feed.label(day.iloc[:100], START + DAY)
    feed.label(day.iloc[:100].assign(y_true=7), START + 20 * DAY)

    def drawn(size: int, now: datetime = NOW) -> list[dict[str, object]]:
        found = sample_of_log(
            feed.lake, "flights", 1, DAY_0, ["wind", "carrier"], now=now, size=size
        )
        assert found is not None
        assert found.of_rows == len(day)
        return found.rows.to_pylist()

    whole, some = drawn(1000), drawn(40)
    assert len(whole) == len(day)
    assert some == whole[:40]
    truth = dict(zip(day.prediction_id, day.y_true, strict=True))
    labelled = {row["prediction_id"]: row["y_true"] for row in whole if row["y_true"] is not None}
    assert labelled == {name: truth[name] for name in day.prediction_id[:100]}
    assert sample_of_log(feed.lake, "flights", 2, DAY_0, ["wind"], now=NOW) is None


def test_a_reference_without_a_sample_leaves_the_loss_unexplained(
    engine: Engine, feed: Feed
) -> None:
    harmed(feed)
    evaluated = feed.tick(NOW)[0]
    with write(engine) as session:
        reference = References(session).get("flights", 1)
        assert reference.id is not None
        old = dataclasses.replace(reference, id=None)
        References(session).add("flights", 2, old, START)
        assert ReferenceSamples(session).find(reference.id) is not None
    other = dataclasses.replace(evaluated, version=2)
    assert feed.monitor.attribute(SETTINGS, other, NOW) is None


def drifted(column: str, effect: float) -> CheckResult:
    measurement = Measurement(
        model="flights",
        version=1,
        metric="psi",
        window=Window(start=START + DAY, end=START + 2 * DAY),
        value=effect,
        n_current=240,
        computed_at=NOW,
        column=column,
    )
    return CheckResult(
        measurement=measurement,
        threshold=Threshold(method="materiality"),
        family=Family.INPUT_DRIFT,
        check="drift",
        status=CheckStatus.CRITICAL,
        reason="moved",
        effect=effect,
    )


def test_causes_are_told_in_the_order_of_the_loss_that_they_explain(feed: Feed) -> None:
    for number in range(2):
        harmed(feed, number)
    evaluated = [each for each in feed.tick(START + 4 * DAY) if each.rows]
    newest = evaluated[-1]
    findings = (drifted("wind", 3.0), drifted("distance", 2.0))
    newest = dataclasses.replace(newest, results=(*newest.results, *findings))
    at = START + 4 * DAY
    for each in (*evaluated[:-1], newest):
        with write(feed.engine) as session:
            observe(session, each, SETTINGS, now=at)

    def causes() -> list[Cause]:
        with read(feed.engine) as session:
            (incident,) = Incidents(session).live_of("flights", [Family.PERFORMANCE])
            return [
                cause for cause in incident.facts.causes if cause.column in {"wind", "distance"}
            ]

    assert [cause.column for cause in causes()] == ["wind", "distance"]
    for _ in range(2):
        with write(feed.engine) as session:
            tell_explanation(session, newest, {"distance": np.float64(0.2)}, "It.", now=at)
    assert [cause.column for cause in causes()] == ["distance", "wind"]
    with read(feed.engine) as session:
        (incident,) = Incidents(session).live_of("flights", [Family.PERFORMANCE])
        lines = [
            entry.reason for entry in History(session).of(incident.id) if entry.event == "noted"
        ]
    assert lines == ["Where the loss comes from: It."]
