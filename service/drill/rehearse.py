"""Let a fault go through evaluation, incidents and the decision to retrain, on a copy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, FromClause, Select, select
from sqlalchemy.orm import Session

from alerts.model import Incident
from alerts.notes import open_incidents
from alerts.observe import observe
from alerts.repository import Incidents, SeriesStore
from alerts.routing import Routing, routing_of
from alerts.rows import IncidentRow
from monitor.model import EvaluatedWindow
from monitor.profiles.connection import connect
from monitor.profiles.own_values import function_of
from monitor.profiles.query import Log, profile_tiles
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.run import Monitor
from monitor.window_store import WindowRow
from retrain.decide import consider
from retrain.model import Action
from service.bootstrap import Service
from service.drill.fault import Fault, check_columns, spoil
from service.worker import INPUT
from watchkeeper.database import Base, make_engine, read, write
from watchkeeper.errors import ConflictError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import ColumnKind
from watchkeeper.window import Window

#: What the copy needs to know of the model.
_COPIED = (
    "model_versions", "deployments", "windows", "profiles",
    "reference_profiles", "reference_seasons", "reference_pasts",
)  # fmt: skip
_BEFORE = 28
#: The runs that made the versions stay behind.
_LOOSE = {"training_run_id": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What became of the fault.

    Parameters
    ----------
    seconds
        From the first look at the spoilt rows to the incident.
    incident
        None when nothing was found.
    hold
        Why a retrain would have been held; None when it would not.
    """

    engine: Engine
    window: Window
    seconds: float
    incident: Incident | None
    hold: str | None


@contextmanager
def rehearse(service: Service, model: str, faults: Sequence[Fault]) -> Iterator[Rehearsal]:
    """Put the faults into the newest windows of a copy and evaluate them; the copy goes at the end.

    Raises
    ------
    ConflictError
        The model has no version in service, or no closed window with rows.
    NotFoundError
        A column is no feature of the model.
    """
    settings = service.models[model]
    if not settings.source.is_built_in:
        raise ConflictError(f"model {model!r}: a drill needs predictions in the built-in log")
    with read(service.engine) as session:
        version = _version(session, settings)
        _check(session, settings, version, faults)
        windows = _newest(session, settings, version)
    with TemporaryDirectory(prefix="watchkeeper-drill-") as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'drill.db'}")
        try:
            Base.metadata.create_all(engine)
            _copy(service.engine, engine, model, since=windows[0].start)
            copy = _Copy(
                engine=engine,
                lake=service.lake,
                settings=settings,
                version=version,
                routing=routing_of(service.settings),
            )
            yield copy.play(windows, faults)
        finally:
            engine.dispose()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Copy:
    engine: Engine
    lake: Lake
    settings: ModelSettings
    version: int
    routing: Routing

    def play(self, windows: Sequence[Window], faults: Sequence[Fault]) -> Rehearsal:
        """Evaluate windows with the faults in them until one opens an incident about them."""
        began = time.monotonic()
        columns = {fault.column for fault in faults}
        hold = None
        for window in windows:
            with write(self.engine) as session:
                evaluated = self._evaluate(session, window, faults)
                now = evaluated.evaluated_at
                observe(session, evaluated, self.settings, now=now, routing=self.routing)
                found = self._incident(session, columns)
                if found is not None:
                    hold = self._hold(session, evaluated)
                    break
        return Rehearsal(
            engine=self.engine,
            window=window,
            seconds=time.monotonic() - began,
            incident=found,
            hold=hold,
        )

    def _evaluate(
        self, session: Session, window: Window, faults: Sequence[Fault]
    ) -> EvaluatedWindow:
        now = window.end + self.settings.label.delay + self.settings.windows.tile
        reference = References(session).get(self.settings.model, self.version)
        profiles = list(self._profiles(reference, window, faults, now))
        tiles = [profile.tile_start for profile in profiles]
        Profiles(session).replace(self.settings.model, tiles, profiles, now)
        monitor = Monitor(self.engine, self.lake)
        return monitor.evaluate(session, self.settings, self.version, window, now)

    def _profiles(
        self, reference: Reference, window: Window, faults: Sequence[Fault], now: datetime
    ) -> Iterator[StoredProfile]:
        tile, model = self.settings.windows.tile, self.settings.model
        labels = self.lake.labels(model)
        with connect() as connection:
            for table in self.lake.predictions(model):
                first, last = window.start.date(), window.end.date()
                days = {first + timedelta(days=k) for k in range((last - first).days + 1)}
                files = table.files(days)
                if not files:
                    continue
                known = labels.files() if labels is not None else []
                log = Log(
                    predictions=spoil(connection.parquet(files, table.schema), faults),
                    labels=connection.parquet(known, labels.schema) if labels and known else None,
                )
                found = profile_tiles(
                    connection, log, reference.bins, version=self.version,
                    tiles=list(_tiles(window, tile)), tile=tile, now=now,
                    function=function_of(reference.bins, self.settings),
                )  # fmt: skip
                for start, profile in found.items():
                    yield StoredProfile.of(model, self.version, start, profile)

    def _incident(self, session: Session, columns: set[str]) -> Incident | None:
        """Return the most severe incident that the spoilt columns are members of."""
        numbers = session.scalars(select(IncidentRow.id)).all()
        ours = []
        for number in numbers:
            members = SeriesStore(session).firing_in(number)
            if columns & {series.column for series in members if series.column is not None}:
                ours.append(Incidents(session).lock(number))
        return max(ours, key=lambda incident: incident.severity.rank, default=None)

    def _hold(self, session: Session, evaluated: EvaluatedWindow) -> str | None:
        is_open = bool(open_incidents(session, self.settings.model, INPUT))
        decision = consider(
            session, evaluated, self.settings, now=evaluated.evaluated_at,
            input_incident_open=is_open,
        )  # fmt: skip
        if decision.action is Action.HELD:
            return decision.reason
        return "an incident of the input is open" if is_open else None


def _version(session: Session, settings: ModelSettings) -> int:
    deployed = Deployments(session).current(settings.model)
    if deployed is None:
        raise ConflictError(f"model {settings.model!r} has no version in service")
    return deployed.version


def _check(
    session: Session, settings: ModelSettings, version: int, faults: Sequence[Fault]
) -> None:
    schema = ModelVersions(session).get(settings.model, version).schema
    numbers = {column.name: column.kind is ColumnKind.NUMERICAL for column in schema.columns}
    check_columns(faults, numbers)


def _newest(session: Session, settings: ModelSettings, version: int) -> list[Window]:
    """Return as many of the newest windows with rows as it may take for a rule to fire."""
    query = (
        select(WindowRow.window_start, WindowRow.window_end)
        .where(WindowRow.model == settings.model, WindowRow.version == version)
        .where(WindowRow.rows > 0, WindowRow.evaluated_at.is_not(None))
        .order_by(WindowRow.window_start.desc())
        .limit(settings.alerts.of)
    )
    found = [Window(start=start, end=end) for start, end in session.execute(query)]
    if not found:
        raise ConflictError(f"model {settings.model!r} has no evaluated window with rows yet")
    return found[::-1]


def _tiles(window: Window, tile: timedelta) -> Iterator[datetime]:
    start = window.start
    while start < window.end:
        yield start
        start += tile


def _copy(real: Engine, copy: Engine, model: str, *, since: datetime) -> None:
    """Copy what a verdict on the model depends on; the real database is only read."""
    names = {table.name: table for table in Base.metadata.sorted_tables}
    with read(real) as source, write(copy) as target:
        references: list[int] = []
        for table in (names[name] for name in _COPIED):
            rows = [dict(row) for row in source.execute(_rows(table, model, references)).mappings()]
            rows = [{**row, **_LOOSE} if "training_run_id" in row else row for row in rows]
            rows = [row for row in rows if _is_recent(row, since)]
            if table.name == "reference_profiles":
                references = [row["id"] for row in rows]
            if rows:
                target.execute(table.insert(), rows)


def _rows(table: FromClause, model: str, references: Sequence[int]) -> Select[Any]:
    for name in ("model", "name"):
        if name in table.columns:
            return select(table).where(table.columns[name] == model)
    return select(table).where(table.columns["reference_id"].in_(references))


def _is_recent(row: dict[str, object], since: datetime) -> bool:
    moment = row.get("tile_start") or row.get("window_start")
    return not isinstance(moment, datetime) or moment >= since - _BEFORE * timedelta(days=1)
