"""The table of windows: which there are, what has changed in them, which wait for a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Index, Integer, String, and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchkeeper.database import Base, UtcDateTime
from watchkeeper.window import Window

EVENT = "event time"


class WindowRow(Base):
    """One window of one model version: what has changed in it, and what was last evaluated.

    ``row_changes`` and ``label_changes`` count changes of its profiles; the ``evaluated_`` ones
    are the counts that the last evaluation has seen. ``settled`` is whether nothing is left to do.
    """

    __tablename__ = "windows"
    __table_args__ = (Index(None, "model", "settled", "window_end"),)

    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, comment=EVENT)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime, comment=EVENT)
    row_changes: Mapped[int] = mapped_column(Integer, default=0)
    label_changes: Mapped[int] = mapped_column(Integer, default=0)
    evaluated_row_changes: Mapped[int | None] = mapped_column(Integer)
    evaluated_label_changes: Mapped[int | None] = mapped_column(Integer)
    settled: Mapped[bool] = mapped_column(Boolean, default=False)
    labels_mature: Mapped[bool] = mapped_column(Boolean, default=False)
    rows: Mapped[int] = mapped_column(Integer, default=0)
    labels: Mapped[int] = mapped_column(Integer, default=0)
    status: Mapped[str | None] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(Integer, default=0)
    evaluated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, comment=EVENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Touch:
    """A window whose profiles changed: in their rows, or only in their labels."""

    version: int
    window: Window
    in_rows: bool


class Windows:
    """The windows that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def touch(self, model: str, touches: Iterable[Touch]) -> None:
        """Note that profiles of these windows have changed."""
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        for touch in sorted(touches, key=lambda touch: (touch.window.start, touch.version)):
            statement = insert(WindowRow).values(
                model=model,
                version=touch.version,
                window_start=touch.window.start,
                window_end=touch.window.end,
                row_changes=int(touch.in_rows),
                label_changes=1,
                settled=False,
                labels_mature=False,
                rows=0,
                labels=0,
                revision=0,
            )
            self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=["model", "window_start", "version"],
                    set_={
                        "row_changes": WindowRow.row_changes + int(touch.in_rows),
                        "label_changes": WindowRow.label_changes + 1,
                        "settled": False,
                    },
                )
            )

    def waiting(
        self, model: str, *, now: datetime, mature_before: datetime
    ) -> list[tuple[int, Window]]:
        """Return the closed windows that are to be evaluated, oldest first.

        Those are the windows that never were, those whose rows have changed since, and those
        that end by ``mature_before`` and whose labels have changed or have become mature since.
        """
        seen = WindowRow.evaluated_row_changes
        rows = self._session.execute(
            select(WindowRow.version, WindowRow.window_start, WindowRow.window_end)
            .where(WindowRow.model == model, WindowRow.settled.is_(False))
            .where(WindowRow.window_end <= now)
            .where(
                or_(
                    seen.is_(None),
                    seen < WindowRow.row_changes,
                    and_(
                        WindowRow.window_end <= mature_before,
                        or_(
                            WindowRow.labels_mature.is_(False),
                            WindowRow.evaluated_label_changes < WindowRow.label_changes,
                        ),
                    ),
                )
            )
            .order_by(WindowRow.window_start, WindowRow.version)
        )
        return [(version, Window(start=start, end=end)) for version, start, end in rows]

    def newest(self, model: str, version: int) -> Window | None:
        """Return the last window of a version; None without any."""
        found = self._session.execute(
            select(WindowRow.window_start, WindowRow.window_end)
            .where(WindowRow.model == model, WindowRow.version == version)
            .order_by(WindowRow.window_start.desc())
            .limit(1)
        ).one_or_none()
        return None if found is None else Window(start=found[0], end=found[1])

    def over(self, model: str, version: int, start: datetime, end: datetime) -> list[Window]:
        """Return the windows of a version that overlap ``[start, end)``, in order of time."""
        found = self._session.execute(
            select(WindowRow.window_start, WindowRow.window_end)
            .where(WindowRow.model == model, WindowRow.version == version)
            .where(WindowRow.window_start < end, WindowRow.window_end > start)
            .order_by(WindowRow.window_start)
        )
        return [Window(start=begin, end=until) for begin, until in found]

    def is_settled(self, model: str, version: int, window: Window) -> bool:
        """Whether the verdict on a window is one on mature labels and nothing changed since."""
        settled = select(WindowRow.settled).where(
            WindowRow.model == model,
            WindowRow.version == version,
            WindowRow.window_start == window.start,
        )
        return bool(self._session.scalar(settled))

    def first(self, model: str, *, over: datetime | None = None) -> datetime | None:
        """Return the start of a model's first window; None without any.

        Parameters
        ----------
        over
            Only windows that end later than this.
        """
        query = select(WindowRow.window_start).where(WindowRow.model == model)
        if over is not None:
            query = query.where(WindowRow.window_end > over)
        return self._session.scalar(query.order_by(WindowRow.window_start).limit(1))

    def since(self, model: str, start: datetime) -> dict[datetime, int]:
        """Return the windows from ``start`` on by their start, each with its newest version."""
        found = self._session.execute(
            select(WindowRow.window_start, func.max(WindowRow.version))
            .where(WindowRow.model == model, WindowRow.window_start >= start)
            .group_by(WindowRow.window_start)
            .order_by(WindowRow.window_start)
        )
        return {row[0]: row[1] for row in found}

    def rows_before(self, model: str, window: Window, limit: int) -> list[int]:
        """Return the rows of the evaluated windows before one, over all versions, newest first."""
        found = self._session.execute(
            select(func.sum(WindowRow.rows))
            .where(WindowRow.model == model, WindowRow.window_start < window.start)
            .where(WindowRow.evaluated_at.is_not(None))
            .group_by(WindowRow.window_start)
            .order_by(WindowRow.window_start.desc())
            .limit(limit)
        )
        return [int(rows) for rows in found.scalars()]

    def labels_before(self, model: str, window: Window, limit: int) -> list[tuple[int, int]]:
        """Return rows and labels of windows before one whose labels are mature, newest first."""
        found = self._session.execute(
            select(func.sum(WindowRow.rows), func.sum(WindowRow.labels))
            .where(WindowRow.model == model, WindowRow.window_start < window.start)
            .where(WindowRow.evaluated_at.is_not(None), WindowRow.labels_mature)
            .group_by(WindowRow.window_start)
            .order_by(WindowRow.window_start.desc())
            .limit(limit)
        )
        return [(int(rows), int(labels)) for rows, labels in found]

    def open(self, model: str, version: int, window: Window) -> WindowRow:
        """Return the window's row, locked until the transaction ends; it is made if need be."""
        found = self._locked(model, version, window)
        if found is None:
            touch = Touch(version=version, window=window, in_rows=False)
            self.touch(model, [touch])
            found = self._locked(model, version, window)
        if found is None:
            raise RuntimeError(f"window {window.start} of {model} was removed meanwhile")
        return found

    def _locked(self, model: str, version: int, window: Window) -> WindowRow | None:
        return self._session.scalars(
            select(WindowRow)
            .where(WindowRow.model == model, WindowRow.version == version)
            .where(WindowRow.window_start == window.start)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
