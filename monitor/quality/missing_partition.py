"""A part of the day is missing that every window had."""

from __future__ import annotations

import numpy as np

from monitor.model import CheckStatus
from monitor.quality.model import Finding, Whole, found

#: Part of the usual rows that must be missing for a warning, and for it to be critical.
_WARNING, _CRITICAL = 0.05, 0.25
#: Fewer usual rows in the hours that are empty may be missing by accident.
_FEWEST = 20


def missing_partition(whole: Whole) -> list[Finding]:
    """Find hours of the day without a row although every window of the reference had some."""
    usual, counted = np.array(whole.usual.hours), whole.current.quality
    if not whole.closed or counted is None or not len(usual) or not whole.current.rows:
        return []
    empty = (usual > 0) & (counted.hours == 0)
    lost = float(usual[empty].sum())
    share = lost / max(float(usual.sum()), 1.0)
    status = CheckStatus.OK
    if lost >= _FEWEST and share >= _WARNING:
        status = CheckStatus.CRITICAL if share >= _CRITICAL else CheckStatus.WARNING
    hours = ", ".join(f"{hour:02}:00" for hour in np.flatnonzero(empty))
    reason = f"no row in the hours {hours} UTC, usually about {lost:.0f}" if lost else "complete"
    return [found("missing_partition", status, reason, rows=whole.current.rows, column=None)]
