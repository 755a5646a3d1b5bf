"""Explain the loss of a window on demand: read samples, compare, and keep what was found."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from monitor.attribution.drifts import drifts
from monitor.attribution.explain import explain, weigh
from monitor.attribution.model import Attribution, SharedColumn
from monitor.attribution_store import Attributions, ReferenceSamples
from monitor.model import CheckStatus, EvaluatedWindow, Family
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles
from monitor.reference import Reference
from monitor.reference_store import ReferenceRow, References
from monitor.repository import MeasurementRow
from monitor.samples import Sample, sample_of_log
from monitor.sources.profiler import sample_of_source
from watchkeeper.database import read, write
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

#: By reference and metric, what ``weigh`` said of it.
Weights = dict[tuple[int, str], dict[str, float]]

#: Suspected columns of which other models are asked.
_SUSPECTS = 5
_LONGEST_WINDOW = timedelta(days=31)
_TROUBLE = (CheckStatus.WARNING, CheckStatus.CRITICAL)


def needs_attribution(evaluated: EvaluatedWindow, metric: str) -> bool:
    """Whether the measured metric of a window is beyond its tolerance with certainty."""
    return evaluated.labels_mature and any(
        result.check == "performance"
        and result.status is CheckStatus.CRITICAL
        and result.measurement.metric == metric
        and result.measurement.segment is None
        for result in evaluated.of(Family.PERFORMANCE)
    )


def attribute(
    engine: Engine,
    lake: Lake,
    settings: ModelSettings,
    evaluated: EvaluatedWindow,
    now: datetime,
    *,
    memory: Weights,
    home: Path = Path(),
) -> Attribution | None:
    """Explain the loss of a window and store it; None where there is too little to go by.

    It reads two bounded samples and takes seconds; it is meant to run after the window's verdict
    is stored and its incident told, never before.

    Parameters
    ----------
    memory
        What is known of references; it is added to.
    home
        The folder that a path of the model's table starts from.

    Raises
    ------
    TableError
        The model's source is a table that cannot be read.
    """
    model, version, window = evaluated.model, evaluated.version, evaluated.window
    with read(engine) as session:
        reference = References(session).find(model, version)
        if reference is None or reference.id is None:
            return None
        before = ReferenceSamples(session).find(reference.id)
        profile = _profile(session, model, version, window, reference)
    if before is None or not profile.rows:
        return None
    after = _sample(lake, settings, reference, evaluated, home=home, now=now)
    if after is None:
        return None
    metric = settings.tolerance.metric
    key = reference.id, metric
    if key not in memory:
        memory[key] = weigh(before, reference.bins, metric)
    moved = drifts(profile, reference)
    found = explain(before, after, reference.bins, metric, moved, weights=memory[key])
    if found is None:
        return None
    with read(engine) as session:
        suspects = list(found.ranking())[:_SUSPECTS]
        found = replace(found, shared=shared_columns(session, model, window, suspects))
    with write(engine) as session:
        Attributions(session).save(
            model, version, window, found, revision=evaluated.revision, at=now
        )
    return found


def _sample(
    lake: Lake,
    settings: ModelSettings,
    reference: Reference,
    evaluated: EvaluatedWindow,
    *,
    home: Path,
    now: datetime,
) -> Sample | None:
    version, window = evaluated.version, evaluated.window
    if not settings.source.is_built_in:
        return sample_of_source(settings, home, reference, version, window, now=now)
    columns = tuple(reference.bins.columns)
    return sample_of_log(lake, evaluated.model, version, window, columns, now=now)


def shared_columns(
    session: Session, model: str, window: Window, columns: Collection[str]
) -> tuple[SharedColumn, ...]:
    """Return the other models that have one of these columns in trouble at the same time."""
    row = MeasurementRow
    # By model and start, the order in which they are kept, so that the past is not read through.
    others = session.scalars(
        select(ReferenceRow.model).where(ReferenceRow.model != model).distinct()
    ).all()
    found = session.execute(
        select(row.column_name, row.model, row.check_name)
        .where(row.model.in_(others), row.column_name.in_(list(columns)), row.segment == "")
        .where(row.window_start > window.start - _LONGEST_WINDOW, row.window_start < window.end)
        .where(row.window_end > window.start)
        .where(row.family.in_([Family.DATA_CONTRACT, Family.INPUT_DRIFT]))
        .where(row.status.in_(_TROUBLE))
        .order_by(row.column_name, row.model, row.check_name)
    )
    return tuple(
        SharedColumn(column=column, model=other, check=check)
        for column, other, check in dict.fromkeys(tuple(each) for each in found)
    )


def _profile(
    session: Session, model: str, version: int, window: Window, reference: Reference
) -> Profile:
    layout = reference.bins.layout
    stored = Profiles(session).between(model, version, window.start, window.end)
    return Profile.merge((Profile.from_bytes(each.data, layout) for each in stored), layout)
