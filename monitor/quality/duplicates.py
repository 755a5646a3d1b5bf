"""Rows come twice, more often than they usually do."""

from __future__ import annotations

from monitor.quality.model import Finding, Whole, judge_share

#: Fewer rows have too few chances to be equal.
_FEWEST = 30
#: Parts of the rows beyond the usual ones that warn, and that are critical: each is counted twice.
_STEPS = (0.03, 0.10)


def duplicates(whole: Whole) -> list[Finding]:
    """Find more rows with the features of an earlier row than usual windows have."""
    counted = whole.current.quality
    if counted is None or whole.reference.quality is None or whole.current.rows < _FEWEST:
        return []
    rows, limit = whole.current.rows, whole.usual.copies
    share = counted.copies / rows
    reason = f"{share:.1%} of {rows} rows are copies of another row, usually at most {limit:.1%}"
    return [judge_share("duplicates", share, rows, limit, reason, column=None, steps=_STEPS)]
