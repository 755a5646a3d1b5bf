"""What the database tells Prometheus: incidents, messages, labels without a match, the audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from alerts.audit import newest_audit, oldest_page
from alerts.model import LIVE_STATES
from alerts.outbox import UNFINISHED, DeliveryState
from alerts.rows import DeliveryRow, IncidentRow
from service.loops import Loop
from serving.repository import UnmatchedLabels
from watchkeeper.database import database_now, read


class StateMetrics(Collector):
    """Asks the database when Prometheus asks; nothing is counted twice by two processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they stand."""
        incidents = GaugeMetricFamily(
            "watchkeeper_incidents", "Incidents that last.", labels=["model", "family", "severity"]
        )
        waiting = GaugeMetricFamily(
            "watchkeeper_messages_waiting", "Messages that have not been delivered yet."
        )
        unmatched = GaugeMetricFamily(
            "watchkeeper_labels_without_prediction",
            "Labels that are kept until their prediction comes.",
            labels=["model"],
        )
        with read(self._engine) as session:
            of_kind = (IncidentRow.model, IncidentRow.family, IncidentRow.severity)
            live = select(*of_kind, func.count()).where(IncidentRow.state.in_(LIVE_STATES))
            for *names, number in session.execute(live.group_by(*of_kind)):
                incidents.add_metric(names, number)
            unsent = select(func.count()).where(DeliveryRow.state.in_(UNFINISHED))
            waiting.add_metric([], session.scalar(unsent) or 0)
            for model, number in UnmatchedLabels(session).counts().items():
                unmatched.add_metric([model], number)
            messages = [*_messages(session), *_lateness(session)]
        yield from (incidents, waiting, unmatched, *messages)

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: the database may not be there yet."""
        yield from ()


class LoopMetrics(Collector):
    """How often the loops of this process have failed."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops

    def collect(self) -> Iterator[Metric]:
        """Yield the counter as it stands."""
        failures = CounterMetricFamily(
            "watchkeeper_loop_failures", "Errors of a loop of this process.", labels=["loop"]
        )
        for loop in self._loops:
            failures.add_metric([loop.name], loop.failures_in_all)
        yield failures


def _messages(session: Session) -> Iterator[Metric]:
    """Yield counters of what became of messages; the ledger forgets nothing, so they only grow."""
    sent = DeliveryRow.state == DeliveryState.SENT
    counts = {
        "sent": ("Messages that arrived.", sent),
        "refused": ("Messages that were refused.", DeliveryRow.state == DeliveryState.DEAD),
        "adopted": ("Messages that were found to have arrived.", sent & DeliveryRow.adopted),
        "possibly_repeated": (
            "Messages that were sent again without a look.",
            sent & DeliveryRow.possible_repeat,
        ),
    }
    for name, (words, condition) in counts.items():
        counter = CounterMetricFamily(f"watchkeeper_messages_{name}", words, labels=["destination"])
        query = select(DeliveryRow.destination, func.count()).where(condition)
        for destination, number in session.execute(query.group_by(DeliveryRow.destination)):
            counter.add_metric([destination], number)
        yield counter
    retried = CounterMetricFamily(
        "watchkeeper_messages_retried",
        "Further attempts that messages took to arrive.",
        labels=["destination"],
    )
    further = func.sum(DeliveryRow.attempt - 1)
    query = select(DeliveryRow.destination, further).where(sent, DeliveryRow.attempt > 1)
    for destination, number in session.execute(query.group_by(DeliveryRow.destination)):
        retried.add_metric([destination], number)
    yield retried


def _lateness(session: Session) -> Iterator[Metric]:
    oldest = session.scalar(
        select(func.min(DeliveryRow.enqueued_at)).where(DeliveryRow.state.in_(UNFINISHED))
    )
    waited = 0.0 if oldest is None else database_now(session) - oldest
    for name, words, value in (
        ("watchkeeper_messages_oldest_seconds", "Age of the oldest undelivered message.", waited),
        ("watchkeeper_pages_oldest_seconds", "Age of the oldest undelivered page.",
         oldest_page(session)),
        ("watchkeeper_audit_ok", "1 while the audits of late found nothing wrong.",
         float(newest_audit(session).ok)),
    ):  # fmt: skip
        yield GaugeMetricFamily(name, words, value=value)
