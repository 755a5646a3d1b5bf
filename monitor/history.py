"""The windows of the past that later ones can be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.model import CheckStatus, Family
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from watchkeeper.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class PastWindow:
    """A window of one version, and how often the rows behind its profiles have changed."""

    version: int
    window: Window
    row_changes: int


class History:
    """The past windows that one session sees."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def windows(self, model: str, period: Window, *, up_to: int) -> list[PastWindow]:
        """Return the windows that lie wholly in a period, in order of time, then version.

        Parameters
        ----------
        up_to
            The newest version that counts.
        """
        rows = self._session.execute(
            select(
                WindowRow.version,
                WindowRow.window_start,
                WindowRow.window_end,
                WindowRow.row_changes,
            )
            .where(WindowRow.model == model, WindowRow.version <= up_to)
            .where(WindowRow.window_start >= period.start, WindowRow.window_end <= period.end)
            .order_by(WindowRow.window_start, WindowRow.version)
        )
        return [
            PastWindow(version=version, window=Window(start=start, end=end), row_changes=changes)
            for version, start, end, changes in rows
        ]

    def faulty(self, model: str, period: Window) -> set[datetime]:
        """Return the starts of the windows of a period that broke their data contract."""
        return set(
            self._session.scalars(
                select(MeasurementRow.window_start)
                .where(MeasurementRow.model == model)
                .where(MeasurementRow.window_start >= period.start)
                .where(MeasurementRow.window_start < period.end)
                .where(MeasurementRow.family == str(Family.DATA_CONTRACT))
                .where(MeasurementRow.status == str(CheckStatus.CRITICAL))
                .distinct()
            )
        )
