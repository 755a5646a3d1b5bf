"""Label maturity: the share of each window's rows whose label has arrived."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import altair as alt

from reports import words
from reports.charts import draw
from reports.charts.palette import MUTED, SERIES
from reports.model import Timeline, TimelinePoint

_HEIGHT = 64


@lru_cache(maxsize=128)
def maturity_svg(timeline: Timeline, *, width: int = 1040) -> str:
    """Return the share of labels per window as bars; pale where more may still come."""
    name = "chart narrow" if width < 600 else "chart wide"
    return draw.svg(_spec(timeline, width), alt=maturity_alt(timeline), name=name)


def maturity_alt(timeline: Timeline) -> str:
    """Say how many windows have all the labels that they will get, and how full the rest is."""
    full = sum(point.mature for point in timeline.points)
    newest = next((point for point in reversed(timeline.points) if point.rows), None)
    if newest is None:
        return "No rows yet, so no labels are due."
    return (
        f"Labels of {full} of {len(timeline.points)} windows are due in full. The newest window, "
        f"{words.span(newest.window, timeline.zone)}, has labels for "
        f"{words.share(_share(newest))} of its rows."
    )


def _share(point: TimelinePoint) -> float | None:
    return point.labels / point.rows if point.rows else None


def _spec(timeline: Timeline, width: int) -> dict[str, Any]:
    narrow = width < 600
    axis = 40 if narrow else 92
    rows = [
        {
            "from": f"{words.local(point.window.start, timeline.zone):%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{words.local(point.window.end, timeline.zone):%Y-%m-%dT%H:%M:%SZ}",
            "share": _share(point),
            "colour": SERIES if point.mature else MUTED,
        }
        for point in timeline.points
    ]
    chart = (
        draw.over(rows)
        .mark_rect(opacity=0.55)
        .encode(
            x=alt.X(
                "from:T",
                scale=alt.Scale(type="utc"),
                title=None,
                axis=alt.Axis(
                    grid=False,
                    tickCount=4 if narrow else 8,
                    labelFlush=True,
                    labelOverlap=True,
                    format="%-d %b",
                ),
            ),
            x2="to:T",
            y=alt.Y(
                "share:Q",
                scale=alt.Scale(domain=[0, 1]),
                title=None,
                axis=alt.Axis(format=".0%", values=[0, 0.5, 1], minExtent=axis, maxExtent=axis),
            ),
            color=alt.Color("colour:N", scale=None),
        )
        .properties(width=width - axis - (12 if narrow else 108), height=_HEIGHT)
    )
    return draw.finished(chart)
