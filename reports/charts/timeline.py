"""The timeline: a metric per window with its interval, limit, versions, incidents, quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import altair as alt

from monitor.model import CheckStatus
from reports import words
from reports.charts import draw
from reports.charts.evidence import estimate_layers, evidence_alt, evidence_chart
from reports.charts.lanes import lane_chart, lanes_of, wall_time
from reports.charts.palette import CRITICAL, INK, MUTED, PAPER, SERIES, STATUS
from reports.model import Timeline, TimelinePoint
from watchkeeper.window import Window

WIDE, NARROW = 1040, 340
_AXIS_WIDTH = 92
_NARROW_AXIS_WIDTH = 40
_BEYOND = {CheckStatus.CRITICAL, CheckStatus.WARNING}


@lru_cache(maxsize=128)
def timeline_svg(timeline: Timeline, *, width: int = WIDE) -> str:
    """Return the timeline as inline SVG; ``width`` decides how much of it can be labelled."""
    name = "chart narrow" if width < 600 else "chart wide"
    marks = [_mark(timeline, point) for point in timeline.points]
    return draw.svg(_spec(timeline, width), alt=timeline_alt(timeline), name=name, marks=marks)


def timeline_png(timeline: Timeline) -> bytes:
    """Return the timeline as PNG for a message, without estimates: there is no legend in it."""
    return draw.png(_spec(replace(timeline, estimates=()), 860))


def timeline_alt(timeline: Timeline) -> str:
    """Say what the timeline shows: the newest value, the limit, and what happened when."""
    metric = words.sentence(words.metric_name(timeline.metric))
    measured = [point for point in timeline.points if point.value is not None]
    if not measured:
        return f"{metric}: not measured yet."
    newest = timeline.newest or measured[-1]
    period = words.span(
        Window(start=timeline.points[0].window.start, end=timeline.points[-1].window.end),
        timeline.zone,
    )
    facts = [
        f"{metric} per window, {period}.",
        f"Newest: {_with_interval(newest)} for {words.span(newest.window, timeline.zone)}"
        f"{_against_limit(newest)}.",
    ]
    beyond = [point for point in measured if point.status is CheckStatus.CRITICAL]
    if beyond:
        first = words.span(beyond[0].window, timeline.zone)
        facts.append(
            f"Beyond the limit in {len(beyond)} of {len(measured)} windows, first {first}."
        )
    if timeline.evidence:
        facts.append(evidence_alt(timeline))
    facts += [
        f"Version {mark.version} took over on {words.day(mark.at, timeline.zone)}."
        for mark in timeline.deployments[-3:]
    ]
    still = sum(span.end is None for span in timeline.incidents)
    if still:
        facts.append(f"{still} {'incident is' if still == 1 else 'incidents are'} open.")
    return " ".join(facts)


def _with_interval(point: TimelinePoint) -> str:
    shown = words.number(point.value)
    if point.lower is None or point.upper is None:
        return shown
    return f"{shown} (95 % interval {words.number(point.lower)} to {words.number(point.upper)})"


def _against_limit(point: TimelinePoint) -> str:
    if point.limit is None or point.value is None:
        return ""
    side = "beyond" if point.status is CheckStatus.CRITICAL else "within"
    return f", {side} the limit of {words.number(point.limit)}"


def _mark(timeline: Timeline, point: TimelinePoint) -> tuple[str, str]:
    query = urlencode({"window": point.window.start.isoformat()})
    said = (
        f"{words.span(point.window, timeline.zone)}: {words.metric_name(timeline.metric)} "
        f"{_with_interval(point)}, {words.plain(point.status)}; {words.count(point.rows)} rows, "
        f"{words.count(point.labels)} labels, version {point.version}"
    )
    return f"/models/{quote(timeline.model, safe='')}?{query}#features", said


def _spec(timeline: Timeline, width: int) -> dict[str, Any]:
    narrow = width < 600
    axis = _NARROW_AXIS_WIDTH if narrow else _AXIS_WIDTH
    inner = width - axis - (12 if narrow else 108)
    x = _x_axis(timeline, narrow=narrow)
    parts: list[Any] = [
        _metric(timeline, x, narrow=narrow, axis=axis).properties(
            width=inner, height=180 if narrow else 220
        )
    ]
    if timeline.evidence:
        parts.append(evidence_chart(timeline, x, axis=axis, width=inner))
    lanes = lanes_of(timeline)
    if lanes:
        parts.append(lane_chart(lanes, x, axis=axis, narrow=narrow, width=inner))
    return draw.finished(alt.vconcat(*parts, spacing=10))


def _x_axis(timeline: Timeline, *, narrow: bool) -> dict[str, Any]:
    first, last = timeline.points[0].window.start, timeline.points[-1].window.end
    return {
        "type": "temporal",
        "title": None,
        "scale": alt.Scale(
            type="utc", domain=[wall_time(first, timeline.zone), wall_time(last, timeline.zone)]
        ),
        "axis": alt.Axis(
            grid=False,
            tickCount=4 if narrow else 8,
            labelFlush=True,
            labelOverlap=True,
            format=_tick_format(last - first),
        ),
    }


def _tick_format(length: timedelta) -> str:
    if length <= timedelta(days=4):
        return "%-d %b %H:%M"
    return "%-d %b" if length <= timedelta(days=500) else "%b %Y"


def _metric(timeline: Timeline, x: dict[str, Any], *, narrow: bool, axis: int) -> Any:
    y = alt.Axis(tickCount=5, minExtent=axis, maxExtent=axis, title=None)
    layers = [*_spans(timeline, x), *_levels(timeline, x, narrow=narrow)]
    layers += estimate_layers(timeline, x)
    rows = [_row(point, timeline.zone, number) for number, point in enumerate(timeline.points)]
    # Versions are lines of their own: a promotion is a break, not a rise.
    base = draw.over(rows).encode(x=alt.X("at:T", **x), detail="version:N")
    value = alt.Y("value:Q", scale=alt.Scale(zero=False, nice=True), axis=y)
    layers.append(
        base.mark_area(color=SERIES, opacity=0.14, interpolate="linear").encode(
            y=alt.Y("lower:Q", axis=y, scale=alt.Scale(zero=False)), y2="upper:Q"
        )
    )
    layers.append(base.mark_line(color=SERIES, strokeWidth=1.5).encode(y=value))
    layers.append(_points(base, value))
    layers += _deployments(timeline, x)
    # Wider than the points: so that they can be hit.
    layers.append(base.mark_point(filled=True, opacity=0, size=170).encode(y=value, href="href:N"))
    return alt.layer(*layers)


def _points(base: alt.Chart, value: alt.Y) -> Any:
    statuses = [str(status) for status in CheckStatus]
    shapes = ["circle", "diamond", "triangle-down", "circle", "cross"]
    return base.mark_point(filled=True, opacity=1, strokeWidth=1.25).encode(
        y=value,
        shape=alt.Shape("status:N", scale=alt.Scale(domain=statuses, range=shapes), legend=None),
        stroke=alt.Stroke(
            "status:N",
            scale=alt.Scale(domain=statuses, range=[STATUS[status] for status in CheckStatus]),
            legend=None,
        ),
        fill=alt.Fill("fill:N", scale=None),
        size=alt.Size("size:Q", scale=None),
    )


def _row(point: TimelinePoint, zone: str, number: int) -> dict[str, Any]:
    middle = point.window.start + (point.window.end - point.window.start) / 2
    colour = STATUS[point.status]
    return {
        "at": wall_time(middle, zone),
        "href": draw.mark(number),
        "version": point.version,
        "value": point.value,
        "lower": point.lower,
        "upper": point.upper,
        "status": str(point.status),
        # Hollow: its labels are still coming in, and the verdict may change.
        "fill": colour if point.mature else PAPER,
        "size": 70 if point.status in _BEYOND else 22,
    }


def _levels(timeline: Timeline, x: dict[str, Any], *, narrow: bool) -> list[alt.Chart]:
    layers: list[alt.Chart] = []
    above, below = ("bottom", "top") if timeline.higher_is_better else ("top", "bottom")
    for field, colour, dash, baseline, label in (
        ("reference", MUTED, [1, 3], above, "reference"),
        ("limit", CRITICAL, [5, 3], below, "limit"),
    ):
        rows = _steps(timeline, field)
        if not rows:
            continue
        layers.append(
            draw.over(rows)
            .mark_line(color=colour, strokeDash=dash, strokeWidth=1.25, interpolate="step-after")
            .encode(x=alt.X("at:T", **x), y="level:Q")
        )
        if narrow and field == "reference":
            # There is no room beside the plot, and inside it would lie on the line itself.
            continue
        newest = rows[-1]
        text = f"{label} {words.number(newest['level'])}"
        layers.append(
            draw.over([{**newest, "text": text}])
            .mark_text(
                align="right" if narrow else "left",
                baseline="bottom" if baseline == "bottom" else "top",
                dx=0 if narrow else 6,
                dy=-3 if baseline == "bottom" else 3,
                color=colour,
            )
            .encode(x=alt.X("at:T", **x), y="level:Q", text="text:N")
        )
    return layers


def _steps(timeline: Timeline, field: str) -> list[dict[str, Any]]:
    known = [point for point in timeline.points if getattr(point, field) is not None]
    rows: list[dict[str, Any]] = [
        {"at": wall_time(point.window.start, timeline.zone), "level": getattr(point, field)}
        for point in known
    ]
    if known:
        end = wall_time(timeline.points[-1].window.end, timeline.zone)
        rows.append({"at": end, "level": getattr(known[-1], field)})
    return rows


def _spans(timeline: Timeline, x: dict[str, Any]) -> list[alt.Chart]:
    rows = lanes_of(timeline)
    if not rows:
        return []
    return [
        draw.over(rows)
        .mark_rect(opacity=0.07)
        .encode(
            x=alt.X("began:T", **x),
            x2="to:T",
            y=alt.value(0),
            y2=alt.value("height"),
            color=alt.Color("colour:N", scale=None),
        )
    ]


def _deployments(timeline: Timeline, x: dict[str, Any]) -> list[alt.Chart]:
    first, last = timeline.points[0].window.start, timeline.points[-1].window.end
    rows = [
        {"at": wall_time(max(mark.at, first), timeline.zone), "text": f"v{mark.version}"}
        for mark in timeline.deployments
        if mark.at <= last
    ]
    if not rows:
        return []
    base = draw.over(rows).encode(x=alt.X("at:T", **x))
    return [
        base.mark_rule(color=INK, strokeWidth=1, opacity=0.55),
        base.mark_text(align="left", baseline="top", dx=4, dy=1, color=INK, fontWeight=600).encode(
            text="text:N", y=alt.value(0)
        ),
    ]
