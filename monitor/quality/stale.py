"""A column stands still that always varied."""

from __future__ import annotations

from monitor.habits import is_constant
from monitor.model import CheckStatus
from monitor.quality.model import Finding, Pair, found
from monitor.usual import SOME, longest_run, spacing
from monitor.variation import MINIMUM_WINDOWS
from watchkeeper.schema import ColumnKind

#: A value that so large a part of the reference's rows had may fill a window by itself.
_COMMON = 0.5
#: One that so large a part of them had may come many times in a row.
_FREQUENT = 0.2
#: With fewer values than this part of what windows usually have, none is called stuck.
_PART_OF_USUAL = 0.5
#: A run is too long from so many tiles on, and beyond so many times the longest that was seen.
_TILES, _LONGER = 8, 2.0


def stale(pair: Pair) -> Finding | None:
    """Find a column that has a single value where it always varied, or has it for too long."""
    current, habit = pair.current, pair.habit
    if current.kind is ColumnKind.TEXT or is_constant(pair.reference):
        return None
    run = _run(pair)
    if run is not None:
        return run
    # A column that is mostly null can have one value by accident on a day with few of them.
    usual_values = pair.reference.values / max(habit.variation.windows, pair.usual.windows, 1)
    enough = current.values >= max(SOME, _PART_OF_USUAL * usual_values)
    if not enough:
        return _finding(pair, CheckStatus.INSUFFICIENT_DATA, "too few values")
    if not is_constant(current) or pair.usual.constant or habit.constant_windows:
        return _finding(pair, CheckStatus.OK, f"{current.values} values, not all the same")
    only = int(current.counts.argmax())
    share = float(pair.reference.counts[only]) / max(pair.reference.values, 1)
    common = share >= _COMMON or pair.usual.windows < MINIMUM_WINDOWS
    status = CheckStatus.WARNING if common else CheckStatus.CRITICAL
    reason = f"all {current.values} values are the same; it always varied before"
    return _finding(pair, status, reason)


def _run(pair: Pair) -> Finding | None:
    """Find a run of tiles with the same number that is much longer than any before."""
    run, usual = longest_run(pair.tiles), pair.usual.longest_hours
    length = run.hours + spacing([start for start, _ in pair.tiles])
    if run.value is None or usual is None or run.tiles < _TILES or length <= _LONGER * usual:
        return None
    only = sum(edge < run.value for edge in pair.bins.edges)
    if float(pair.reference.counts[only]) >= _FREQUENT * pair.reference.values:
        return None
    reason = (
        f"the same value in {run.rows} rows, for {length:.0f} h; never for {usual:.0f} h before"
    )
    return _finding(pair, CheckStatus.CRITICAL, reason)


def _finding(pair: Pair, status: CheckStatus, reason: str) -> Finding:
    return found("stale", status, reason, rows=pair.current.values, column=pair.current.name)
