"""What serving counts for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.spool import Depth

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: Stands in for the names of models that do not exist: strangers must not grow the table.
UNKNOWN = "-"


class ServingMetrics:
    """Counters of requests and gauges of the spool, in a registry of the caller's.

    Parameters
    ----------
    depth
        Tells how much waits in the spool.
    """

    def __init__(self, registry: CollectorRegistry, depth: Callable[[], Depth]) -> None:
        self._requests = Counter(
            "watchkeeper_requests",
            "Requests to predict or to log, by outcome.",
            ["route", "model", "status"],
            registry=registry,
        )
        self._rows = Counter(
            "watchkeeper_rows",
            "Records that were answered or logged.",
            ["route", "model"],
            registry=registry,
        )
        self._seconds = Histogram(
            "watchkeeper_request_seconds",
            "Time from the first byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._shed = Counter(
            "watchkeeper_requests_shed",
            "Requests that were turned away because too many were in flight.",
            registry=registry,
        )
        for name, help_text, read in (
            ("rows", "Records that wait in the spool.", lambda: depth().rows),
            ("bytes", "Bytes that wait in the spool.", lambda: depth().bytes),
            (
                "dead_letters",
                "Requests whose records the lake can never take.",
                lambda: depth().dead_letters,
            ),
        ):
            gauge: Any = Gauge(f"watchkeeper_spool_{name}", help_text, registry=registry)
            gauge.set_function(read)

    def answered(self, route: str, model: str, *, status: int, seconds: float, rows: int) -> None:
        """Count one request that was answered, with whatever status."""
        self._requests.labels(route, model, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if rows:
            self._rows.labels(route, model).inc(rows)

    def turned_away(self) -> None:
        """Count one request that was refused for want of room."""
        self._shed.inc()
