"""The page of a back-test stands alone, escapes every name, and says what is to be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.model import CheckStatus
from reports.backtest_html import lanes_of, page
from reports.backtest_result import (
    BacktestBudget,
    BacktestIncident,
    BacktestReference,
    BacktestResult,
    BacktestWindow,
    Drift,
    QualityFinding,
    Value,
)
from reports.backtest_words import headline
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script>"


def window(day: int, *, value: float | None = 0.7) -> BacktestWindow:
    bad = value is not None and value < 0.65
    return BacktestWindow(
        window=Window(start=START + day * DAY, end=START + (day + 1) * DAY),
        rows=900,
        labels=880 if value is not None else 0,
        labels_mature=value is not None,
        status=CheckStatus.CRITICAL if bad else CheckStatus.OK,
        measurements={"roc_auc": Value(value=value, lower=value, upper=value)},
        quality=(
            QualityFinding(
                column=HOSTILE, check="null_surge", status=CheckStatus.WARNING, detail=HOSTILE
            ),
        )
        if day == 2
        else (),
        drift=(Drift(column="gust", metric="psi", value=0.3, status=CheckStatus.WARNING),),
        limit=0.65,
        performance=CheckStatus.CRITICAL if bad else CheckStatus.OK,
        reason="",
    )


def result(*incidents: BacktestIncident) -> BacktestResult:
    return BacktestResult(
        model="flights",
        table=HOSTILE,
        metric="roc_auc",
        higher_is_better=True,
        zone="UTC",
        reference=BacktestReference(
            table=HOSTILE, start=START - 9 * DAY, end=START, rows=9000, labels=8000, level=0.7
        ),
        windows=tuple(window(k, value=v) for k, v in enumerate((0.7, 0.71, 0.6, 0.61, None))),
        incidents=incidents,
        budget=BacktestBudget(
            pages_allowed=0.05,
            pages_sent=sum(len(each.paged_at) for each in incidents),
            per="quarter",
            days=5.0,
            more={"statement": "budget_unverified: too short"},
        ),
        features=("gust", HOSTILE),
        left_out={"id": "it runs on"},
    )


PAGE = BacktestIncident(
    severity="page",
    family="performance",
    columns=(),
    summary=f"ROC AUC 0.6 {HOSTILE}",
    started_at=START + 2 * DAY,
    opened_at=START + 4 * DAY,
    resolved_at=None,
    paged_at=(START + 4 * DAY,),
)


def test_the_page_stands_alone_and_every_name_is_escaped() -> None:
    html = page(result(PAGE))
    assert "<script" not in html
    assert " href=" not in html
    assert " src=" not in html
    assert "&lt;script&gt;" in html
    assert "budget_unverified: too short" in html
    assert html.count('<svg role="img"') >= 2


def test_the_headline_counts_who_is_told_of_what() -> None:
    assert headline(result()) == "Nobody would have been told of anything."
    assert headline(result(PAGE)) == "The owner would have been told of 1 page."


def test_findings_of_quality_have_a_lane_for_each_check() -> None:
    (lane,) = lanes_of(result())
    assert (lane.name, [mark[0] for mark in lane.marks]) == ("null surge", [2])


def test_the_result_is_plain_json() -> None:
    plain = result(PAGE).to_dict()
    assert plain["windows"][4]["measurements"]["roc_auc"]["value"] is None
    assert plain["incidents"][0]["resolved_at"] is None
    assert plain["budget"]["pages_sent"] == 1
