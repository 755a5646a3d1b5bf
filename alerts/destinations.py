"""Destinations in the database: what holds their messages back, shared by all workers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from alerts.rows import DestinationRow
from watchkeeper.database import database_now


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How fast a transport may be used: seconds between calls, and how many may come at once.

    Posts are counted per channel, edits over the whole workspace.
    """

    post_every: float = 1.0
    post_burst: int = 3
    update_every: float = 60 / 45
    update_burst: int = 10

    def ahead(self, *, edit: bool) -> float:
        """Return how many seconds of its share a burst may use in advance."""
        if edit:
            return self.update_every * (self.update_burst - 1)
        return self.post_every * (self.post_burst - 1)


UNLIMITED = Limits(post_every=0, update_every=0)


class Destinations:
    """The destinations and transports that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ensure(self, destination: str) -> None:
        """Make sure that a destination and its transport have a row."""
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        for name in sorted({destination, destination.partition(":")[0]}):
            values = {"id": name, "not_before": 0.0, "post_at": 0.0, "update_at": 0.0}
            row = insert(DestinationRow).values(**values, failures=0)
            self._session.execute(row.on_conflict_do_nothing())

    def hold(self, destination: str, seconds: float, why: str) -> None:
        """Keep a destination, or a whole transport, quiet for some seconds."""
        self.ensure(destination)
        until = database_now(self._session) + seconds
        row = self._session.get_one(DestinationRow, destination)
        row.not_before = max(row.not_before, until)
        row.failures += 1
        row.trouble = why

    def heal(self, destination: str) -> None:
        """Forget the trouble of a destination that works."""
        row = self._session.get(DestinationRow, destination)
        if row is not None and row.trouble is not None:
            row.failures, row.trouble = 0, None

    def others_held(self, destination: str) -> bool:
        """Tell whether another destination of the same transport is being held back too."""
        transport = destination.partition(":")[0]
        query = select(DestinationRow.id).where(
            DestinationRow.id.startswith(f"{transport}:", autoescape=True),
            DestinationRow.id != destination,
            DestinationRow.not_before > database_now(self._session),
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def take(self, destination: str, *, edit: bool, now: float, limits: Limits) -> bool:
        """Take the right to one call, or return False when another worker was faster."""
        column = DestinationRow.update_at if edit else DestinationRow.post_at
        every = limits.update_every if edit else limits.post_every
        if every <= 0:
            return True
        ahead = limits.ahead(edit=edit)
        statement = (
            update(DestinationRow)
            .where(DestinationRow.id == (destination.partition(":")[0] if edit else destination))
            .where(column <= now + ahead)
            .values({column: case((column > now, column), else_=now) + every})
        )
        result = self._session.execute(statement)
        assert isinstance(result, CursorResult)  # noqa: S101  an UPDATE has no other
        return result.rowcount == 1
