"""Retrain runs, and the decisions that held one back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import CompoundSelect, func, literal, select, union_all
from sqlalchemy.orm import Session

from reports import words
from reports.model import EvaluationView, Paging, Quarantine, RunRow
from retrain.model import Action
from retrain.rows import QuarantinedWindowRow, RetrainDecisionRow, RetrainRunRow
from watchkeeper.errors import NotFoundError
from watchkeeper.window import Window

HELD = "held-"
_REFUSED = (Action.HELD, Action.ESCALATED)
_LOG_BYTES = 16_000
_MOST_WINDOWS = 200

_Key = tuple[bool, int]


def listed(
    session: Session, zones: Mapping[str, str], paging: Paging, *, model: str = "", state: str = ""
) -> tuple[RunRow, ...]:
    """Return one page of runs and refusals, newest first."""
    both = _both(model, state).subquery()
    keys = [
        (bool(held), number)
        for held, number in session.execute(
            select(both.c.held, both.c.id)
            .order_by(both.c.at.desc(), both.c.id.desc())
            .offset(paging.offset)
            .limit(paging.size)
        )
    ]
    return tuple(_rows(session, zones, keys))


def counted(session: Session, *, model: str = "", state: str = "") -> int:
    """Return how many runs and refusals a filter lets through."""
    both = _both(model, state).subquery()
    return session.scalar(select(func.count()).select_from(both)) or 0


def between(
    session: Session, zones: Mapping[str, str], model: str, start: datetime, end: datetime
) -> tuple[RunRow, ...]:
    """Return the runs and refusals of a model in ``[start, end]``, newest first."""
    both = _both(model, "").subquery()
    keys = [
        (bool(held), number)
        for held, number in session.execute(
            select(both.c.held, both.c.id)
            .where(both.c.at >= start, both.c.at <= end)
            .order_by(both.c.at.desc(), both.c.id.desc())
            .limit(20)
        )
    ]
    return tuple(_rows(session, zones, keys))


def one(
    session: Session, zones: Mapping[str, str], key: str
) -> tuple[RunRow, RetrainRunRow | None]:
    """Return a run or refusal by the key that lists give it, and the run's own row.

    Raises
    ------
    NotFoundError
        There is none.
    """
    held, digits = key.startswith(HELD), key.removeprefix(HELD)
    number = int(digits) if digits.isdecimal() and len(digits) < 18 else 0
    found = list(_rows(session, zones, [(held, number)]))
    if not found:
        raise NotFoundError("retrain run", key)
    return found[0], None if held else session.get(RetrainRunRow, number)


def log_tail(row: RetrainRunRow | None) -> str:
    """Return the end of what the training code printed; empty when it is gone."""
    if row is None or row.log_path is None:
        return ""
    try:
        with Path(row.log_path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_BYTES))
            tail = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    # The first line is most likely cut.
    return tail if size <= _LOG_BYTES else tail.partition("\n")[2]


def facts(row: RetrainRunRow | None) -> tuple[tuple[str, str], ...]:
    """Return what a run was given, by name."""
    if row is None:
        return ()
    known: dict[str, Any] = {"asked for by": row.requested_by, "seed": str(row.seed), **row.data}
    return tuple(
        (words.sentence(words.plain(name)), _fact(value))
        for name, value in known.items()
        if isinstance(value, str | int | float)
    )


def quarantined(
    session: Session, model: str, start: datetime | None, end: datetime
) -> tuple[Quarantine, ...]:
    """Return the newest windows that are kept out of training, oldest first.

    Parameters
    ----------
    start, end
        Only windows that start in ``[start, end)``; None for no earliest one.
    """
    row = QuarantinedWindowRow
    wanted = select(row).where(row.model == model, row.window_start < end)
    if start is not None:
        wanted = wanted.where(row.window_start >= start)
    rows = session.scalars(wanted.order_by(row.window_start.desc()).limit(_MOST_WINDOWS))
    found = [
        Quarantine(window=Window(start=each.window_start, end=each.window_end), reason=each.reason)
        for each in rows
    ]
    return tuple(reversed(found))


def _both(model: str, state: str) -> CompoundSelect[Any]:
    runs = select(literal(0).label("held"), RetrainRunRow.id, RetrainRunRow.queued_at.label("at"))
    held = select(
        literal(1).label("held"), RetrainDecisionRow.id, RetrainDecisionRow.decided_at.label("at")
    ).where(RetrainDecisionRow.action.in_(_REFUSED))
    if model:
        runs = runs.where(RetrainRunRow.model == model)
        held = held.where(RetrainDecisionRow.model == model)
    if state:
        runs = runs.where(RetrainRunRow.state == state)
        held = held.where(RetrainDecisionRow.action == state)
    return union_all(runs, held)


def _rows(session: Session, zones: Mapping[str, str], keys: list[_Key]) -> list[RunRow]:
    runs = session.scalars(
        select(RetrainRunRow).where(RetrainRunRow.id.in_([i for held, i in keys if not held]))
    )
    decisions = session.scalars(
        select(RetrainDecisionRow).where(RetrainDecisionRow.id.in_([i for held, i in keys if held]))
    )
    found: dict[_Key, RunRow] = {(False, row.id): _run(row, zones) for row in runs}
    found |= {(True, row.id): _decision(row, zones) for row in decisions}
    return [found[key] for key in keys if key in found]


def _run(row: RetrainRunRow, zones: Mapping[str, str]) -> RunRow:
    return RunRow(
        id=str(row.id),
        model=row.model,
        zone=zones.get(row.model, "UTC"),
        state=row.state,
        reason=row.reason or row.cause,
        cause=row.cause,
        requested_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        version=row.version,
        evaluation=_evaluation(row.evaluation),
    )


def _decision(row: RetrainDecisionRow, zones: Mapping[str, str]) -> RunRow:
    return RunRow(
        id=f"{HELD}{row.id}",
        model=row.model,
        zone=zones.get(row.model, "UTC"),
        state=row.action,
        reason=row.reason,
        requested_at=row.decided_at,
        finished_at=row.ended_at,
        held=True,
    )


def _evaluation(data: Mapping[str, Any] | None) -> EvaluationView | None:
    if not data:
        return None
    known: dict[str, Any] = {
        name: data[name] for name in EvaluationView.__dataclass_fields__ if name in data
    }
    return EvaluationView(**known) if {"verdict", "metric", "rows"} <= known.keys() else None


def _fact(value: str | float) -> str:
    return words.count(value) if isinstance(value, int) else str(value)
