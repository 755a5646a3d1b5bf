"""Columns against their reference: the strip over time, and the cards of one window."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from monitor.comparison.drift import METRIC
from monitor.model import CheckStatus, Family
from monitor.profiles.model import ColumnProfile, Profile
from monitor.profiles.repository import Profiles
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from reports.model import (
    DriftCell,
    DriftRow,
    DriftStrip,
    FeatureCard,
    FeaturesView,
    Finding,
    Paging,
)
from reports.query.distribution import distribution_of
from reports.query.performance import FOUND
from watchkeeper.schema import ColumnKind
from watchkeeper.window import Window

STRIP = 60
_MOST_COLUMNS = 24
CARDS = 24
_MOST_FINDINGS = 12
_TILES_AT_ONCE = 24
#: From bad to good.
_ORDER = (
    CheckStatus.FAILED,
    CheckStatus.CRITICAL,
    CheckStatus.WARNING,
    CheckStatus.OK,
    CheckStatus.INSUFFICIENT_DATA,
)
#: How a reason says which reference it is about, after all else.
_AGAINST = re.compile(
    r"(?:^|, )((?:against|too little history|no earlier window|the reference has no row) .*)$"
)
_FIRST = (Family.PIPELINE, Family.DATA_CONTRACT, Family.PERFORMANCE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    name: str
    status: CheckStatus
    reasons: tuple[str, ...] = ()
    psi: float | None = None
    p_value: float | None = None
    effect: float = -1.0


def strip(session: Session, model: str, windows: Collection[Window]) -> DriftStrip | None:
    """Return the columns that stood out most in these windows, a cell for each of them."""
    shown = sorted(set(windows))[-STRIP:]
    if not shown:
        return None
    row = MeasurementRow
    about = (
        row.model == model,
        row.window_start.between(shown[0].start, shown[-1].start),
        row.column_name != "",
        row.segment == "",
    )
    badness = func.sum(
        case((row.status == CheckStatus.CRITICAL, 2), (row.status.in_(FOUND), 1), else_=0)
    )
    ranked = (
        session.execute(
            select(row.column_name)
            .where(*about)
            .group_by(row.column_name)
            .order_by(
                badness.desc(), func.max(func.coalesce(row.effect, -1.0)).desc(), row.column_name
            )
        )
        .scalars()
        .all()
    )
    names = ranked[:_MOST_COLUMNS]
    cells = session.execute(
        select(
            row.column_name,
            row.window_start,
            row.metric,
            row.check_name,
            row.status,
            row.value,
            row.effect,
        ).where(*about, row.column_name.in_(names))
    )
    found: dict[tuple[str, datetime], DriftCell] = {}
    for name, start, metric, check, status, value, effect in cells:
        cell = DriftCell(
            status=CheckStatus(status), value=value, effect=effect, metric=metric, check=check
        )
        known = found.get((name, start))
        found[name, start] = cell if known is None else _worse(known, cell)
    return DriftStrip(
        metric=METRIC,
        windows=tuple(shown),
        rows=tuple(
            DriftRow(column=name, cells=tuple(found.get((name, window.start)) for window in shown))
            for name in names
        ),
        hidden=len(ranked) - len(names),
    )


def features(
    session: Session,
    model: str,
    window: WindowRow | None,
    *,
    search: str,
    page: int,
    usual: str = "",
) -> FeaturesView:
    """Return one page of the columns of a window, those that stand out first.

    Parameters
    ----------
    usual
        What columns are compared with where no finding says otherwise.
    """
    if window is None:
        nothing = Paging(number=page, size=CARDS, total=0)
        return FeaturesView(window=None, version=None, cards=(), paging=nothing, search=search)
    measured = _measured(session, window)
    columns = _columns(measured)
    wanted = [column for column in columns if search.casefold() in column.name.casefold()]
    paging = Paging(number=page, size=CARDS, total=len(wanted))
    shown = wanted[paging.offset : paging.offset + CARDS]
    reference = References(session).find(model, window.version) if shown else None
    profile = _profile(session, window, reference) if reference else None
    return FeaturesView(
        window=Window(start=window.window_start, end=window.window_end),
        version=window.version,
        cards=tuple(_card(column, reference, profile) for column in shown),
        paging=paging,
        search=search,
        against=_against(measured) or usual,
    )


def _against(measured: Iterable[MeasurementRow]) -> str:
    """Return what the checks of drift say that they have compared with; empty if nothing."""
    for row in measured:
        found = _AGAINST.search(row.reason) if row.check_name == "drift" else None
        if found is not None:
            return found[1].removeprefix("against ")
    return ""


def findings(session: Session, window: WindowRow | None) -> tuple[Finding, ...]:
    """Return what stands out in a window: what is broken first, then losses, then drift."""
    if window is None:
        return ()
    rows = [row for row in _measured(session, window) if row.status in FOUND]
    rows.sort(key=lambda row: (_rank(row), -(row.effect or 0.0), row.column_name))
    return tuple(_finding(row) for row in rows[:_MOST_FINDINGS])


def _measured(session: Session, window: WindowRow) -> list[MeasurementRow]:
    row = MeasurementRow
    return list(
        session.scalars(
            select(row).where(
                row.model == window.model,
                row.window_start == window.window_start,
                row.version == window.version,
                row.segment == "",
            )
        )
    )


def _columns(rows: Iterable[MeasurementRow]) -> list[_Column]:
    by_name: dict[str, list[MeasurementRow]] = {}
    for row in rows:
        if row.column_name:
            by_name.setdefault(row.column_name, []).append(row)
    columns = [_column(name, about) for name, about in by_name.items()]
    return sorted(columns, key=lambda each: (_ORDER.index(each.status), -each.effect, each.name))


def _column(name: str, rows: list[MeasurementRow]) -> _Column:
    drift = next((row for row in rows if row.metric == METRIC), None)
    return _Column(
        name=name,
        status=min((CheckStatus(row.status) for row in rows), key=_ORDER.index),
        reasons=tuple(row.reason for row in rows if row.status in FOUND),
        psi=drift.value if drift else None,
        p_value=drift.p_value if drift else None,
        effect=max((row.effect for row in rows if row.effect is not None), default=-1.0),
    )


def _card(column: _Column, reference: Reference | None, profile: Profile | None) -> FeatureCard:
    then = _part(reference.profile if reference else None, column.name)
    now = _part(profile, column.name)
    bins = reference.bins.columns.get(column.name) if reference else None
    return FeatureCard(
        name=column.name,
        kind=bins.kind if bins else None,
        status=column.status,
        reason=" ".join(column.reasons),
        psi=column.psi,
        p_value=column.p_value,
        null_reference=then.null_share if then and then.rows else None,
        null_current=now.null_share if now and now.rows else None,
        unseen=_unseen(now) if bins and bins.complete else None,
        distribution=distribution_of(bins, then, now) if bins and then else None,
    )


def _part(profile: Profile | None, name: str) -> ColumnProfile | None:
    if profile is None:
        return None
    try:
        return profile.column(name)
    except KeyError:
        return None


def _unseen(now: ColumnProfile | None) -> float | None:
    if now is None or now.kind is not ColumnKind.CATEGORICAL or not now.values:
        return None
    return now.unseen / now.values


def _profile(session: Session, window: WindowRow, reference: Reference) -> Profile:
    layout = reference.bins.layout
    stored = Profiles(session).between(
        window.model, window.version, window.window_start, window.window_end
    )
    # A month of hours is merged a day at a time, so that memory stays small.
    merged = Profile.empty(layout)
    for i in range(0, len(stored), _TILES_AT_ONCE):
        tiles = [Profile.from_bytes(tile.data, layout) for tile in stored[i : i + _TILES_AT_ONCE]]
        merged = Profile.merge([merged, *tiles], layout)
    return merged


def _worse(left: DriftCell, right: DriftCell) -> DriftCell:
    return min(left, right, key=lambda cell: (_ORDER.index(cell.status), -(cell.effect or -1.0)))


def _rank(row: MeasurementRow) -> tuple[int, int]:
    family = Family(row.family)
    return (
        _ORDER.index(CheckStatus(row.status)),
        _FIRST.index(family) if family in _FIRST else len(_FIRST),
    )


def _finding(row: MeasurementRow) -> Finding:
    return Finding(
        status=CheckStatus(row.status),
        family=Family(row.family),
        check=row.check_name,
        reason=row.reason,
        column=row.column_name or None,
        metric=row.metric,
        value=row.value,
        lower=row.lower,
        upper=row.upper,
        limit=row.limit_lower if row.limit_lower is not None else row.limit_upper,
        window=Window(start=row.window_start, end=row.window_end),
    )
