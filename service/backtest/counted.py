"""Back-tests of windows that are so many rows: there on a counted clock, and back again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.sources.by_rows import CountedClock, count_rows
from monitor.tables import Table, Tables
from reports.backtest_result import BacktestIncident, BacktestResult
from service.backtest.collect import budget_of
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedLog:
    """A log and its reference on one counted clock.

    Parameters
    ----------
    asked
        The settings as they were written.
    known
        The reference; the log itself where its first part is the reference.
    """

    asked: ModelSettings
    settings: ModelSettings
    table: Table
    known: Table
    clock: CountedClock
    clock_of_known: CountedClock


def count_log(tables: Tables, table: Table, known: Table, settings: ModelSettings) -> CountedLog:
    """Tell a log and its reference by a clock that ticks once a row."""
    log = count_rows(tables, table, settings)
    before = log
    if known is not table:
        before = count_rows(tables, known, settings, reference_of=log.clock)
    return CountedLog(
        asked=settings,
        settings=log.settings,
        table=log.table,
        known=before.table,
        clock=log.clock,
        clock_of_known=before.clock,
    )


def real_times(result: BacktestResult, log: CountedLog) -> BacktestResult:
    """Return a result with the times that the rows have."""
    clock = log.clock
    windows = tuple(
        replace(window, window=clock.window(window.window)) for window in result.windows
    )
    span = windows[-1].window.end - windows[0].window.start
    incidents = tuple(_real(incident, clock) for incident in result.incidents)
    of_reference = Window(start=result.reference.start, end=result.reference.end)
    reference = log.clock_of_known.window(of_reference)
    return replace(
        result,
        zone=log.asked.windows.timezone.key,
        windows=windows,
        incidents=incidents,
        reference=replace(result.reference, start=reference.start, end=reference.end),
        budget=replace(budget_of(log.asked, span, incidents), more=result.budget.more),
    )


def _real(incident: BacktestIncident, clock: CountedClock) -> BacktestIncident:
    resolved = incident.resolved_at
    return replace(
        incident,
        started_at=clock.real(incident.started_at),
        opened_at=clock.real(incident.opened_at),
        resolved_at=None if resolved is None else clock.real(resolved),
        paged_at=tuple(clock.real(at) for at in incident.paged_at),
    )
