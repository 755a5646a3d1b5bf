"""Drills in the database: the one thing that a drill leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from alerts.rows import DrillRow
from watchkeeper.database import database_now


class Drills:
    """The drills that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, model: str, faults: Sequence[str], by: str) -> int:
        """Write down that a drill begins, and return its number."""
        now = database_now(self._session)
        row = DrillRow(model=model, faults=list(faults), by=by, started_at=now)
        self._session.add(row)
        self._session.flush()
        return row.id

    def note(
        self, number: int, *, found_after: float | None, accepted_after: float | None, held: bool
    ) -> None:
        """Write down how far a drill came before somebody had to answer."""
        row = self._session.get_one(DrillRow, number)
        row.found_after, row.accepted_after, row.held = found_after, accepted_after, held

    def acknowledge(self, number: int, actor: str) -> str:
        """Write down who answered first, and return words for whoever pressed the button."""
        first = (
            update(DrillRow)
            .where(DrillRow.id == number, DrillRow.acked_at.is_(None))
            .values(acked_at=database_now(self._session), acked_by=actor)
        )
        result = self._session.execute(first)
        assert isinstance(result, CursorResult)  # noqa: S101  an UPDATE has no other
        if result.rowcount == 1:
            return "Thank you. It was a drill; nothing is wrong."
        return "Nothing was changed: the drill is over, or somebody was first."

    def answer(self, number: int) -> tuple[str, float] | None:
        """Return who answered, and how many seconds after the beginning; None while nobody has."""
        query = select(DrillRow.acked_by, DrillRow.acked_at, DrillRow.started_at)
        actor, at, started_at = self._session.execute(query.where(DrillRow.id == number)).one()
        return None if at is None or actor is None else (actor, at - started_at)
