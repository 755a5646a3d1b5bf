"""``/metrics`` tells what the database holds, under the names that the reference gives."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from service.loops import Loop
from service.metrics import LoopMetrics, StateMetrics
from serving.metrics import ServingMetrics
from serving.repository import UnmatchedLabels
from serving.spool import Depth
from watchkeeper.database import write

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"


def test_labels_without_a_prediction_are_counted_by_model(engine: Engine) -> None:
    with write(engine) as session:
        UnmatchedLabels(session).add("flights", ["a", "b"], datetime(2013, 6, 1, tzinfo=UTC))
    registry = CollectorRegistry()
    registry.register(StateMetrics(engine))

    shown = generate_latest(registry).decode()

    assert 'watchkeeper_labels_without_prediction{model="flights"} 2.0' in shown
    assert "watchkeeper_messages_waiting 0.0" in shown


def test_every_metric_is_in_the_reference(sqlite_engine: Engine) -> None:
    registry = CollectorRegistry()
    registry.register(StateMetrics(sqlite_engine))
    registry.register(LoopMetrics([Loop("deliver", lambda: 0, every=1)]))
    ServingMetrics(registry, lambda: Depth(rows=0, bytes=0, dead_letters=0))
    documented = REFERENCE.read_text(encoding="utf-8")

    families = {metric.name for metric in registry.collect()}

    assert families
    assert not [name for name in families if f"`{name}" not in documented]
