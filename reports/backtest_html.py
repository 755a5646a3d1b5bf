"""A back-test as one HTML page that stands alone: no script, no other file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from monitor.model import CheckStatus, Family
from reports import words
from reports.backtest_result import BacktestResult, BacktestWindow
from reports.backtest_words import budget_sentences, facts, headline
from reports.charts import timeline_alt, timeline_svg
from reports.charts.timeline import NARROW, WIDE
from reports.model import IncidentSpan, Timeline, TimelinePoint
from reports.standalone import render_alone

_ADDRESS = re.compile(r'<a href="[^"]*" tabindex="-1">')


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """The windows in which one check of the data contract found something.

    Parameters
    ----------
    marks
        Number of the window, status, and what was found.
    """

    name: str
    marks: tuple[tuple[int, CheckStatus, str], ...]


def page(result: BacktestResult) -> str:
    """Return the page of a back-test."""
    names = ["count", "day", "metric_name", "number", "plain", "sentence", "span", "when"]
    timeline = timeline_of(result)
    return render_alone(
        "backtest.html.j2",
        {name: getattr(words, name) for name in names},
        result=result,
        headline=headline(result),
        budget=budget_sentences(result),
        facts=facts(result),
        alt=timeline_alt(timeline),
        wide=_drawing(timeline, WIDE),
        narrow=_drawing(timeline, NARROW),
        lanes=lanes_of(result),
        measured=lambda window: window.measurements.get(result.metric),
    )


def timeline_of(result: BacktestResult) -> Timeline:
    """Return the judged metric over time, with the incidents."""
    return Timeline(
        model=result.model,
        metric=result.metric,
        zone=result.zone,
        points=tuple(_point(result, window) for window in result.windows),
        higher_is_better=result.higher_is_better,
        incidents=tuple(
            IncidentSpan(
                id=str(number),
                family=Family(incident.family),
                severity=incident.severity,
                began=incident.started_at,
                start=incident.opened_at,
                end=incident.resolved_at,
            )
            for number, incident in enumerate(result.incidents)
        ),
    )


def lanes_of(result: BacktestResult) -> list[Lane]:
    """Return a lane for each check of the data contract that found something."""
    found: dict[str, dict[int, tuple[CheckStatus, list[str]]]] = {}
    for number, window in enumerate(result.windows):
        for finding in window.quality:
            said = f"{finding.column or 'rows'}: {finding.detail}"
            status, texts = found.setdefault(finding.check, {}).get(number, (finding.status, []))
            worse = CheckStatus.CRITICAL in (status, finding.status)
            status = CheckStatus.CRITICAL if worse else finding.status
            found[finding.check][number] = (status, [*texts, said])
    return [
        Lane(
            name=words.plain(check),
            marks=tuple(
                (
                    number,
                    status,
                    f"{words.span(result.windows[number].window, result.zone)}: {_few(texts)}",
                )
                for number, (status, texts) in sorted(marks.items())
            ),
        )
        for check, marks in sorted(found.items())
    ]


def _few(texts: list[str]) -> str:
    more = f"; and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def _drawing(timeline: Timeline, width: int) -> Markup:
    # On this page a mark leads nowhere; it only says what it is.
    drawing = _ADDRESS.sub("<g>", timeline_svg(timeline, width=width)).replace("</a>", "</g>")
    return Markup(drawing)  # noqa: S704  drawn by our own code, which escapes every name


def _point(result: BacktestResult, window: BacktestWindow) -> TimelinePoint:
    measured = window.measurements.get(result.metric)
    return TimelinePoint(
        window=window.window,
        version=1,
        value=None if measured is None else measured.value,
        lower=None if measured is None else measured.lower,
        upper=None if measured is None else measured.upper,
        status=window.performance,
        limit=window.limit,
        reference=result.reference.level,
        rows=window.rows,
        labels=window.labels,
        mature=window.labels_mature,
        overall=window.status,
    )
