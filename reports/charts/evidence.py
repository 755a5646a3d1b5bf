"""Layers of the timeline that tell what is expected, and what has added up against the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from reports.charts import draw
from reports.charts.lanes import wall_time
from reports.charts.palette import CRITICAL, MUTED, SERIES
from reports.model import EstimatePoint, EvidencePoint, Timeline

_HEIGHT = 52
#: Evidence is drawn up to so many times what pages; then it is plain.
_MOST = 2.0
_MISTRUSTED = [1, 4]


def estimate_layers(timeline: Timeline, x: Mapping[str, Any]) -> list[Any]:
    """Return the estimated metric as a dashed line with its band; dots where it is not trusted."""
    if not timeline.estimates:
        return []
    room = _room(timeline)
    rows = [_expected(point, timeline.zone, run, room) for run, point in _runs(timeline)]
    base = draw.over(rows).encode(x=alt.X("at:T", **x), detail="run:N")
    trusted = base.transform_filter("datum.trusted")
    doubted = base.transform_filter("!datum.trusted")
    return [
        trusted.mark_area(color=MUTED, opacity=0.13).encode(y="lower:Q", y2="upper:Q"),
        trusted.mark_line(color=MUTED, strokeDash=[5, 3], strokeWidth=1.5).encode(y="value:Q"),
        doubted.mark_line(color=MUTED, strokeDash=_MISTRUSTED, strokeWidth=1.5).encode(y="value:Q"),
    ]


def evidence_chart(timeline: Timeline, x: Mapping[str, Any], *, axis: int, width: int) -> Any:
    """Return the evidence of decay, window by window, against what pages."""
    rows = [_share(point, timeline.zone) for point in timeline.evidence]
    labels = alt.Axis(
        title=None,
        values=[0, 1],
        minExtent=axis,
        maxExtent=axis,
        labelExpr="datum.value == 1 ? 'pages' : 'evidence'",
    )
    y = alt.Y("share:Q", axis=labels, scale=alt.Scale(domain=[0, _MOST]), stack=None)
    base = draw.over(rows).encode(x=alt.X("at:T", **{**x, "axis": None}), y=y)
    line = base.mark_area(
        color=SERIES, opacity=0.22, line={"color": SERIES, "strokeWidth": 1.5}
    ).encode(detail="version:N")
    alarm = base.transform_filter("datum.alarmed").mark_point(
        filled=True, color=CRITICAL, opacity=1, size=22
    )
    limit = (
        draw.over([{"share": 1.0}])
        .mark_rule(color=CRITICAL, strokeDash=[5, 3], strokeWidth=1.25)
        .encode(y="share:Q")
    )
    return alt.layer(line, limit, alarm).properties(width=width, height=_HEIGHT)


def evidence_alt(timeline: Timeline) -> str:
    """Say how far the newest evidence is from a page, and for how many windows it has paged."""
    if not timeline.evidence:
        return ""
    newest = timeline.evidence[-1]
    if newest.alarmed:
        lasting = sum(point.alarmed for point in timeline.evidence)
        return f"The evidence of decay has paged; it lasts in {lasting} windows."
    return f"The newest evidence of decay is at {min(newest.share, 1):.0%} of what pages."


def _runs(timeline: Timeline) -> list[tuple[int, EstimatePoint]]:
    """Number stretches of one version and one trust, so that no line is drawn across them."""
    found: list[tuple[int, EstimatePoint]] = []
    run = 0
    for point in timeline.estimates:
        if found:
            last = found[-1][1]
            run += (last.version, last.trusted) != (point.version, point.trusted)
        found.append((run, point))
    return found


def _room(timeline: Timeline) -> tuple[float, float]:
    """Return the range of what was measured; a wide band must not make that small."""
    known = [
        value
        for point in timeline.points
        for value in (point.value, point.lower, point.upper, point.limit, point.reference)
        if value is not None
    ]
    known += [point.value for point in timeline.estimates]
    return min(known), max(known)


def _expected(
    point: EstimatePoint, zone: str, run: int, room: tuple[float, float]
) -> dict[str, Any]:
    middle = point.window.start + (point.window.end - point.window.start) / 2
    return {
        "at": wall_time(middle, zone),
        "value": point.value,
        "lower": None if point.lower is None else max(point.lower, room[0]),
        "upper": None if point.upper is None else min(point.upper, room[1]),
        "trusted": point.trusted,
        "run": run,
    }


def _share(point: EvidencePoint, zone: str) -> dict[str, Any]:
    middle = point.window.start + (point.window.end - point.window.start) / 2
    return {
        "at": wall_time(middle, zone),
        "share": min(point.share, _MOST),
        "alarmed": point.alarmed,
        "version": point.version,
    }
