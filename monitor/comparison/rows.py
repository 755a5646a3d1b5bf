"""Findings that need whole rows or their order: copies, runs of one value, rows per day."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monitor.comparison.model import QualityFinding
from monitor.comparison.rare import more_in_current
from monitor.comparison.reading import Pair
from monitor.edges import Values
from monitor.model import CheckStatus
from monitor.sql import identifier, select
from monitor.tables import Table

_RISE = (0.05, 0.5)
#: Rows whose hashes are kept at a time; of longer tables, those whose hash falls into one class.
_HASHES = 1_000_000
#: Columns that are enough to tell rows apart; reading more at once takes too much memory.
_HASHED_COLUMNS = 50
#: Change of the rows on a typical day that is worth a word, and the one that is critical.
_VOLUME = (0.2, 0.5)
_USUAL_DAYS = (0.01, 0.99)
#: Part of the rows that a run of one value must have, how many times the longest run before, and
#: how many rows at least.
_RUN, _LONGER, _FEWEST_ROWS = 0.05, 4, 20
#: Share of the days that an hour is there on, and the parts of the rows that its loss matters from.
_NEARLY_ALWAYS, _LOST = 0.9, (0.05, 0.25)
_FEWEST_DAYS, _FEWEST_CURRENT_DAYS, _MOST_DAYS = 7, 3, 40_000


def duplicates(pair: Pair, names: Sequence[str], *, alpha: float) -> QualityFinding | None:
    """Find more copies of rows than the reference has by habit.

    A table has the more equal rows by chance the longer it is; a longer current table is allowed
    as many times the reference's share as it is longer.
    """
    if min(pair.reference.rows, pair.current.rows) < 2:
        return None
    hashed = names[:: -(-len(names) // _HASHED_COLUMNS)]
    before, n_before = _copies(pair, pair.reference, hashed)
    now, n_now = _copies(pair, pair.current, hashed)
    if not (n_before and n_now):
        return None
    longer = max(1.0, pair.current.rows / pair.reference.rows)
    usual = min(before * longer / n_before, 1.0)
    rise = now / n_now - usual
    allowed = min(math.ceil(before * longer), n_before)
    if rise < _RISE[0] or more_in_current(n_before, n_now, allowed, now) > alpha:
        return None
    return QualityFinding(
        column=None,
        check="duplicates",
        status=CheckStatus.CRITICAL if rise >= _RISE[1] else CheckStatus.WARNING,
        detail=(
            f"{now / n_now:.1%} of the rows are copies of another row, "
            f"{before / n_before:.1%} in the reference"
        ),
    )


def _copies(pair: Pair, table: Table, names: Sequence[str]) -> tuple[int, int]:
    """Return the number of rows that repeat an earlier one, and the number of rows looked at."""
    hashed = f"hash({', '.join(map(identifier, names))}) AS h"
    classes = -(-table.rows // _HASHES)
    query = select(
        ["count(*)", "count(DISTINCT h)"],
        f"({select([hashed], table.source)})",
        f"WHERE h % {classes} = 0" if classes > 1 else "",
    )
    seen, different = pair.tables.query(table, query)[0]
    return int(seen - different), int(seen)


def repeats_by_habit(pair: Pair, name: str) -> bool:
    """Whether the reference, in its own order, has runs of one value that are about as long.

    A season or a monthly index stands still for long, and is not stale when it does so again.
    """
    return _longest_run(pair, pair.reference, name) >= pair.current.rows / 2


def _longest_run(pair: Pair, table: Table, name: str) -> int:
    """Return the rows of the longest run of one value that is not null."""
    numbered = select([f"{identifier(name)} AS v", "row_number() OVER () AS i"], table.source)
    starts = select(
        ["v", "i", "v IS DISTINCT FROM lag(v) OVER (ORDER BY i) AS starts"], f"({numbered})"
    )
    runs = select(["v", "sum(starts::INT) OVER (ORDER BY i) AS run"], f"({starts})")
    lengths = select(["count(v) AS length"], f"({runs})", "GROUP BY run")
    longest = pair.tables.query(table, select(["max(length)"], f"({lengths})"))[0][0]
    return int(longest or 0)


def stands_still(pair: Pair, name: str) -> QualityFinding | None:
    """Find a run of one value, in the order of the rows, that is much longer than any before."""
    before = _longest_run(pair, pair.reference, name)
    now = _longest_run(pair, pair.current, name)
    if now < max(_RUN * pair.current.rows, _LONGER * before, _FEWEST_ROWS):
        return None
    detail = f"one value in {now:,} rows one after the other; in the reference at most {before:,}"
    return QualityFinding(column=name, check="stale", status=CheckStatus.CRITICAL, detail=detail)


def missing_hours(pair: Pair, clock: str) -> QualityFinding | None:
    """Find hours of the day without rows that the reference has on nearly all days.

    Parameters
    ----------
    clock
        As for the volume.
    """
    before, now = (_rows_per_hour(pair, table, clock) for table in (pair.reference, pair.current))
    if min(len(before), len(now)) < _FEWEST_CURRENT_DAYS:
        return None
    usual = np.where((before > 0).mean(axis=0) >= _NEARLY_ALWAYS, before.mean(axis=0), 0.0)
    empty = (usual > 0) & ((now > 0).mean(axis=0) <= 1 - _NEARLY_ALWAYS)
    lost = float(usual[empty].sum()) / max(float(before.mean(axis=0).sum()), 1.0)
    if lost < _LOST[0]:
        return None
    hours = ", ".join(f"{hour:02}:00" for hour in np.flatnonzero(empty))
    return QualityFinding(
        column=clock,
        check="missing_partition",
        status=CheckStatus.CRITICAL if lost >= _LOST[1] else CheckStatus.WARNING,
        detail=f"no rows in the hours {hours}, where the reference has {lost:.0%} of its own",
    )


def _rows_per_hour(pair: Pair, table: Table, clock: str) -> Values:
    """Return the rows of each hour of the day, shape ``(days, 24)``, of whole days with any row."""
    hour = f"epoch_us({identifier(clock)}) // 3600000000"
    query = select(
        [f"{hour} AS hour", "count(*)"],
        table.source,
        f"WHERE {identifier(clock)} IS NOT NULL GROUP BY 1",
    )
    found: dict[int, Values] = {}
    for number, rows in pair.tables.query(table, query):
        day, hour_of_day = divmod(int(number), 24)
        found.setdefault(day, np.zeros(24))[hour_of_day] = rows
    # The first and the last day may be cut by where the table begins and ends.
    return np.array([found[day] for day in sorted(found)[1:-1]]).reshape(-1, 24)


def volume(pair: Pair, clock: str) -> QualityFinding | None:
    """Find days with far fewer or far more rows than the reference's days.

    Parameters
    ----------
    clock
        A datetime column in which the current rows come after the reference's, or before them.
    """
    before, now = (_rows_per_day(pair, table, clock) for table in (pair.reference, pair.current))
    if len(before) < _FEWEST_DAYS or len(now) < _FEWEST_CURRENT_DAYS:
        return None
    usual, typical = float(np.median(before)), float(np.median(now))
    low, high = np.quantile(before, _USUAL_DAYS)
    change = typical / usual - 1
    if abs(change) < _VOLUME[0] or low <= typical <= high:
        return None
    return QualityFinding(
        column=clock,
        check="volume",
        status=CheckStatus.CRITICAL if abs(change) >= _VOLUME[1] else CheckStatus.WARNING,
        detail=f"{typical:,.0f} rows on a typical day, {usual:,.0f} in the reference",
    )


def _rows_per_day(pair: Pair, table: Table, clock: str) -> Values:
    """Return the rows of each whole day, from the first to the last; days without rows are 0."""
    day = f"epoch_us({identifier(clock)}) // 86400000000"
    counts = dict(
        pair.tables.query(
            table,
            select(
                [f"{day} AS day", "count(*)"],
                table.source,
                f"WHERE {identifier(clock)} IS NOT NULL GROUP BY 1",
            ),
        )
    )
    if not counts or max(counts) - min(counts) > _MOST_DAYS:
        return np.empty(0)
    # The first and the last day may be cut by where the table begins and ends.
    days = range(min(counts) + 1, max(counts))
    return np.array([counts.get(day, 0) for day in days], dtype=np.float64)
