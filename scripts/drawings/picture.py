"""What a picture is, and the few shapes that all are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from reports.charts import draw
from reports.charts.palette import CRITICAL, MUTED, QUARANTINE, SERIES, WARNING

Rows = Sequence[Mapping[str, Any]]

WIDTH, HEIGHT = 560, 240
_TIGHT = alt.Scale(nice=False, zero=False)
#: Colours of lines, in the order in which they are given away.
COLOURS = (SERIES, CRITICAL, WARNING, QUARANTINE, MUTED)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart, and what it shows in one or two sentences with its numbers."""

    chart: Any
    finding: str


def lines(
    rows: Rows, *, x: str, y: str, colours: Mapping[str, str], nudge: Sequence[float] = ()
) -> Any:
    """Return a line for each ``name`` in the rows, with its name at its end.

    Parameters
    ----------
    rows
        With the keys ``x``, ``y`` and ``name``.
    x, y
        Titles of the axes.
    colours
        By name, in the order of drawing.
    nudge
        By how much names are moved down, so that they do not meet.
    """
    over_x = alt.X("x:Q", title=x, axis=alt.Axis(grid=False, tickCount=8), scale=_TIGHT)
    over_y = alt.Y("y:Q", title=y)
    colour = alt.Color(
        "name:N", legend=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))
    )
    base = draw.over(rows).encode(x=over_x, y=over_y, color=colour)
    ends = [max((row for row in rows if row["name"] == name), key=_place) for name in colours]
    names = [
        draw.over([end])
        .mark_text(align="left", baseline="middle", dx=6, dy=down)
        .encode(x="x:Q", y="y:Q", text="name:N", color=colour)
        for end, down in zip(ends, nudge or [0.0] * len(ends), strict=True)
    ]
    return alt.layer(base.mark_line(strokeWidth=2), *names)


def _place(row: Mapping[str, Any]) -> Any:
    return row["x"]


def points(rows: Rows, *, colour: str = SERIES, size: int = 26) -> Any:
    """Return a point for each row with the keys ``x`` and ``y``."""
    return (
        draw.over(rows)
        .mark_point(filled=True, size=size, color=colour, opacity=0.9)
        .encode(x="x:Q", y="y:Q")
    )


def level(value: float, text: str, *, at: float, colour: str = CRITICAL, above: bool = True) -> Any:
    """Return a dashed level line with its name."""
    rule = (
        draw.over([{"y": value}])
        .mark_rule(color=colour, strokeDash=[5, 3], strokeWidth=1.25)
        .encode(y="y:Q")
    )
    name = (
        draw.over([{"x": at, "y": value, "text": text}])
        .mark_text(
            align="left",
            baseline="bottom" if above else "top",
            dx=4,
            dy=-4 if above else 4,
            color=colour,
        )
        .encode(x="x:Q", y="y:Q", text="text:N")
    )
    return alt.layer(rule, name)


def shade(start: float, end: float, text: str, *, colour: str = CRITICAL) -> Any:
    """Return a shaded stretch of the horizontal axis with its name at the top."""
    area = (
        draw.over([{"from": start, "to": end}])
        .mark_rect(color=colour, opacity=0.09)
        .encode(x="from:Q", x2="to:Q", y=alt.value(0), y2=alt.value("height"))
    )
    name = (
        draw.over([{"x": start, "text": text}])
        .mark_text(align="left", baseline="top", dx=4, dy=3, color=colour)
        .encode(x="x:Q", y=alt.value(0), text="text:N")
    )
    return alt.layer(area, name)


def bars(rows: Rows, *, title: str, colours: Mapping[str, str], order: Sequence[str]) -> Any:
    """Return horizontal bars in groups, each with its number at its end.

    Parameters
    ----------
    rows
        With the keys ``group``, ``name``, ``value`` and ``text``.
    """
    y = alt.Y("group:N", title=None, sort=list(order), axis=alt.Axis(minExtent=150, labelLimit=260))
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(title=None, orient="top", labelColor=MUTED, columnPadding=32),
    )
    base = draw.over(rows).encode(
        y=y, yOffset=alt.YOffset("name:N", sort=list(colours)), color=colour
    )
    x = alt.X("value:Q", title=title)
    numbers = base.mark_text(align="left", dx=4, baseline="middle").encode(x=x, text="text:N")
    return alt.layer(base.mark_bar(height={"band": 0.8}).encode(x=x), numbers)


def sized(chart: Any, *, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """Return a chart of a size, with room for names at the right end of its lines."""
    return chart.properties(width=width, height=height)


def percent(share: float, digits: int = 0) -> str:
    """Return a share as a percentage.

    Examples
    --------
    >>> percent(0.054, 1)
    '5.4 %'
    """
    return f"{100 * share:.{digits}f} %"
