"""The chart of an incident, drawn from what the pages know."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine

from alerts.charts import Chart
from alerts.model import Incident
from reports.query import Reader
from watchkeeper.clock import Clock
from watchkeeper.database import read
from watchkeeper.errors import NotFoundError
from watchkeeper.model_settings import ModelSettings


def draw_chart(
    engine: Engine, models: Mapping[str, ModelSettings], clock: Clock, incident: Incident
) -> Chart | None:
    """Return the timeline of the judged metric around an incident; None where there is none."""
    from reports.charts import timeline_alt, timeline_png  # noqa: PLC0415  slow to import

    if incident.model not in models:
        return None
    try:
        with read(engine) as session:
            timeline = Reader(session, models, now=clock.now()).incident(incident.id).timeline
    except NotFoundError:
        return None
    if timeline is None or not timeline.points:
        return None
    title = f"{incident.name} {incident.model}: {timeline.metric}"
    return Chart(png=timeline_png(timeline), title=title, alt=timeline_alt(timeline))
