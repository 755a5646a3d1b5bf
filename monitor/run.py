"""Monitor a model: profile what changed, list the windows that wait, evaluate one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from monitor.attribute import Weights, attribute
from monitor.attribution.model import Attribution
from monitor.behind_fleet import check_behind_fleet
from monitor.decay_watch import DecayWatch
from monitor.estimate_history import checked_before
from monitor.evaluate import evaluate_window
from monitor.model import EvaluatedWindow
from monitor.profiles.layout import Layout
from monitor.profiles.marks import DirtyTiles, hours_between
from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles
from monitor.profiling import Profiled, Profiler
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.references import DriftReferences
from monitor.repository import Measurements, worst_status
from monitor.roll_up import roll_up
from monitor.row_profiling import RowProfiler
from monitor.sources.profiler import profile_table
from monitor.window_store import Windows
from watchkeeper.database import read, write
from watchkeeper.errors import NotFoundError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window, windows_between

#: Windows before the present one that say how many rows are usual.
VOLUME_WINDOWS = 28
#: Windows back from now that are looked at for want of rows; earlier ones say nothing new.
SILENT_WINDOWS = 7
#: Windows before those in which the version is looked up that should have had rows.
SILENT_REACH = 28


class Monitor:
    """Keeps profiles and verdicts of models up to date; one per process, not for threads to share.

    Parameters
    ----------
    engine
        The database.
    lake
        Where predictions and labels are.
    home
        The folder that paths of tables start from.
    """

    def __init__(self, engine: Engine, lake: Lake, home: Path = Path()) -> None:
        self._engine = engine
        self._lake = lake
        self._home = home
        self._delays: dict[str, timedelta] = {}
        self._references: dict[tuple[str, int], Reference] = {}
        self._drift_references = DriftReferences()
        self._weights: Weights = {}
        self._rolled: dict[str, date] = {}

    def profile(self, settings: ModelSettings, now: datetime) -> Profiled:
        """Compute the profiles of all tiles in which rows or labels have changed.

        The cost is that of the changed tiles. What could not be finished stays marked.

        Raises
        ------
        TableError
            The model's source is a table that cannot be read as one.
        """
        if not settings.source.is_built_in:
            found, resolved = profile_table(self._engine, settings, self._home, now)
            self._delays[settings.model] = resolved.label.delay
            return found
        done = Profiled()
        profiling = Profiler if settings.windows.rows is None else RowProfiler
        with profiling(self._engine, self._lake, settings, now) as profiler:
            profiler.look_up_labels()
            while (batch := profiler.profile_batch()) is not None:
                done += batch
        return done

    def pending(self, settings: ModelSettings, now: datetime) -> list[tuple[int, Window]]:
        """Return the closed windows that wait for an evaluation, oldest first, with versions.

        Those never evaluated, those changed by late rows, those whose labels have become mature or
        have changed after that, and those of late that hold no row at all.
        """
        settings = self._resolved(settings)
        with read(self._engine) as session:
            windows = Windows(session)
            waiting = windows.waiting(
                settings.model, now=now, mature_before=now - settings.label.delay
            )
            # Rows that do not come end no window of rows.
            silent = _silent(windows, settings, now) if settings.windows.rows is None else []
        return sorted(waiting + silent, key=lambda pair: (pair[1].start, pair[0]))

    def evaluate(
        self,
        session: Session,
        settings: ModelSettings,
        version: int,
        window: Window,
        now: datetime,
    ) -> EvaluatedWindow:
        """Evaluate one window and store the results, in the caller's transaction.

        Raises
        ------
        NotFoundError
            The version has no reference.
        """
        settings = self._resolved(settings)
        row = Windows(session).open(settings.model, version, window)
        tiles = self._tiles(session, settings, version, window)
        evaluated = self._evaluate(session, settings, version, window, now=now, tiles=tiles)
        evaluated = self._watch_decay(session, settings, evaluated, tiles)
        first = row.evaluated_at is None
        changed = not first and Measurements(session).differ(evaluated)
        evaluated = dataclasses.replace(evaluated, revision=row.revision + int(changed))
        row.evaluated_row_changes = row.row_changes
        row.evaluated_label_changes = row.label_changes
        row.labels_mature = row.settled = evaluated.labels_mature
        row.rows, row.labels = evaluated.rows, evaluated.labels
        row.status = worst_status(evaluated.results)
        row.revision = evaluated.revision
        row.evaluated_at = now
        session.flush()
        if first or changed:
            Measurements(session).replace(evaluated, first=first)
        return evaluated

    def roll_up(self, settings: ModelSettings, now: datetime) -> int:
        """Merge the tiles of days that are long past, once a day; return how many days.

        Call it after the windows that wait were evaluated.
        """
        if self._rolled.get(settings.model) == now.date():
            return 0
        done = roll_up(self._engine, settings, partial(self._layout, model=settings.model), now)
        self._rolled[settings.model] = now.date()
        return done

    def attribute(
        self, settings: ModelSettings, evaluated: EvaluatedWindow, now: datetime
    ) -> Attribution | None:
        """Explain the loss of a window whose verdict is stored; None with too little to go by."""
        return attribute(
            self._engine,
            self._lake,
            self._resolved(settings),
            evaluated,
            now,
            memory=self._weights,
            home=self._home,
        )

    def mark_all(self, settings: ModelSettings, now: datetime) -> None:
        """Have the whole log profiled again, for example after a reference was added late."""
        days = {day for table in self._lake.predictions(settings.model) for day in table.days()}
        starts = [datetime.combine(day, time.min, tzinfo=UTC) for day in days]
        hours = [h for start in starts for h in hours_between(start, start + timedelta(days=1))]
        with write(self._engine) as session:
            DirtyTiles(session).mark(settings.model, hours, now)

    def _tiles(
        self, session: Session, settings: ModelSettings, version: int, window: Window
    ) -> dict[datetime, Profile]:
        layout = self._reference(session, settings.model, version).bins.layout
        stored = Profiles(session).between(settings.model, version, window.start, window.end)
        return {each.tile_start: Profile.from_bytes(each.data, layout) for each in stored}

    def _watch_decay(
        self,
        session: Session,
        settings: ModelSettings,
        evaluated: EvaluatedWindow,
        tiles: Mapping[datetime, Profile],
    ) -> EvaluatedWindow:
        reference = self._reference(session, settings.model, evaluated.version)
        watch = DecayWatch(session=session, settings=settings, reference=reference)
        decay = watch.take_in(evaluated, [tile.outcomes for tile in tiles.values()])
        behind = check_behind_fleet(session, evaluated, settings, reference.id)
        found = [each for each in (decay, behind) if each is not None]
        return dataclasses.replace(evaluated, results=(*evaluated.results, *found))

    def _evaluate(
        self,
        session: Session,
        settings: ModelSettings,
        version: int,
        window: Window,
        *,
        now: datetime,
        tiles: Mapping[datetime, Profile],
    ) -> EvaluatedWindow:
        reference = self._reference(session, settings.model, version)
        profiles = Profiles(session)
        before = Windows(session).rows_before(settings.model, window, VOLUME_WINDOWS)
        return evaluate_window(
            window,
            tiles,
            reference,
            settings,
            version=version,
            now=now,
            rows_before=before if settings.windows.rows is None else (),
            labels_before=Windows(session).labels_before(settings.model, window, VOLUME_WINDOWS),
            rows_of_all=profiles.rows_between(settings.model, window.start, window.end),
            drift_reference=self._drift_references.of(
                session, settings, reference, version, window
            ),
            estimates_before=checked_before(
                session, settings.model, version, settings.tolerance.metric, window
            ),
        )

    def _resolved(self, settings: ModelSettings) -> ModelSettings:
        """Return the settings with the delay of labels that only the model's table says."""
        delay = self._delays.get(settings.model)
        if delay is None:
            return settings
        label = settings.label.model_copy(update={"delay": delay})
        return settings.model_copy(update={"label": label})

    def _layout(self, session: Session, version: int, *, model: str) -> Layout | None:
        with suppress(NotFoundError):
            return self._reference(session, model, version).bins.layout
        return None

    def _reference(self, session: Session, model: str, version: int) -> Reference:
        key = (model, version)
        if key not in self._references:
            self._references[key] = References(session).get(model, version)
        return self._references[key]


def _silent(windows: Windows, settings: ModelSettings, now: datetime) -> list[tuple[int, Window]]:
    """Return the closed windows of late that hold no row, with the version last seen before."""
    first = windows.first(settings.model)
    if first is None:
        return []
    size, zone = settings.windows.size, settings.windows.timezone
    start = max(first, now - (SILENT_WINDOWS + 1) * size)
    known = windows.since(settings.model, start - SILENT_REACH * size)
    # Rows of the last tile may still be on their way.
    closed = windows_between(start, now - settings.windows.tile, size, zone)
    silent = [window for window in closed if window.start not in known]
    versions = [max(known.items())[1]] if known else []
    found = []
    for window in silent:
        before = [version for begin, version in known.items() if begin < window.start]
        found += [(version, window) for version in (before[-1:] or versions)]
    return found
