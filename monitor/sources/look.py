"""One version's part of a look at a table, whatever its windows are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from monitor.profiles.repository import StoredProfile
from monitor.reference import Reference
from monitor.sources.pieces import Piece
from monitor.sources.rows import TableRows


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One version's part of a look at a table.

    Parameters
    ----------
    since
        Rows of earlier times are not looked at; None for all.
    own
        Where the part of the table ends that the reference was fitted on, which is not judged;
        None where it was fitted on another.
    """

    engine: Engine
    rows: TableRows
    reference: Reference
    version: int
    since: datetime | None
    own: datetime | None
    now: datetime

    def profiles(
        self, rows: TableRows, starts: Sequence[datetime]
    ) -> Iterator[list[StoredProfile]]:
        """Profile the tiles that start at these times, a bounded number of them at a time."""
        pieces = [Piece(start=start, tiles=(start,), known_until=self.now) for start in starts]
        for part in rows.profiles(self.reference.bins, pieces):
            yield [
                StoredProfile.of(rows.settings.model, self.version, start, profile)
                for start, profile in part.items()
            ]
