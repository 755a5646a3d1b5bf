from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest

from monitor.model import CheckStatus
from reports import charts
from reports.model import (
    Distribution,
    DriftCell,
    DriftRow,
    DriftStrip,
    EvaluationView,
    Timeline,
    TrendPoint,
)

HOSTILE = '<script>alert("1")</script>&\''


def test_the_timeline_says_its_finding_in_words(timeline: Timeline) -> None:
    text = charts.timeline_alt(timeline)
    assert "Newest: 0.726 (95 % interval 0.712 to 0.740) for 8 Sep 2013" in text
    assert "Beyond the limit in 6 of 98 windows, first 22 Jul 2013." in text
    assert "Version 2 took over on 2 Aug 2013." in text
    assert "1 incident is open." in text


def test_the_timeline_is_wellformed_svg_that_scales_and_follows_the_page(
    timeline: Timeline,
) -> None:
    root = Xml.fromstring(charts.timeline_svg(timeline))
    assert root.get("viewBox")
    assert root.get("width") is None
    assert root.get("role") == "img"
    fills = {element.get("fill") for element in root.iter()}
    assert "var(--series, #1d5f9e)" in fills
    assert not any(element.get("style") for element in root.iter())


def test_the_timeline_is_shaded_from_the_first_bad_window_to_the_end(timeline: Timeline) -> None:
    def shades(drawn: Timeline) -> list[str]:
        root = Xml.fromstring(charts.timeline_svg(drawn))
        paths = [
            e.get("d", "") for e in root.iter() if e.get("fill-opacity", e.get("opacity")) == "0.07"
        ]
        return [d for d in paths if d]

    one = replace(timeline, incidents=timeline.incidents[:1], quarantined=())
    (shade,) = shades(one)
    later = replace(one.incidents[0], began=one.incidents[0].start)
    (shorter,) = shades(replace(one, incidents=(later,)))
    assert float(shade[1:].split(",")[0]) < float(shorter[1:].split(",")[0])
    assert shades(replace(one, incidents=())) == []


def test_every_window_of_the_timeline_says_its_value_and_leads_to_its_features(
    timeline: Timeline,
) -> None:
    root = Xml.fromstring(charts.timeline_svg(replace(timeline, model="a b/<")))
    links = [element for element in root.iter() if element.tag.endswith("}a")]
    assert len(links) == sum(point.value is not None for point in timeline.points)
    assert links[0].get("href") == (
        "/models/a%20b%2F%3C?window=2013-06-01T04%3A00%3A00%2B00%3A00#features"
    )
    assert links[0].get("tabindex") == "-1"
    assert links[0][0].text == (
        "1 Jun 2013: ROC AUC 0.733 (95 % interval 0.719 to 0.747), ok; 600 rows, 600 labels, "
        "version 1"
    )


def test_the_timeline_is_a_picture_too(timeline: Timeline) -> None:
    assert charts.timeline_png(timeline).startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [340, 1040])
def test_one_window_alone_can_be_drawn(timeline: Timeline, width: int) -> None:
    one = replace(timeline, points=timeline.points[:1], deployments=(), incidents=())
    assert charts.timeline_svg(replace(one, quarantined=()), width=width).startswith("<svg")


def test_windows_without_any_value_can_be_drawn(timeline: Timeline) -> None:
    blank = replace(
        timeline,
        points=tuple(
            replace(p, value=None, lower=None, upper=None, limit=None, reference=None)
            for p in timeline.points
        ),
    )
    assert charts.timeline_svg(blank).startswith("<svg")
    assert charts.timeline_alt(blank) == "ROC AUC: not measured yet."


def test_label_maturity_is_said_in_words(timeline: Timeline) -> None:
    text = charts.maturity_alt(timeline)
    assert text.startswith("Labels of 97 of 100 windows are due in full.")
    assert "labels for 40.0 % of its rows" in text


def test_a_sparkline_leaves_a_gap_where_nothing_was_measured(timeline: Timeline) -> None:
    values = (0.5, 0.6, None, 0.7, 0.8)
    start = timeline.points[0].window.start
    trend = tuple(TrendPoint(at=start, value=value) for value in values)
    drawing = Xml.fromstring(charts.sparkline_svg(trend, metric="roc_auc", limit=0.4))
    assert len(drawing.findall("polyline")) == 2
    assert "from 0.500 to 0.800, limit 0.400" in (drawing.get("aria-label") or "")


@pytest.mark.parametrize("values", [(), (None, None)])
def test_a_sparkline_of_nothing_is_nothing(
    timeline: Timeline, values: tuple[float | None, ...]
) -> None:
    start = timeline.points[0].window.start
    trend = tuple(TrendPoint(at=start, value=value) for value in values)
    assert charts.sparkline_svg(trend, metric="roc_auc") == ""


def test_a_histogram_escapes_the_names_that_it_writes() -> None:
    distribution = Distribution(labels=(HOSTILE, "b"), reference=(0.5, 0.5), current=(0.1, 0.9))
    drawing = charts.histogram_svg(distribution, name=HOSTILE)
    assert "<script>" not in drawing
    assert len(Xml.fromstring(drawing).findall("rect")) == 2


def test_a_histogram_of_an_empty_window_shows_the_reference_alone() -> None:
    distribution = Distribution(labels=("a", "b"), reference=(0.5, 0.5), current=())
    drawing = Xml.fromstring(charts.histogram_svg(distribution, name="x"))
    assert drawing.findall("rect") == []
    assert drawing.get("aria-label") == "x: no rows in this window."


def test_the_strip_says_since_when_a_column_drifts(timeline: Timeline) -> None:
    windows = tuple(point.window for point in timeline.points[:4])
    calm, loud = (
        DriftCell(status=status, value=0.1, effect=effect)
        for status, effect in ((CheckStatus.OK, 0.2), (CheckStatus.CRITICAL, 2.0))
    )
    row = DriftRow(column=HOSTILE, cells=(calm, None, loud, loud))
    strip = DriftStrip(metric="psi", windows=windows, rows=(row,))
    drawing = Xml.fromstring(charts.strip_svg(row, strip, timeline.zone))
    assert "in 2 of 3 windows, first 3 Jun 2013, last 4 Jun 2013" in (
        drawing.get("aria-label") or ""
    )
    assert len(drawing.findall("rect")) == 2


@pytest.mark.parametrize(
    ("lower", "upper", "tone"),
    [(0.01, 0.03, "better"), (-0.03, -0.01, "worse"), (-0.01, 0.01, "unclear")],
)
def test_the_interval_of_a_gain_is_judged_against_zero(
    lower: float, upper: float, tone: str
) -> None:
    found = EvaluationView(
        verdict="keep",
        metric="roc_auc",
        rows=10,
        difference=(lower + upper) / 2,
        lower=lower,
        upper=upper,
    )
    drawing = Xml.fromstring(charts.forest_svg(found))
    assert drawing.get("class") == f"forest {tone}"
