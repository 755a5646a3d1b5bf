"""The stored profiles of the tiles of model versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import LargeBinary, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from monitor.profiles.model import Profile
from monitor.upsert import upsert
from watchkeeper.database import Base, UtcDateTime

_IDS_PER_STATEMENT = 500


class ProfileRow(Base):
    """The profile of one model version in one tile; ``segment`` is empty for the whole."""

    __tablename__ = "profiles"

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    tile_start: Mapped[datetime] = mapped_column(
        UtcDateTime, primary_key=True, comment="event time"
    )
    segment: Mapped[str] = mapped_column(String(500), primary_key=True, default="")
    rows: Mapped[int]
    labels: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime, comment="event time")
    #: The end of the day whose tiles were merged into this row; null for a tile by itself.
    rolled_until: Mapped[datetime | None] = mapped_column(UtcDateTime, comment="event time")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredProfile:
    """One stored profile, still encoded."""

    model: str
    version: int
    tile_start: datetime
    rows: int
    labels: int
    data: bytes
    segment: str = ""

    @classmethod
    def of(cls, model: str, version: int, tile_start: datetime, profile: Profile) -> Self:
        """Return a profile as it is stored."""
        return cls(
            model=model,
            version=version,
            tile_start=tile_start,
            rows=profile.rows,
            labels=profile.labels,
            data=profile.to_bytes(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A stored profile that is not what it was: in its rows, or only in its labels."""

    version: int
    tile_start: datetime
    in_rows: bool


class Profiles:
    """The stored profiles that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace(
        self,
        model: str,
        tile_starts: Collection[datetime],
        profiles: Collection[StoredProfile],
        at: datetime,
        *,
        version: int | None = None,
    ) -> list[Change]:
        """Store what these tiles hold now, and return all that changed, in order.

        A tile and version that is in ``tile_starts`` but not in ``profiles`` has no rows any more
        and is removed. A profile that is equal to the stored one is no change.

        Parameters
        ----------
        version
            The only one that is spoken of; None for all.
        """
        stored = self._of_tiles(model, tile_starts)
        old = {_key(each): each for each in stored if version in (None, each.version)}
        new = {_key(profile): profile for profile in profiles}
        changed = [
            profile
            for key, profile in new.items()
            if key not in old or old[key].data != profile.data
        ]
        gone = [profile for key, profile in old.items() if key not in new]
        upsert(self._session, ProfileRow, [_values(profile, at) for profile in changed])
        for profile in gone:
            self._remove(profile)
        rows_before = {key: profile.rows for key, profile in old.items()}
        changes: dict[tuple[int, datetime], bool] = {}
        for profile in [*changed, *gone]:
            in_rows = profile in gone or rows_before.get(_key(profile)) != profile.rows
            place = (profile.version, profile.tile_start)
            changes[place] = changes.get(place, False) or in_rows
        return [
            Change(version=version, tile_start=start, in_rows=in_rows)
            for (version, start), in_rows in sorted(changes.items())
        ]

    def _remove(self, profile: StoredProfile) -> None:
        self._session.execute(
            delete(ProfileRow)
            .where(ProfileRow.model == profile.model)
            .where(ProfileRow.version == profile.version)
            .where(ProfileRow.tile_start == profile.tile_start)
            .where(ProfileRow.segment == profile.segment)
        )

    def rows_between(self, model: str, start: datetime, end: datetime) -> int:
        """Return how many rows all versions have in the tiles that start in ``[start, end)``."""
        total = self._session.scalar(
            select(func.sum(ProfileRow.rows))
            .where(ProfileRow.model == model, ProfileRow.segment == "")
            .where(ProfileRow.tile_start >= start, ProfileRow.tile_start < end)
        )
        return int(total or 0)

    def between(
        self, model: str, version: int, start: datetime, end: datetime, segment: str = ""
    ) -> list[StoredProfile]:
        """Return the profiles of the tiles that start in ``[start, end)``, in order of time."""
        rows = self._session.scalars(
            select(ProfileRow)
            .where(ProfileRow.model == model, ProfileRow.version == version)
            .where(ProfileRow.tile_start >= start, ProfileRow.tile_start < end)
            .where(ProfileRow.segment == segment)
            .order_by(ProfileRow.tile_start)
        )
        return [_to_profile(row) for row in rows]

    def at(
        self, model: str, starts: Iterable[datetime], segment: str = ""
    ) -> dict[datetime, list[StoredProfile]]:
        """Return the profiles of these tiles by their start, those of all versions."""
        ordered = sorted(starts)
        found: dict[datetime, list[StoredProfile]] = {}
        for begin in range(0, len(ordered), _IDS_PER_STATEMENT):
            rows = self._session.scalars(
                select(ProfileRow)
                .where(ProfileRow.model == model, ProfileRow.segment == segment)
                .where(ProfileRow.tile_start.in_(ordered[begin : begin + _IDS_PER_STATEMENT]))
                .order_by(ProfileRow.tile_start, ProfileRow.version)
            )
            for row in rows:
                found.setdefault(row.tile_start, []).append(_to_profile(row))
        return found

    def _of_tiles(self, model: str, tile_starts: Collection[datetime]) -> list[StoredProfile]:
        ordered = sorted(tile_starts)
        found: list[StoredProfile] = []
        for start in range(0, len(ordered), _IDS_PER_STATEMENT):
            rows = self._session.scalars(
                select(ProfileRow)
                .where(ProfileRow.model == model)
                .where(ProfileRow.tile_start.in_(ordered[start : start + _IDS_PER_STATEMENT]))
            )
            found.extend(_to_profile(row) for row in rows)
        return found


def _key(profile: StoredProfile) -> tuple[int, datetime, str]:
    return profile.version, profile.tile_start, profile.segment


def _values(profile: StoredProfile, at: datetime) -> dict[str, object]:
    return {
        "model": profile.model,
        "version": profile.version,
        "tile_start": profile.tile_start,
        "segment": profile.segment,
        "rows": profile.rows,
        "labels": profile.labels,
        "data": profile.data,
        "computed_at": at,
        "rolled_until": None,
    }


def _to_profile(row: ProfileRow) -> StoredProfile:
    return StoredProfile(
        model=row.model,
        version=row.version,
        tile_start=row.tile_start,
        rows=row.rows,
        labels=row.labels,
        data=row.data,
        segment=row.segment,
    )
