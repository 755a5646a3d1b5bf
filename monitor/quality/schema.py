"""A column is gone."""

from __future__ import annotations

from monitor.model import CheckStatus
from monitor.quality.model import Finding, Pair, found

#: Fewer rows may all be null by accident.
_FEWEST = 10
#: A column that is null in more rows than this is often null by itself.
_OFTEN_NULL = 0.9


def schema(pair: Pair) -> Finding | None:
    """Find a column that the source no longer has, or that no row has a value in."""
    current, quality = pair.current, pair.current.quality
    rows, name = current.rows, current.name
    if quality is not None and quality.absent:
        reason = f"the source of {quality.absent} of {rows} rows has no such column"
        return found("schema", CheckStatus.CRITICAL, reason, rows=rows, column=name)
    usually = max(pair.reference.null_share, pair.habit.null_limit)
    if rows >= _FEWEST and current.null_share == 1.0 and usually < _OFTEN_NULL:
        reason = f"none of {rows} rows has a value, as if the column were gone"
        return found("schema", CheckStatus.WARNING, reason, rows=rows, column=name)
    return found("schema", CheckStatus.OK, "the column is there", rows=rows, column=name)
