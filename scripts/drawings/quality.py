"""Pictures of data that broke, on real flights."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from drawings.picture import Picture, level, percent, points, shade, sized
from monitor.comparison.units import unit_change
from monitor.habits import null_limit
from monitor.profiles.model import ColumnProfile
from reports.charts import draw
from reports.charts.palette import CRITICAL, MUTED, SERIES
from watchkeeper.schema import ColumnKind

_DATA = Path(__file__).parents[2] / "service" / "demo" / "data"
_COLUMN, _HABITUAL = "pressure_mb", "wind_gust_mph"
_DAYS, _FAULT = 60, 40


def nulls() -> Picture:
    """The nulls of a column that usually has many, and the limit that its own days give."""
    train, live = _daily("flights_train"), _daily("flights_live")
    shares = [float(day[_COLUMN].isna().mean()) for day in train]
    whole = pd.concat(train)[_COLUMN]
    limit = null_limit(shares, _profile(whole))
    gusts = [float(day[_HABITUAL].isna().mean()) for day in train]
    habitual = null_limit(gusts, _profile(pd.concat(train)[_HABITUAL]))
    generator = np.random.default_rng(2)
    rows = []
    for number, day in enumerate(live[:_DAYS]):
        values = day[_COLUMN].to_numpy(copy=True)
        if number >= _FAULT:
            values[generator.random(len(values)) < 0.9] = np.nan
        rows.append({"x": number + 1, "y": float(np.isnan(values).mean())})
    usual = [row["y"] for row in rows[:_FAULT]]
    found = sum(row["y"] > limit for row in rows[_FAULT:])
    x = alt.X("x:Q", title="day", axis=alt.Axis(grid=False), scale=alt.Scale(domain=[0, _DAYS]))
    y = alt.Y("y:Q", title="nulls of pressure_mb", axis=alt.Axis(format=".0%"))
    chart = points(rows).encode(x=x, y=y) + level(limit, f"usual limit {percent(limit)}", at=0)
    return Picture(
        chart=sized(chart + shade(_FAULT, _DAYS, "nine of ten values lost", colour=CRITICAL)),
        finding=(
            f"Air pressure is null in {percent(float(np.median(shares)), 1)} of the flights of a "
            f"usual day, and in storms in more: the limit that {len(shares)} days of the reference "
            f"give is {percent(limit)}. {sum(share > limit for share in usual)} of {_FAULT} quiet "
            f"days are above it; when nine of ten values are lost, {found} of {_DAYS - _FAULT} "
            f"are. Wind gusts are null on whole days, so their limit is {percent(habitual)}: no "
            "surge can be seen there."
        ),
    )


def units() -> Picture:
    """A temperature that comes in another unit, and what brings it back."""
    train, live = (pd.read_parquet(_DATA / f"flights_{name}.parquet") for name in ("train", "live"))
    before = train["temperature_f"].dropna().to_numpy(np.float64)
    now = live["temperature_f"].dropna().to_numpy(np.float64)[:4000]
    broken = (now - 32) / 1.8
    found = unit_change("temperature_f", before, broken)
    quiet = unit_change("temperature_f", before, now)
    assert found is not None  # noqa: S101
    bins = np.arange(-5, 111, 5)
    rows = [
        {"x": float(x), "y": float(y), "name": name}
        for name, values in (("January to May", before), ("June", now), ("June, in °C", broken))
        for x, y in zip(bins[:-1] + 2.5, np.histogram(values, bins)[0] / len(values), strict=True)
    ]
    colours = {"January to May": MUTED, "June": SERIES, "June, in °C": CRITICAL}
    chart = (
        draw.over(rows)
        .mark_line(interpolate="step", strokeWidth=2)
        .encode(
            x=alt.X("x:Q", title="temperature_f", axis=alt.Axis(grid=False)),
            y=alt.Y("y:Q", title="share of flights", axis=alt.Axis(format=".0%")),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=alt.Legend(title=None, orient="top", labelColor=MUTED, columnPadding=32),
            ),
        )
    )
    calm = "is not called a change of unit" if quiet is None else quiet.detail
    return Picture(
        chart=sized(chart),
        finding=(
            f"The first 4,000 flights of June, sent in °C: “{found.detail}”. June itself, warmer "
            f"than the reference of January to May, {calm}."
        ),
    )


def _daily(name: str) -> list[pd.DataFrame]:
    rows = pd.read_parquet(_DATA / f"{name}.parquet", columns=["timestamp", _COLUMN, _HABITUAL])
    return [day for _, day in rows.groupby(rows["timestamp"].dt.date)]


def _profile(values: pd.Series) -> ColumnProfile:
    none = int(values.isna().sum())
    return ColumnProfile(
        name=_COLUMN,
        kind=ColumnKind.NUMERICAL,
        counts=np.array([len(values) - none]),
        null=none,
        nan=0,
        infinite=0,
        under=0,
        over=0,
        far=0,
        zeros=0,
        rows=len(values),
        total=float(values.sum()),
        total_of_squares=float((values**2).sum()),
        minimum=float(values.min()),
        maximum=float(values.max()),
    )
