"""The pages show the alarm budget, the evidence, estimates, segments and the watch itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from alerts.self_watch import THE_SERVICE
from alerts.storm import SEVERAL
from reports import pages
from reports.charts import contribution_svg, timeline_alt, timeline_svg
from reports.model import (
    Bar,
    BudgetView,
    EvidencePoint,
    IncidentsView,
    IncidentView,
    ModelsView,
    ModelView,
    Timeline,
    WatchView,
)
from reports.pages import Here

HERE = Here(path="/")


def test_the_alarm_budget_is_said_with_its_doubt(model_view: ModelView) -> None:
    html = pages.model(model_view, HERE)
    assert "not shown to hold" in html
    assert "a change of ROC AUC by 0.04; not shown to hold: the reference of 60 days" in html

    sure = BudgetView(allowed="1 page a quarter", sentence="0 pages in 360 days")
    html = pages.model(replace(model_view, budget=sure), HERE)
    assert "shown to hold</span>" in html
    assert "Alarm budget of 1 page a quarter: 0 pages in 360 days." in html


def test_the_evidence_is_drawn_under_the_metric_and_said_in_words(timeline: Timeline) -> None:
    bare = replace(timeline, evidence=(), estimates=())
    assert ">pages</text>" in timeline_svg(timeline)
    assert ">pages</text>" not in timeline_svg(bare)
    assert "The newest evidence of decay is at 10% of what pages." in timeline_alt(timeline)
    alarmed = replace(
        timeline,
        evidence=tuple(
            EvidencePoint(window=point.window, version=1, share=300.0, alarmed=True)
            for point in timeline.points
        ),
    )
    assert "The evidence of decay has paged; it lasts in 100 windows." in timeline_alt(alarmed)
    assert "NaN" not in timeline_svg(alarmed)


def test_an_estimate_is_dashed_and_dotted_where_it_is_not_trusted(
    model_view: ModelView, timeline: Timeline
) -> None:
    drawn = timeline_svg(timeline)
    assert 'stroke-dasharray="1,4"' in drawn
    trusted = replace(
        timeline, estimates=tuple(replace(point, trusted=True) for point in timeline.estimates)
    )
    assert 'stroke-dasharray="1,4"' not in timeline_svg(trusted)
    assert "not trusted: it missed too often" in pages.model(model_view, HERE)
    view = replace(model_view, timeline=replace(timeline, estimates=()))
    assert "estimated without labels" not in pages.model(view, HERE)


def test_a_wide_band_of_an_estimate_does_not_make_the_measured_metric_small(
    timeline: Timeline,
) -> None:
    wide = replace(
        timeline,
        estimates=tuple(replace(point, lower=-5.0, upper=9.0) for point in timeline.estimates),
    )
    labels = re.compile(r">([\d.]+)</text>")
    assert labels.findall(timeline_svg(wide)) == labels.findall(timeline_svg(timeline)) != []


def test_segments_that_stand_out_say_why(model_view: ModelView) -> None:
    html = pages.model(model_view, HERE)
    assert "carrier=&lt;script&gt;alert(" in html
    assert "PSI 0.31" in html
    assert "3 quieter segments are not shown." in html
    assert 'id="segments"' not in pages.model(replace(model_view, segments=None), HERE)


def test_a_window_says_what_its_columns_were_compared_with(model_view: ModelView) -> None:
    html = pages.model(model_view, HERE)
    assert "Compared with 28 windows of 28d up to 2013-08-31 04:00." in html


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        (WatchView(ok=True, seconds=20.4), "on their way; last checked 20 s ago."),
        (
            WatchView(ok=False, findings=("INC-0001 has not arrived",), seconds=3.0),
            "INC-0001 has not arrived; last checked 3 s ago.",
        ),
        (WatchView(ok=False), "No worker has checked yet whether its pages arrive."),
    ],
)
def test_the_front_page_says_whether_the_watch_is_kept(
    models_view: ModelsView, watch: WatchView, said: str
) -> None:
    assert said in pages.models(replace(models_view, watch=watch), HERE)


def test_rules_show_how_useful_their_incidents_were(incidents_view: IncidentsView) -> None:
    html = pages.incidents(incidents_view, HERE)
    assert re.search(r"2 of 14\s+<span class=\"under\">4.0 % to 40.0 %", html)
    assert "open at 3 of 4" in html
    assert "keeps 2 that were useful, drops 9" in html
    assert "How useful they were" not in pages.incidents(replace(incidents_view, rules=()), HERE)


@pytest.mark.parametrize("name", [SEVERAL, THE_SERVICE])
def test_an_incident_of_no_one_model_links_to_none(
    incident_view: IncidentView, incidents_view: IncidentsView, name: str
) -> None:
    row = replace(incident_view.row, model=name)
    page = pages.incident(replace(incident_view, row=row), HERE)
    assert name in page
    assert f"/models/{name.split(maxsplit=1)[0]}" not in page
    row = replace(incidents_view.rows[0], model=name)
    page = pages.incidents(replace(incidents_view, rows=(row,)), HERE)
    assert name in page
    assert f"/models/{name.split(maxsplit=1)[0]}" not in page


def test_an_incident_says_where_its_loss_comes_from(incident_view: IncidentView) -> None:
    html = pages.incident(incident_view, HERE)
    assert "Where the loss comes from" in html
    assert "other labels for the same rows adds +0.260, 95 % interval +0.100 to +0.400." in html
    assert "<script>alert" not in html
    assert 'href="/models/delays"' in html
    bare = pages.incident(replace(incident_view, attribution=None), HERE)
    assert "Where the loss comes from" not in bare


def test_a_part_that_helps_reaches_to_the_other_side_of_zero() -> None:
    bars = Bar(name="a", value=0.3), Bar(name="b", value=-0.1)
    worse, better = (contribution_svg(bar, bars) for bar in bars)
    assert 'class="worse" x="80.0"' in worse
    assert 'class="better" x="0.0"' in better
    nothing = Bar(name="c", value=0.0)
    assert "NaN" not in contribution_svg(nothing, (nothing,))
