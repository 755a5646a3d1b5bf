"""What the database tells Prometheus: incidents, messages under way, labels without a match."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from alerts.model import LIVE_STATES
from alerts.outbox import UNFINISHED
from alerts.rows import DeliveryRow, IncidentRow
from serving.repository import UnmatchedLabels
from watchkeeper.database import read


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
        yield from (incidents, waiting, unmatched)

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: the database may not be there yet."""
        yield from ()
