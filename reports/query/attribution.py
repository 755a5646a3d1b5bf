"""What was found of the loss behind an incident."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.attribution.model import PARTS, Attribution, SegmentChange
from monitor.attribution.words import describe
from monitor.attribution_store import AttributionRow
from reports import words
from reports.model import AttributionView, Bar
from watchkeeper.window import Window

_MOST = 6
_KINDS = {
    "shared_x": "harder rows of known kinds",
    "y_given_x": "other labels for the same rows",
    "unseen_x": "rows of kinds hardly seen before",
}


def behind(
    session: Session, model: str, *, start: datetime, end: datetime
) -> AttributionView | None:
    """Return what was found of the newest window in ``[start, end]``; None where nobody asked."""
    row = session.scalars(
        select(AttributionRow)
        .where(AttributionRow.model == model)
        .where(AttributionRow.window_start.between(start, end))
        .order_by(AttributionRow.window_start.desc(), AttributionRow.version.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    found = Attribution.from_dict(row.found)
    return AttributionView(
        window=Window(start=row.window_start, end=row.window_end),
        sentence=describe(found).replace(found.loss, words.metric_name(found.loss)),
        loss=found.loss,
        change=found.change,
        kinds=_kinds(found),
        segments=tuple(_segment(each) for each in found.segments[:_MOST]),
        columns=tuple(
            Bar(name=each.column, value=each.score) for each in found.columns if each.score > 0
        )[:_MOST],
        shared=tuple(sorted({each.model for each in found.shared})),
    )


def _kinds(found: Attribution) -> tuple[Bar, ...]:
    if found.shift is None:
        return ()
    parts = ((name, getattr(found.shift, name)) for name in PARTS)
    return tuple(
        Bar(name=_KINDS[name], value=part.value, lower=part.lower, upper=part.upper)
        for name, part in parts
    )


def _segment(each: SegmentChange) -> Bar:
    return Bar(
        name=f"{each.column} {each.segment}",
        value=each.contribution,
        note=f"{each.share_current:.0%} of the rows",
    )
