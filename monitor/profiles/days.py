"""Stored days: tiles of the past that were merged into one profile, and the way back."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from monitor.profiles.marks import DirtyTileRow, hours_between
from monitor.profiles.repository import ProfileRow, Profiles, StoredProfile
from watchkeeper.window import Window

#: No stored day is longer, whatever the clocks do.
_LONGEST = timedelta(hours=26)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """A stored tile that is still by itself."""

    version: int
    start: datetime


class StoredDays:
    """The stored days that one session sees; the caller commits.

    A day is whole UTC hours, so that no hour that is marked as changed belongs to two of them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, model: str) -> None:
        """Wait until nobody else merges or divides days of this model, and keep others waiting.

        Until the end of the transaction. On SQLite whoever writes is alone anyway.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            number = zlib.crc32(f"days of {model}".encode())
            self._session.execute(select(func.pg_advisory_xact_lock(number)))

    def tiles(self, model: str, *, before: datetime) -> list[Tile]:
        """Return the tiles that start earlier and are no part of a stored day, in order of time."""
        found = self._session.execute(
            select(ProfileRow.version, ProfileRow.tile_start)
            .where(ProfileRow.model == model, ProfileRow.segment == "")
            .where(ProfileRow.tile_start < before, ProfileRow.rolled_until.is_(None))
            .order_by(ProfileRow.tile_start, ProfileRow.version)
        )
        return [Tile(version=version, start=start) for version, start in found]

    def holding(self, model: str, hours: Collection[datetime]) -> list[Window]:
        """Return the stored days that these hours belong to, of whatever version."""
        if not hours:
            return []
        found = self._session.execute(
            select(ProfileRow.tile_start, ProfileRow.rolled_until)
            .where(ProfileRow.model == model, ProfileRow.rolled_until.is_not(None))
            .where(ProfileRow.tile_start > min(hours) - _LONGEST)
            .where(ProfileRow.tile_start <= max(hours))
            .distinct()
        )
        days = {Window(start=start, end=end) for start, end in found if end is not None}
        return sorted(day for day in days if any(hour in day for hour in hours))

    def of_version(self, model: str, version: int, *, since: datetime | None) -> list[Window]:
        """Return the stored days of a version that start at ``since`` or later."""
        query = (
            select(ProfileRow.tile_start, ProfileRow.rolled_until)
            .where(ProfileRow.model == model, ProfileRow.version == version)
            .where(ProfileRow.segment == "", ProfileRow.rolled_until.is_not(None))
        )
        if since is not None:
            query = query.where(ProfileRow.tile_start >= since)
        found = self._session.execute(query.order_by(ProfileRow.tile_start))
        return [Window(start=start, end=end) for start, end in found if end is not None]

    def is_marked(self, model: str, day: Window) -> bool:
        """Whether an hour of the day waits to be profiled."""
        marked = select(DirtyTileRow.tile_start).where(
            DirtyTileRow.model == model,
            DirtyTileRow.tile_start >= day.start,
            DirtyTileRow.tile_start < day.end,
        )
        return self._session.scalar(marked.limit(1)) is not None

    def store(self, day: Window, profile: StoredProfile, at: datetime) -> None:
        """Put a merged profile in the place of the tiles that it was merged from."""
        Profiles(self._session).replace(
            profile.model,
            self._starts(profile.model, profile.version, day),
            [profile],
            at,
            version=profile.version,
        )
        self._session.execute(
            update(ProfileRow)
            .where(ProfileRow.model == profile.model, ProfileRow.version == profile.version)
            .where(ProfileRow.tile_start == day.start)
            .values(rolled_until=day.end)
        )

    def divide(
        self, model: str, days: Iterable[Window], *, version: int | None = None
    ) -> list[datetime]:
        """Make stored days tiles again, and return the hours that must be profiled for that.

        Until then the first tile of each holds all of its day.

        Parameters
        ----------
        version
            The only one whose days are divided; None for all.
        """
        hours: list[datetime] = []
        for day in days:
            statement = (
                update(ProfileRow)
                .where(ProfileRow.model == model, ProfileRow.tile_start == day.start)
                .where(ProfileRow.rolled_until == day.end)
                .values(rolled_until=None)
            )
            if version is not None:
                statement = statement.where(ProfileRow.version == version)
            self._session.execute(statement)
            hours += hours_between(day.start, day.end)
        return hours

    def _starts(self, model: str, version: int, day: Window) -> list[datetime]:
        return list(
            self._session.scalars(
                select(ProfileRow.tile_start)
                .where(ProfileRow.model == model, ProfileRow.version == version)
                .where(ProfileRow.segment == "")
                .where(ProfileRow.tile_start >= day.start, ProfileRow.tile_start < day.end)
            )
        )
