"""How much loss beyond the tolerance a model has cost since a moment, from its mature labels."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from monitor.model import Family
from monitor.performance.burn import Burn, Spent, add_up
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from watchkeeper.window import Window

#: The check that holds a metric against the tolerance.
_CHECK = "performance"


def burn_since(
    session: Session, model: str, since: datetime, *, until: datetime | None = None
) -> Burn | None:
    """Return what a model has lost in its windows that start at or after ``since``.

    Parameters
    ----------
    until
        End of the last window that counts; None for all that there are.

    Returns
    -------
    Burn or None
        Of the metric that the newest window was held to; None where none was held to any.
    """
    measured = aliased(MeasurementRow)
    query = (
        select(WindowRow, measured)
        .outerjoin(
            measured,
            and_(
                measured.model == WindowRow.model,
                measured.window_start == WindowRow.window_start,
                measured.version == WindowRow.version,
                measured.column_name == "",
                measured.segment == "",
                measured.family == Family.PERFORMANCE,
                measured.check_name == _CHECK,
                or_(measured.limit_lower.is_not(None), measured.limit_upper.is_not(None)),
            ),
        )
        .where(WindowRow.model == model, WindowRow.window_start >= since, WindowRow.rows > 0)
    )
    if until is not None:
        query = query.where(WindowRow.window_end <= until)
    rows = session.execute(query.order_by(WindowRow.window_start, WindowRow.version))
    found: list[tuple[WindowRow, MeasurementRow | None]] = [(row[0], row[1]) for row in rows]
    metrics = [row.metric for _, row in found if row is not None]
    if not metrics:
        return None
    waiting = {window.window_start for window, _ in found if not window.labels_mature}
    judged = [row for window, row in found if window.labels_mature and row is not None]
    spent = [_spent(row) for row in judged if row.metric == metrics[-1]]
    return add_up(metrics[-1], [each for each in spent if each is not None], waiting=len(waiting))


def _spent(row: MeasurementRow) -> Spent | None:
    """Return what a measurement spent; None where the window was not judged."""
    if row.value is None or row.effect is None or not row.n_current:
        return None
    over = 0.0 if row.limit_upper is None else row.value - row.limit_upper
    under = 0.0 if row.limit_lower is None else row.limit_lower - row.value
    return Spent(
        window=Window(start=row.window_start, end=row.window_end),
        labels=row.n_current,
        beyond=under if row.limit_upper is None else over,
        effect=row.effect,
    )
