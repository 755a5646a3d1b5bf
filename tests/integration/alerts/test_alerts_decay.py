"""The detector of decay decides who is woken, k of n windows who is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerts.model import IncidentState, Severity
from monitor.model import CheckStatus, Family


def test_an_alarm_pages_at_once_and_speaks_of_the_metric(flights: Any) -> None:
    flights.day(0, loss=2.0, alarm=True)

    incident = flights.incident()
    assert incident.severity is Severity.PAGE
    assert incident.summary == "ROC AUC 0.710, below the limit 0.730"
    (root,) = flights.deliveries()
    assert (root.kind, root.priority) == ("root", 0)


def test_an_alarm_of_windows_too_small_to_judge_speaks_of_its_evidence(flights: Any) -> None:
    small = flights.window(0, loss=None, alarm=True)
    (alarm,) = small.of(Family.PERFORMANCE)
    # An estimate is within the limit, and is not what a person is woken for.
    estimate = replace(
        alarm,
        check="estimate",
        status=CheckStatus.OK,
        effect=0.4,
        measurement=replace(alarm.measurement, metric="roc_auc_estimated"),
    )
    flights.see(replace(small, results=(estimate, *small.results)))

    assert flights.incident().severity is Severity.PAGE
    assert flights.incident().summary == "evidence 0.650, below the limit 0.730"


def test_an_alarm_raises_the_ticket_that_is_open(flights: Any) -> None:
    flights.day(0, loss=1.2, alarm=False)
    flights.day(1, loss=1.2, alarm=False)
    assert flights.incident().severity is Severity.TICKET
    flights.day(2, loss=1.2, alarm=True)

    assert flights.incident().severity is Severity.PAGE
    assert "Raised from ticket to page." in [row.text for row in flights.deliveries()]


def test_a_trouble_that_lasts_pages_once(flights: Any) -> None:
    for number in range(12):
        flights.day(number, loss=2.0 if number % 3 else 0.9, alarm=True)

    assert len(flights.incidents()) == 1
    assert flights.kinds().count("root") == 1
    assert flights.incident().standing.flaps == 0


def test_it_is_over_when_the_alarm_and_the_windows_are(flights: Any) -> None:
    flights.day(0, loss=2.0, alarm=True)
    flights.day(1, alarm=True)
    flights.day(2, alarm=True)
    assert flights.incident().state is IncidentState.OPEN
    flights.day(3, alarm=False)
    assert flights.incident().state is IncidentState.RECOVERING
    flights.day(4, alarm=False)
    assert flights.incident().state is IncidentState.RESOLVED


def test_a_relapse_that_would_wake_nobody_is_a_ticket_of_its_own(flights: Any) -> None:
    flights.day(0, loss=2.0, alarm=True)
    for number in range(1, 5):
        flights.day(number, alarm=False)
    assert flights.incident().state is IncidentState.RESOLVED
    flights.day(5, loss=1.2, alarm=False)
    flights.day(6, loss=1.2, alarm=False)

    page, ticket = flights.incidents()
    assert page.state is IncidentState.RESOLVED
    assert (ticket.severity, ticket.continues) == (Severity.TICKET, page.id)


def test_a_relapse_that_is_as_bad_reopens_the_page(flights: Any) -> None:
    flights.day(0, loss=2.0, alarm=True)
    for number in range(1, 5):
        flights.day(number, alarm=False)
    flights.day(5, loss=2.0, alarm=True)

    assert flights.incident().state is IncidentState.OPEN
    assert flights.incident().standing.reopen_count == 1
