from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from alerts.model import IncidentState, Severity
from alerts.notes import mitigation_failed, mitigation_started, note, open_incidents
from alerts.observe import observe, promoted
from alerts.repository import Incidents
from alerts.rows import IncidentEventRow, IncidentRow
from alerts.sweep import sweep
from monitor.model import Family
from watchkeeper.database import read, write

S = IncidentState
FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure")


def test_one_bad_window_is_not_an_incident(flights: Any) -> None:
    flights.day(0, loss=2.0)

    assert flights.incidents() == []


def test_two_of_three_bad_windows_open_a_ticket(flights: Any) -> None:
    flights.day(0, loss=2.0)
    flights.day(1)
    (change,) = flights.day(2, loss=3.0)

    incident = flights.incident()
    assert (change.before, change.after) == (S.PENDING, S.OPEN)
    assert incident.severity is Severity.TICKET
    assert incident.started_at == FIRST
    assert incident.standing.opened_at == FIRST + 3 * DAY
    assert incident.summary == "ROC AUC 0.690, below the limit 0.730"
    (root,) = flights.deliveries()
    assert (root.kind, root.destination, root.priority) == ("root", "slack:C0FLIGHTS", 2)


def test_the_same_window_twice_changes_nothing(flights: Any) -> None:
    for number in range(3):
        flights.day(number, loss=2.0)
    before = flights.incident()
    sent = flights.kinds()

    assert flights.day(2, loss=2.0) == []
    assert flights.incident() == before
    assert flights.kinds() == sent


def test_eight_broken_columns_are_one_incident_that_names_them(flights: Any) -> None:
    (change,) = flights.day(0, broken=WEATHER)

    incident = flights.incident(Family.DATA_CONTRACT)
    assert change.incident.id == incident.id
    assert set(incident.columns) == set(WEATHER)
    assert incident.severity is Severity.PAGE
    assert incident.summary.startswith("8 columns broken: ")
    assert flights.kinds() == ["root"]


def test_one_broken_column_is_a_ticket_and_more_of_them_raise_it(flights: Any) -> None:
    flights.day(0, broken=WEATHER[:1])
    assert flights.incident(Family.DATA_CONTRACT).severity is Severity.TICKET
    flights.day(1, broken=WEATHER)

    assert flights.incident(Family.DATA_CONTRACT).severity is Severity.PAGE
    replies = [row for row in flights.deliveries() if row.kind == "reply"]
    assert [row.broadcast for row in replies] == [True, False]
    assert replies[0].text == "Raised from ticket to page."


def test_drift_alone_tells_nobody(flights: Any) -> None:
    for number in range(4):
        flights.day(number, drifted={"distance": 5.0})

    assert flights.incident(Family.INPUT_DRIFT).severity is Severity.DIGEST
    assert flights.deliveries() == []


def test_a_broken_source_keeps_the_drift_that_it_causes_quiet(flights: Any) -> None:
    drifted = dict.fromkeys(WEATHER, 9.0)
    for number in range(4):
        flights.day(number, broken=WEATHER, drifted=drifted)
    assert flights.incident(Family.INPUT_DRIFT).state is S.PENDING
    for number in range(4, 8):
        flights.day(number)

    assert flights.incident(Family.INPUT_DRIFT).state is S.DISCARDED


def test_a_drift_that_was_explained_is_not_told_once_it_is_over(flights: Any) -> None:
    drifted = dict.fromkeys(WEATHER, 9.0)
    for number in range(3):
        flights.day(number, broken=WEATHER, drifted=drifted)
    for number in (3, 4):
        flights.day(number, drifted=drifted)
    # The source is well for long enough; the drift has its first two clear windows of three.
    for number in (5, 6):
        flights.day(number)
        assert flights.incident(Family.DATA_CONTRACT).state is S.RESOLVED
        assert flights.incident(Family.INPUT_DRIFT).state is S.PENDING
    flights.day(7)
    assert flights.incident(Family.INPUT_DRIFT).state is S.DISCARDED


def test_labels_that_stop_explain_no_drift(flights: Any) -> None:
    labels = flights.settings.label.column
    flights.columns = (*flights.columns, labels)
    for number in range(3):
        flights.day(number, broken=[labels], drifted=dict.fromkeys(WEATHER, 9.0))
    assert flights.incident(Family.DATA_CONTRACT).scope == "labels:flights"
    assert flights.incident(Family.DATA_CONTRACT).standing.severity is Severity.TICKET
    assert flights.incident(Family.INPUT_DRIFT).state is S.OPEN


def test_it_resolves_in_place_after_three_clear_windows_and_the_hold(flights: Any) -> None:
    for number in range(2):
        flights.day(number, loss=2.0)
    for number in range(2, 5):
        flights.day(number)
    assert flights.incident().state is S.RECOVERING
    flights.day(5)

    incident = flights.incident()
    assert incident.state is S.RESOLVED
    assert incident.standing.resolved_at == FIRST + 6 * DAY
    assert flights.kinds() == ["root", "update", "reply"]


def test_it_is_not_called_resolved_on_a_bad_day(flights: Any) -> None:
    for number in range(2):
        flights.day(number, loss=2.0)
    for number in range(2, 5):
        flights.day(number)
    flights.day(5, loss=0.95)
    assert flights.incident().state is S.RECOVERING
    flights.day(6)

    assert flights.incident().state is S.RESOLVED


def test_time_alone_resolves_what_has_cleared(flights: Any) -> None:
    for number in range(2):
        flights.day(number, loss=2.0)
    for number in range(2, 5):
        flights.day(number)
    with write(flights.engine) as session:
        (change,) = sweep(session, {"flights": flights.settings}, now=FIRST + 6 * DAY)

    assert change.after is S.RESOLVED


def test_late_labels_neither_fire_nor_resolve(flights: Any) -> None:
    for number in range(2):
        flights.day(number, loss=2.0)
    for number in range(2, 12):
        flights.day(number, loss=0.0, mature=False)
    with write(flights.engine) as session:
        assert sweep(session, {"flights": flights.settings}, now=FIRST + 100 * DAY) == []

    assert flights.incident().state is S.OPEN


def test_labels_that_come_at_last_count_in_the_order_of_their_windows(flights: Any) -> None:
    flights.day(0, loss=None, mature=False)
    flights.day(1, loss=None, mature=False)
    flights.day(0, loss=2.0, revision=1)
    assert flights.incidents() == []
    flights.day(2, loss=None, mature=False)
    flights.day(1, loss=2.0, revision=1)

    assert flights.incident().started_at == FIRST


def test_a_correction_that_takes_a_breach_back_lets_it_recover(flights: Any) -> None:
    for number in range(2):
        flights.day(number, loss=2.0)
    flights.day(1, loss=0.0, revision=1)

    assert flights.incident().state is S.RECOVERING
    assert flights.day(1, loss=2.0, revision=0) == []


def test_it_reopens_with_its_number_and_thread_inside_the_window_for_that(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    for number in range(2, 6):
        flights.day(number)
    for number in (6, 7):
        flights.day(number, loss=2.0)

    incident = flights.incident()
    assert incident.state is S.OPEN
    assert incident.standing.reopen_count == 1
    assert flights.kinds().count("root") == 1


def test_it_opens_a_new_one_that_names_the_old_one_after_that(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    for number in range(2, 12):
        flights.day(number)
    for number in (12, 13):
        flights.day(number, loss=2.0)

    first, second = flights.incidents()
    assert (first.state, second.state) == (S.RESOLVED, S.OPEN)
    assert second.continues == first.id
    assert first.key == second.key


def test_a_flapping_metric_notifies_twice_at_most_in_twelve_windows(flights: Any) -> None:
    for number in range(12):
        flights.day(number, loss=2.0 if number % 5 < 2 else 0.0)

    assert sum(kind != "update" for kind in flights.kinds()) <= 2


def test_a_new_version_heals_by_its_own_windows(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    with write(flights.engine) as session:
        promoted(
            session, "flights", 2, flights.settings, now=FIRST + 2 * DAY, text="Promoted version 2."
        )
    incident = flights.incident()
    assert (incident.state, incident.standing.provisional) == (S.RECOVERING, True)
    flights.day(2, loss=2.0, version=1)
    assert flights.incident().state is S.RECOVERING
    flights.version = 2
    for number in (3, 4, 5):
        flights.day(number)
    assert flights.incident().standing.provisional is False
    flights.day(6)

    assert flights.incident().state is S.RESOLVED
    texts = [row.text for row in flights.deliveries() if row.kind == "reply"]
    assert texts == ["Promoted version 2.", "Resolved after 5 d: recovered."]


def test_a_new_version_that_is_no_better_is_the_same_incident(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    flights.version = 2
    for number in (2, 3):
        flights.day(number, loss=2.0)

    incident = flights.incident()
    assert incident.state is S.OPEN
    assert flights.kinds().count("root") == 1


def test_a_broken_source_stays_broken_under_a_new_version(flights: Any) -> None:
    flights.day(0, broken=WEATHER)
    flights.version = 2
    flights.day(1, broken=WEATHER)

    assert flights.incident(Family.DATA_CONTRACT).state is S.OPEN


def test_a_column_that_the_new_version_does_not_read_is_no_trouble_any_more(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, drifted={"distance": 4.0})
    flights.version = 2
    flights.columns = [name for name in flights.columns if name != "distance"]
    for number in (2, 3):
        flights.day(number)

    assert flights.incident(Family.INPUT_DRIFT).state is S.RESOLVED


def test_the_thread_hears_of_the_repair(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    now = FIRST + 2 * DAY
    with write(flights.engine) as session:
        note(session, "flights", "Retraining is held: the input is broken.", now=now)
    with write(flights.engine) as session:
        assert note(session, "flights", "Retraining is held: the input is broken.", now=now) == []
        mitigation_started(session, "flights", "Retrain run 1 started.", now=now)
    assert flights.incident().state is S.MITIGATING
    with write(flights.engine) as session:
        mitigation_failed(session, "flights", "Retrain run 1 timed out.", now=now)

    assert flights.incident().state is S.OPEN
    texts = [row.text for row in flights.deliveries() if row.kind == "reply"]
    assert texts == [
        "Retraining is held: the input is broken.",
        "Retrain run 1 started.",
        "Retrain run 1 timed out.",
    ]


def test_a_repair_that_is_never_heard_of_again_calls_the_owner(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    with write(flights.engine) as session:
        mitigation_started(session, "flights", "Retrain run 1 started.", now=FIRST + 2 * DAY)
    with write(flights.engine) as session:
        (change,) = sweep(session, {"flights": flights.settings}, now=FIRST + 4 * DAY)

    assert change.after is S.OPEN


def test_nothing_happened_when_the_transaction_is_rolled_back(flights: Any) -> None:
    flights.day(0, loss=2.0)
    with write(flights.engine) as session:
        observe(session, flights.window(1, loss=2.0), flights.settings, now=FIRST + 2 * DAY)
        session.rollback()

    assert flights.incidents() == []
    assert flights.deliveries() == []


def test_every_change_is_in_the_history(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    for number in range(2, 6):
        flights.day(number)
    with read(flights.engine) as session:
        history = session.scalars(select(IncidentEventRow).order_by(IncidentEventRow.id)).all()

    assert [(entry.event, entry.before, entry.after) for entry in history] == [
        ("opened", "pending", "open"),
        ("cleared", "open", "recovering"),
        ("resolved", "recovering", "resolved"),
    ]
    assert {entry.actor for entry in history} == {"watchkeeper"}


def test_the_database_refuses_a_second_live_incident_of_one_key(flights: Any) -> None:
    for number in (0, 1):
        flights.day(number, loss=2.0)
    twin = flights.incident()
    with pytest.raises(IntegrityError), write(flights.engine) as session:
        Incidents(session).add(twin)


def test_two_models_do_not_share_an_incident(
    flights: Any, tell: Callable[..., Any], engine: Engine
) -> None:
    trains = tell("trains")
    for number in (0, 1):
        flights.day(number, loss=2.0)
        trains.day(number, loss=2.0)

    assert len(flights.incidents()) == 2
    with read(engine) as session:
        (found,) = open_incidents(session, "trains", [Family.PERFORMANCE])
        assert found.model == "trains"
        assert open_incidents(session, "trains", [Family.DATA_CONTRACT]) == []


def test_two_models_that_read_one_broken_source_share_an_incident(
    tell: Callable[..., Any], engine: Engine
) -> None:
    first = tell("flights", source={"table": "lake/weather/*.parquet"})
    second = tell("gates", source={"table": "lake/weather/*.parquet"})
    first.day(0, broken=WEATHER)
    second.day(0, broken=WEATHER)

    (incident,) = first.incidents()
    with read(engine) as session:
        assert open_incidents(session, "gates") == [incident]
        assert len(session.scalars(select(IncidentRow)).all()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_storm_from_one_source_is_one_incident_and_a_handful_of_messages(
    tell: Callable[..., Any],
) -> None:
    columns = [f"column_{number}" for number in range(60)]
    fleet = [tell(f"model{n}", source={"table": "lake/*.parquet"}) for n in range(12)]
    for story in fleet:
        story.columns = columns
        story.day(0, broken=columns, drifted=dict.fromkeys(columns, 9.0))

    told = [row for row in fleet[0].deliveries() if row.kind != "update"]
    (root, *replies) = told
    assert (root.kind, root.priority) == ("root", 0)
    assert len(replies) <= 4
    notified = [each for each in fleet[0].incidents() if each.standing.notified]
    assert [each.family for each in notified] == [Family.DATA_CONTRACT]
