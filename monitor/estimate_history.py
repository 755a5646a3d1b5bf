"""How estimates of past windows came out, from the measurements that are stored."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.estimate import error_of
from monitor.estimation.trust import MEMORY, Checked
from monitor.repository import MeasurementRow
from watchkeeper.window import Window

#: Windows back in which checked estimates are looked for.
_REACH = 3 * MEMORY


def checked_before(
    session: Session, model: str, version: int, metric: str, window: Window
) -> list[Checked]:
    """Return the checked estimates of the windows before one, the newest first."""
    row = MeasurementRow
    # Where labels never come nothing is ever checked; the search must end all the same.
    since = window.start - _REACH * (window.end - window.start)
    found = session.execute(
        select(row.value, row.limit_lower, row.limit_upper)
        .where(row.model == model, row.version == version, row.metric == error_of(metric))
        .where(row.column_name == "", row.segment == "")
        .where(row.window_start >= since, row.window_start < window.start)
        .order_by(row.window_start.desc())
        .limit(MEMORY)
    )
    return [
        Checked(error=error, lower=lower, upper=upper)
        for error, lower, upper in found
        if error is not None and lower is not None and upper is not None
    ]
