"""Findings about whole rows: copies that the reference does not have."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.comparison.model import QualityFinding
from monitor.comparison.rare import more_in_current
from monitor.comparison.reading import Pair
from monitor.model import CheckStatus
from monitor.sql import identifier, select
from monitor.tables import Table

_RISE = (0.05, 0.5)
#: Rows whose hashes are kept at a time; of longer tables, those whose hash falls into one class.
_HASHES = 1_000_000


def duplicates(pair: Pair, names: Sequence[str], *, alpha: float) -> QualityFinding | None:
    """Find more copies of rows than the reference has by habit.

    A table has the more equal rows by chance the longer it is, so the current one is read only up
    to the reference's length.
    """
    rows = min(pair.reference.rows, pair.current.rows)
    if rows < 2:
        return None
    before, n_before = _copies(pair, pair.reference, names, pair.reference.rows)
    now, n_now = _copies(pair, pair.current, names, rows)
    if not (n_before and n_now):
        return None
    rise = now / n_now - before / n_before
    if rise < _RISE[0] or more_in_current(n_before, n_now, before, now) > alpha:
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


def _copies(pair: Pair, table: Table, names: Sequence[str], rows: int) -> tuple[int, int]:
    """Return the number of rows that repeat an earlier one, and the number of rows looked at."""
    hashed = f"hash({', '.join(map(identifier, names))}) AS h"
    limited = f"({select(['*'], table.source, f'LIMIT {rows}')})" if rows < table.rows else ""
    classes = -(-rows // _HASHES)
    query = select(
        ["count(*)", "count(DISTINCT h)"],
        f"({select([hashed], limited or table.source)})",
        f"WHERE h % {classes} = 0" if classes > 1 else "",
    )
    seen, different = pair.tables.query(table, query)[0]
    return int(seen - different), int(seen)
