"""The pages read what the detector, the estimator, segments and the auditor have stored."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select, update

import web_history as story
from alerts.audit import Auditor
from alerts.rows import IncidentRow
from monitor.attribution.model import Attribution, ColumnRank, Part, ShiftSplit
from monitor.attribution_store import Attributions
from monitor.decay_watch import DecayWatch
from monitor.model import CheckStatus, EvaluatedWindow, Family
from monitor.reference_store import References
from monitor.repository import MeasurementRow, Measurements
from reports.model import Filter
from reports.query import Reader
from reports.sentences import burn_words
from service.web.context import Web
from watchkeeper.database import read, write


@pytest.fixture
def watched(engine: Engine) -> None:
    """Spend every window of the first version on the detector, as the worker would have."""
    told = story.history()
    with write(engine) as session:
        reference = References(session).find("flights", 1)
        assert reference is not None
        settings = story.SETTINGS
        watch = DecayWatch(session=session, settings=settings, reference=reference)
        for evaluated, tiles in told.windows:
            if evaluated.version == 1:
                found = watch.take_in(evaluated, [tile.outcomes for tile in tiles.values()])
                assert found is not None
                _store(session, evaluated, found)


def _store(session: Any, evaluated: EvaluatedWindow, found: Any) -> None:
    whole = EvaluatedWindow(
        model=evaluated.model,
        version=evaluated.version,
        window=evaluated.window,
        rows=evaluated.rows,
        labels=evaluated.labels,
        labels_mature=evaluated.labels_mature,
        evaluated_at=evaluated.evaluated_at,
        results=(*evaluated.results, found),
    )
    Measurements(session).replace(whole, first=True)


def test_the_evidence_rises_where_the_model_decays(web: Web, watched: None) -> None:
    with web.reader() as reader:
        timeline = reader.model("flights").timeline
    assert timeline is not None
    shares = {
        (point.window.start - story.FIRST) // story.DAY: point.share for point in timeline.evidence
    }
    assert len(shares) == story.DECAYED.stop
    assert max(shares[day] for day in range(story.DECAYED.start)) < 1
    assert shares[story.DECAYED.stop - 1] > 1
    assert timeline.evidence[-1].alarmed


def test_estimates_stand_beside_what_was_measured(web: Web) -> None:
    with web.reader() as reader:
        timeline = reader.model("flights").timeline
    assert timeline is not None
    assert len(timeline.estimates) == len(timeline.points)
    assert all(0.5 < point.value < 0.9 for point in timeline.estimates)


def test_the_budget_is_that_of_the_settings_of_now(engine: Engine, web: Web) -> None:
    with web.reader() as reader:
        known = reader.model("flights").budget
    assert known is not None
    assert known.allowed == "1 page a quarter"
    assert known.sentence.startswith("0 pages in 12 days")
    assert known.doubt == "the reference of 12 days is too short to show it"

    more = story.SETTINGS.alarm_budget.model_copy(update={"pages": 4})
    settings = story.SETTINGS.model_copy(update={"alarm_budget": more})
    with read(engine) as session:
        other = Reader(session, {"flights": settings}, now=web.clock.now()).model("flights").budget
    assert other is not None
    assert (other.allowed, other.sentence) == ("4 pages a quarter", "")
    assert other.doubt == "it was not tried on the reference yet"


def test_segments_are_those_of_the_newest_judged_window(engine: Engine, web: Web) -> None:
    row = MeasurementRow
    with write(engine) as session:
        whole = session.scalars(
            select(row).where(row.metric == "roc_auc", row.column_name == "", row.segment == "")
        ).all()
        for each in whole:
            copied = {column.name: getattr(each, column.name) for column in row.__table__.columns}
            for name in ("carrier=AA", f"carrier={story.HOSTILE}"):
                session.add(row(**{**copied, "segment": name, "status": CheckStatus.OK}))
        newest = max(each.window_start for each in whole)
        session.flush()
        session.execute(
            update(row)
            .where(row.segment != "", row.window_start == newest)
            .values(status=CheckStatus.INSUFFICIENT_DATA)
        )
    with web.reader() as reader:
        assert reader.model("flights").segments is None
    settings = story.SETTINGS.model_copy(update={"segments": ("carrier",)})
    with read(engine) as session:
        reader = Reader(session, {"flights": settings}, now=web.clock.now())
        found = reader.model("flights").segments
    assert found is not None
    assert found.window.start < newest
    assert [segment.name for segment in found.rows] == [f"carrier={story.HOSTILE}", "carrier=AA"]
    assert len(found.rows[0].trend) == len(whole)


def test_the_front_page_repeats_what_the_auditor_found(engine: Engine, web: Web) -> None:
    with web.reader() as reader:
        never = reader.models().watch
    assert never is not None
    assert never.seconds is None
    Auditor(engine, checks=(), heartbeat=None, owner="here").run_once()
    with web.reader() as reader:
        now = reader.models().watch
    assert now is not None
    assert now.seconds is not None
    assert now.seconds < 60


def test_verdicts_are_counted_by_rule_on_the_list_of_past_incidents(
    engine: Engine, web: Web
) -> None:
    with write(engine) as session:
        session.execute(update(IncidentRow).values(verdict="useful"))
    with web.reader() as reader:
        assert reader.incidents(state=Filter.OPEN).rules == ()
        rules = reader.incidents(state=Filter.ALL).rules
        assert reader.incidents(state=Filter.ALL, model="churn").rules == ()
    assert {rule.model for rule in rules} == {"flights"}
    assert all(rule.useful == rule.judged > 0 for rule in rules)


def test_an_incident_of_performance_shows_the_newest_attribution(engine: Engine, web: Web) -> None:
    part = Part(value=0.2, lower=0.1, upper=0.3)
    shift = ShiftSplit(shared_x=part, y_given_x=part, unseen_x=part, overlap=0.9, domain_auc=0.6)
    found = Attribution(
        loss="log_loss",
        reference=0.4,
        current=1.0,
        n_reference=900,
        n_current=400,
        of_reference=900,
        of_current=400,
        segments=(),
        columns=(ColumnRank(column="visib", importance=0.1, drift=0.2, score=0.3),),
        shift=shift,
    )
    row = IncidentRow
    with write(engine) as session:
        incident = session.scalars(select(row).where(row.family == Family.PERFORMANCE)).first()
        assert incident is not None
        number = incident.id
        for day in story.DECAYED:
            window = story.history().windows[day][0].window
            Attributions(session).save("flights", 1, window, found, revision=0, at=window.end)
        last = window
    with web.reader() as reader:
        why = reader.incident(number).attribution
    assert why is not None
    assert why.window == last
    assert "The mean log loss rose from 0.4 to 1" in why.sentence
    assert [bar.name for bar in why.columns] == ["visib"]
    assert sum(bar.value for bar in why.kinds) == pytest.approx(why.change)


def test_a_loss_shows_what_it_has_cost(engine: Engine, web: Web) -> None:
    row = IncidentRow
    with read(engine) as session:
        losses = session.scalars(select(row).where(row.family == Family.PERFORMANCE)).all()
        others = session.scalars(select(row).where(row.family != Family.PERFORMANCE)).all()
    with web.reader() as reader:
        found = [reader.incident(loss.id).burn for loss in losses]
        assert all(reader.incident(other.id).burn is None for other in others)
        now = reader.model("flights").burn
    assert all(burn is not None and burn.windows > 0 for burn in found)
    assert now in [None, *found]
    assert found[0] is not None
    assert found[0].metric == "roc_auc"
    assert found[0].rate is not None
    assert found[0].rate > 1
    assert found[0].excess > 0
    page = burn_words(found[0])
    assert page.startswith("Loss beyond tolerance: ROC AUC")
    assert "times what is tolerated" in page
