"""A metric that decays, is retrained, and has its weather feed broken; for the pages to show."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from monitor.model import CheckStatus, Family
from reports.model import (
    DeploymentMark,
    EstimatePoint,
    EvidencePoint,
    IncidentSpan,
    Quarantine,
    Timeline,
    TimelinePoint,
    TrendPoint,
)
from watchkeeper.window import Window

START = datetime(2013, 6, 1, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NEW_YORK = "America/New_York"


def day(i: int) -> Window:
    return Window(start=START + i * DAY, end=START + (i + 1) * DAY)


def example_timeline(days: int = 100) -> Timeline:
    points = []
    for i in range(days):
        decay = max(0, i - 30) * 0.0012 if i < 62 else 0.0
        value = 0.733 + 0.007 * math.sin(i * 1.7) - decay
        critical = value + 0.009 < 0.711
        points.append(
            TimelinePoint(
                window=day(i),
                version=1 if i < 62 else 2,
                value=None if i in {44, 45} else value,
                lower=None if i in {44, 45} else value - 0.014,
                upper=None if i in {44, 45} else value + 0.014,
                status=CheckStatus.INSUFFICIENT_DATA
                if i in {44, 45}
                else CheckStatus.CRITICAL
                if critical
                else CheckStatus.WARNING
                if value < 0.711
                else CheckStatus.OK,
                limit=0.711 if i < 62 else 0.715,
                reference=0.731 if i < 62 else 0.735,
                rows=600 + 40 * (i % 7),
                labels=int((600 + 40 * (i % 7)) * (1.0 if i < days - 3 else 0.4)),
                mature=i < days - 3,
            )
        )
    return Timeline(
        model="flights",
        metric="roc_auc",
        zone=NEW_YORK,
        points=tuple(points),
        deployments=(
            DeploymentMark(at=START - 3 * DAY, version=1),
            DeploymentMark(at=START + 62 * DAY, version=2),
        ),
        incidents=(
            IncidentSpan(
                id="1",
                family=Family.PERFORMANCE,
                severity="page",
                began=START + 47 * DAY,
                start=START + 49 * DAY,
                end=START + 66 * DAY,
            ),
            IncidentSpan(
                id="2",
                family=Family.DATA_CONTRACT,
                severity="ticket",
                began=START + 75 * DAY,
                start=START + 77 * DAY,
                end=START + 83 * DAY,
            ),
            IncidentSpan(
                id="3",
                family=Family.INPUT_DRIFT,
                severity="digest",
                began=START + 92 * DAY,
                start=START + 94 * DAY,
                end=None,
            ),
        ),
        quarantined=tuple(
            Quarantine(window=day(i), reason="nulls in every weather column") for i in range(77, 82)
        ),
        estimates=tuple(
            EstimatePoint(
                window=point.window,
                version=point.version,
                value=0.73,
                lower=0.715,
                upper=0.745,
                trusted=not 50 <= i < 62,
            )
            for i, point in enumerate(points)
        ),
        evidence=tuple(
            EvidencePoint(
                window=point.window,
                version=point.version,
                share=max(0, i - 40) * 0.12 if i < 62 else 0.1,
                alarmed=49 <= i < 62,
            )
            for i, point in enumerate(points)
        ),
    )


HOSTILE = '<script>alert("x")</script> & "quotes" \'too\' 数据 ' + "long_" * 30


def example_trend(timeline: Timeline) -> tuple[TrendPoint, ...]:
    return tuple(
        TrendPoint(at=point.window.start, value=point.value, status=point.status)
        for point in timeline.points[-60:]
    )
