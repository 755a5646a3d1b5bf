"""What one run works with, fixed before the first fit: champion, rows, signature, days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from retrain.claims import RetrainClaims
from retrain.dataset import Dataset, join, outside, read_lake, read_table
from retrain.memory import Quarantine
from retrain.model import RetrainRun
from retrain.register import table_path
from retrain.repository import RetrainRuns
from retrain.signature import signature
from retrain.split import Split, split_days
from retrain.workplace import Workplace
from watchkeeper.database import read, write
from watchkeeper.errors import NotFoundError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.model import Deployment, ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import FeatureSchema
from watchkeeper.window import Window

#: The instant after the last row that a model was trained on.
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that is fixed before the first fit.

    Parameters
    ----------
    deployment
        The line of the ledger that a promotion would follow.
    rows
        All mature labelled rows out of quarantine.
    data
        The training set as plain JSON types, for the record.
    """

    champion: ModelVersion
    deployment: Deployment
    rows: Dataset
    schema: FeatureSchema
    split: Split
    data: dict[str, Any]


def make_plan(place: Workplace, run: RetrainRun, settings: ModelSettings, now: datetime) -> Plan:
    """Collect the rows as they were known at ``now``, and divide their days.

    Raises
    ------
    NotFoundError
        No version of the model is deployed.
    TrainingError
        ``refused``: too few days of mature labels since the champion was trained.
    TableError
        The training table or the log cannot be read.
    """
    with read(place.engine) as session:
        deployment = Deployments(session).current(run.model)
        if deployment is None:
            raise NotFoundError("deployed version of model", run.model)
        champion = ModelVersions(session).get(run.model, deployment.version)
        seen_until, trained_on = _past_of(session, champion)
        away = [quarantined.window for quarantined in Quarantine(session).of(run.model)]
    table = table_path(settings, place.home) or trained_on
    rows, data = _rows(place, settings, champion, table, now)
    rows = outside(rows, away)
    zone = settings.windows.timezone
    search = settings.retrain is not None and settings.retrain.window == "search"
    split = split_days(rows.between(seen_until, None).rows_per_day(zone), search=search)
    data |= {
        "now": now.isoformat(),
        "rows": len(rows),
        "quarantined": [_named(window) for window in away],
        "judged_from": split.judging.isoformat(),
    }
    with write(place.engine) as session:
        RetrainClaims(session).note(run, data=data, log_path=None)
    kinds = {column.name: column.kind for column in champion.schema.columns}
    return Plan(
        champion=champion,
        deployment=deployment,
        rows=rows,
        schema=signature(settings, kinds, rows.features, rows.label, champion.schema),
        split=split,
        data=data,
    )


def _rows(
    place: Workplace,
    settings: ModelSettings,
    champion: ModelVersion,
    table: str | None,
    now: datetime,
) -> tuple[Dataset, dict[str, Any]]:
    kinds = {column.name: column.kind for column in champion.schema.columns}
    if table is None:
        logged, versions = read_lake(place.lake, settings, kinds, after=None, now=now)
        return logged, {"lake": versions}
    original, _ = read_table(table, settings, now, kinds)
    # Up to its last row the table is the truth: the log may hold the same rows again.
    last = original.timestamps.iloc[-1].to_pydatetime() if len(original) else None
    logged, versions = read_lake(place.lake, settings, kinds, after=last, now=now)
    return join(original, logged), {"table": table, "lake": versions}


def _past_of(session: Session, champion: ModelVersion) -> tuple[datetime, str | None]:
    """Return from when on the champion has seen no row, and the table it was trained on."""
    data: Mapping[str, Any] = {}
    if champion.training_run_id is not None:
        data = RetrainRuns(session).get(champion.training_run_id).data
    if "trained_until" not in data:
        # Registered by hand: whatever was there at that time may have been trained on.
        return champion.created_at, None
    return datetime.fromisoformat(data["trained_until"]), data.get("table")


def _named(window: Window) -> list[str]:
    return [window.start.isoformat(), window.end.isoformat()]
