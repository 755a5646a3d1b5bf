"""Profile windows that are so many rows of the prediction log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import structlog
from sqlalchemy.orm import Session

from monitor.profiles.connection import Source, instant
from monitor.profiles.days import StoredDays
from monitor.profiles.marks import DirtyTiles
from monitor.profiles.own_values import function_of
from monitor.profiles.quality_query import OCCURRED
from monitor.profiles.query import HOUR, MICROSECOND, Log, profile_tiles, versions_in
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.profiling import BATCH_HOURS, Profiled, Profiler
from monitor.reference import Reference
from monitor.row_windows import Instants, following, parts_of, parts_table
from monitor.sql import identifier, select
from monitor.window_store import Touch, Windows
from watchkeeper.database import read, write
from watchkeeper.window import Window

#: Windows that are profiled together; it bounds what a query holds in memory.
_WINDOWS_AT_ONCE = 40
_TIME = pa.timestamp("us", tz="UTC")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What is to be profiled of one version.

    Parameters
    ----------
    known
        Windows whose end is known for long and in which something has changed.
    fresh
        Windows that end now, in order; the first follows the last that was known.
    last
        The last that was known; None without any.
    """

    version: int
    known: list[Window]
    fresh: list[Window]
    last: Window | None


class RowProfiler(Profiler):
    """Brings the profiles of windows of so many rows up to date.

    A window ends when its rows are there, and that end is never moved: rows that come late belong
    to the window that their time lies in. It is always profiled as a whole.
    """

    def profile_batch(self) -> Profiled | None:
        """Cut and profile what the oldest marked hours are about; None when nothing is marked."""
        with read(self._engine) as session:
            taken = DirtyTiles(session).take(self._model, BATCH_HOURS)
        if not taken:
            return None
        hours = sorted(mark.tile_start for mark in taken)
        plans = list(self._plans(hours))
        profiles = {plan.version: self._profiles(plan) for plan in plans}
        done = Profiled()
        with write(self._engine) as session:
            StoredDays(session).lock(self._model)
            cleared = DirtyTiles(session).clear(taken)
            lost = set(hours) - cleared
            for plan in plans:
                last = Windows(session).newest(self._model, plan.version)
                if last != plan.last:
                    # Another worker has cut them; where they end now, others begin.
                    DirtyTiles(session).mark(self._model, hours, self._now)
                for window in _kept(plan, lost, moved=last != plan.last):
                    done += store_window(
                        session,
                        self._model,
                        plan.version,
                        window,
                        profiles=profiles[plan.version][window],
                        now=self._now,
                    )
        return done

    def _plans(self, hours: Sequence[datetime]) -> Iterator[_Plan]:
        end = hours[-1] + HOUR
        versions: set[int] = set()
        for rows in self._logs({hour.date() for hour in hours}):
            versions |= set(versions_in(self._connection, rows, hours, HOUR))
        for version in sorted(versions):
            if self._reference(version) is None:
                log.warning("no_reference", model=self._model, version=version)
                continue
            with read(self._engine) as session:
                last = Windows(session).newest(self._model, version)
                known = Windows(session).over(self._model, version, hours[0], end)
            times = self._times(version, self._first() if last is None else last.end, end)
            yield _Plan(
                version=version,
                known=[window for window in known if _holds(window, hours)],
                fresh=following(last, times, self._settings.windows.rows or 1),
                last=last,
            )

    def _first(self) -> datetime:
        """Return the first day of the log; until a version's first end, its rows are all there."""
        days = [day for table in self._lake.predictions(self._model) for day in table.days()]
        return datetime.combine(min(days), time.min, tzinfo=UTC)

    def _times(self, version: int, start: datetime, end: datetime) -> Instants:
        """Return the times of a version's rows, each prediction once, ascending."""
        found = []
        for rows in self._logs(_days(start, end)):
            within = (
                f"WHERE version = {version} AND timestamp >= {instant(start)} "
                f"AND timestamp < {instant(end)} QUALIFY row_number() OVER "
                "(PARTITION BY prediction_id, day ORDER BY predicted_at, sequence, writer) = 1"
            )
            query = select(["epoch_us(timestamp) AS at"], rows.predictions.sql, within)
            found.append(self._connection.table(query)["at"].to_numpy())
        return np.sort(np.concatenate([np.empty(0, np.int64), *found]).astype(np.int64))

    def _profiles(self, plan: _Plan) -> dict[Window, list[StoredProfile]]:
        windows = [*plan.known, *plan.fresh]
        found: dict[Window, list[StoredProfile]] = {window: [] for window in windows}
        reference = self._reference(plan.version)
        if reference is None:
            return found
        for first in range(0, len(windows), _WINDOWS_AT_ONCE):
            some = windows[first : first + _WINDOWS_AT_ONCE]
            for profile in self._profiles_of_windows(some, plan.version, reference):
                window = next(each for each in some if profile.tile_start in each)
                found[window].append(profile)
        return found

    def _profiles_of_windows(
        self, windows: Sequence[Window], version: int, reference: Reference
    ) -> Iterator[StoredProfile]:
        days = {day for window in windows for day in _days(window.start, window.end)}
        for rows in self._logs(days):
            placed = Log(predictions=self._placed(rows.predictions, windows), labels=rows.labels)
            profiles = profile_tiles(
                self._connection,
                placed,
                reference.bins,
                version=version,
                tiles=[start for window in windows for start in parts_of(window)],
                tile=MICROSECOND,
                now=self._now,
                function=function_of(reference.bins, self._settings),
            )
            for start, profile in profiles.items():
                yield StoredProfile.of(self._model, version, start, profile)

    def _placed(self, rows: Source, windows: Sequence[Window]) -> Source:
        """Return rows that have the time of their part, so that a query counts them together."""
        limits = self._connection.arrow(parts_table(windows))
        columns = [
            "r.* REPLACE (l.part AS timestamp)",
            f"r.timestamp AS {identifier(OCCURRED)}",
        ]
        joined = f"{rows.sql} AS r ASOF JOIN {limits.sql} AS l ON r.timestamp >= l.part"
        query = select(columns, joined, "WHERE r.timestamp < l.until")
        return Source(sql=f"({query})", columns=(*rows.columns, (OCCURRED, _TIME)))


def store_window(
    session: Session,
    model: str,
    version: int,
    window: Window,
    *,
    profiles: Sequence[StoredProfile],
    now: datetime,
) -> Profiled:
    """Store the profiles of the parts of a window in the place of all that it had."""
    stored = Profiles(session).between(model, version, window.start, window.end)
    # Windows may have been hours before they were rows.
    starts = {*parts_of(window), *(profile.tile_start for profile in stored)}
    changes = Profiles(session).replace(model, starts, profiles, now, version=version)
    if changes:
        in_rows = any(change.in_rows for change in changes)
        touch = Touch(version=version, window=window, in_rows=in_rows)
        Windows(session).touch(model, [touch])
    return Profiled(tiles=len(profiles), changed=len(changes))


def _kept(plan: _Plan, lost: Collection[datetime], *, moved: bool) -> Iterator[Window]:
    """Yield the windows of which nothing has changed since they were counted.

    Of those that end now there is none after one that is left out: they follow each other.

    Parameters
    ----------
    lost
        Hours that were marked again meanwhile.
    moved
        Whether another worker has cut windows meanwhile.
    """
    yield from (window for window in plan.known if not _holds(window, lost))
    for window in () if moved else plan.fresh:
        if _holds(window, lost):
            return
        yield window


def _holds(window: Window, hours: Collection[datetime]) -> bool:
    """Whether a window has any part of one of these hours."""
    return any(hour < window.end and hour + HOUR > window.start for hour in hours)


def _days(start: datetime, end: datetime) -> set[date]:
    last = (end - MICROSECOND).date()
    return {start.date() + timedelta(days=k) for k in range((last - start.date()).days + 1)}
