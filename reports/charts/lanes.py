"""The lanes under the timeline: incidents and quarantine as bars over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import altair as alt

from monitor.model import CheckStatus
from reports import words
from reports.charts import draw
from reports.charts.palette import CRITICAL, QUARANTINE, STATUS
from reports.model import IncidentSpan, Timeline
from watchkeeper.window import Window

_LANE = 18


def lanes_of(timeline: Timeline) -> list[dict[str, str]]:
    """Return a bar per incident and per stretch of quarantine, cut to the timeline."""
    first, last = timeline.points[0].window.start, timeline.points[-1].window.end
    low, high = wall_time(first, timeline.zone), wall_time(last, timeline.zone)
    rows = [
        {
            "lane": words.plain(span.family),
            "began": wall_time(min(span.began, span.start), timeline.zone),
            "from": wall_time(span.start, timeline.zone),
            "to": wall_time(span.end or last, timeline.zone),
            "colour": _colour(span),
        }
        for span in timeline.incidents
        if min(span.began, span.start) < last and (span.end is None or span.end > first)
    ]
    for window in _joined(kept.window for kept in timeline.quarantined):
        start = wall_time(window.start, timeline.zone)
        end = wall_time(window.end, timeline.zone)
        lane = {"lane": "quarantine", "began": start, "from": start, "to": end}
        rows.append({**lane, "colour": QUARANTINE})
    return [
        {
            **row,
            **{name: max(low, min(high, row[name])) for name in ("began", "from", "to")},
        }
        for row in rows
        if row["began"] < high and row["to"] > low
    ]


def _colour(span: IncidentSpan) -> str:
    return CRITICAL if span.severity == "page" else STATUS[CheckStatus.WARNING]


def _joined(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(start=merged[-1].start, end=max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def lane_chart(
    rows: list[dict[str, str]], x: dict[str, Any], *, axis: int, narrow: bool, width: int
) -> Any:
    """Return the bars, a lane for each kind of trouble."""
    names = list(dict.fromkeys(row["lane"] for row in rows))
    labels = alt.Axis(
        title=None, grid=False, minExtent=axis, maxExtent=axis, labels=not narrow, labelLimit=axis
    )
    bars = (
        draw.over(rows)
        .mark_bar(height=9, cornerRadius=2)
        .encode(
            x=alt.X("from:T", **{**x, "axis": None}),
            x2="to:T",
            y=alt.Y("lane:N", sort=names, axis=labels),
            color=alt.Color("colour:N", scale=None),
        )
    )
    # Thin: the trouble was there, nobody could know yet.
    lead = (
        draw.over(rows)
        .mark_bar(height=2)
        .encode(
            x=alt.X("began:T", **{**x, "axis": None}),
            x2="from:T",
            y=alt.Y("lane:N", sort=names, axis=labels),
            color=alt.Color("colour:N", scale=None),
        )
    )
    layers = [lead, bars, *(_lane_names(rows, x, names) if narrow else [])]
    return alt.layer(*layers).properties(width=width, height=_LANE * len(names))


def _lane_names(rows: list[dict[str, str]], x: dict[str, Any], names: list[str]) -> list[Any]:
    # The name stands once in each lane, on the side of its bars where there is more room.
    first, last = (datetime.fromisoformat(each) for each in x["scale"].domain)
    layers = []
    for name in names:
        low = min(row["began"] for row in rows if row["lane"] == name)
        high = max(row["to"] for row in rows if row["lane"] == name)
        left = datetime.fromisoformat(low) - first > last - datetime.fromisoformat(high)
        layers.append(
            draw.over([{"at": low if left else high, "lane": name}])
            .mark_text(align="right" if left else "left", baseline="middle", dx=-5 if left else 5)
            .encode(
                x=alt.X("at:T", **{**x, "axis": None}), y=alt.Y("lane:N", sort=names), text="lane:N"
            )
        )
    return layers


def wall_time(moment: datetime, zone: str) -> str:
    """Return an instant as the model's clock shows it, for an axis that is told "UTC".

    The renderer knows no other zones.
    """
    return words.local(moment, zone).strftime("%Y-%m-%dT%H:%M:%SZ")
