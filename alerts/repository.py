"""Series and incidents in the database: domain types in and out, the caller commits."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from alerts.model import (
    LIVE_STATES,
    Evaluability,
    Facts,
    Incident,
    IncidentState,
    Owner,
    Reading,
    SeriesState,
    Severity,
    Standing,
    Verdict,
)
from alerts.plan import Plan
from alerts.rows import IncidentEventRow, IncidentRow, SeriesRow, WatchRow
from alerts.rules import KEEP, Judged, Phase, Track
from alerts.series import RollCall, Series
from monitor.model import EvaluatedWindow, Family
from monitor.upsert import upsert
from watchkeeper.errors import NotFoundError

# Rows are written past the session's memory of them; a read must not be answered from there.
_FRESH = {"populate_existing": True}
_LASTING = (SeriesState.FIRING, SeriesState.RECOVERING)
_WORST = 12
_STANDING = tuple(item.name for item in fields(Standing))


@dataclass(kw_only=True, slots=True)
class Watch:
    """What has been observed of a model.

    Parameters
    ----------
    evaluated
        Per family, the starts of the newest windows that gave it results.
    seen
        Per window and version, the revision and the verdicts that were taken in.
    """

    model: str
    slot: str
    version: int
    evaluated: dict[str, list[str]] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(default_factory=dict)

    def is_news(self, window: EvaluatedWindow, fingerprint: str) -> bool:
        """Tell whether an evaluation says anything that was not taken in before."""
        known = self.seen.get(_seen_key(window))
        return known is None or (known[0] <= window.revision and known[1] != fingerprint)

    def take_in(self, window: EvaluatedWindow, fingerprint: str, families: Iterable[str]) -> None:
        """Remember an evaluation; only the newest windows are kept."""
        self.seen[_seen_key(window)] = [window.revision, fingerprint]
        self.seen = dict(sorted(self.seen.items())[-2 * KEEP :])
        start = window.window.start.isoformat()
        for family in families:
            starts = {*self.evaluated.get(family, ()), start}
            self.evaluated[family] = sorted(starts)[-KEEP:]


def _seen_key(window: EvaluatedWindow) -> str:
    return f"{window.window.start.isoformat()} v{window.version}"


class Watches:
    """The memory of what has been observed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, model: str, slot: str) -> Watch:
        """Return what is known of a model, held until the transaction ends.

        Two workers that observe windows of one model take turns here. Version 0 says that nothing
        was observed yet.
        """
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        empty: dict[str, Any] = {"families": {}, "windows": {}}
        first = insert(WatchRow).values(model=model, slot=slot, version=0, evaluated=empty)
        self._session.execute(first.on_conflict_do_nothing())
        query = select(WatchRow).where(WatchRow.model == model, WatchRow.slot == slot)
        row = self._session.scalars(query.with_for_update(), execution_options=_FRESH).one()
        return Watch(
            model=model,
            slot=slot,
            version=row.version,
            evaluated={name: list(starts) for name, starts in row.evaluated["families"].items()},
            seen=dict(row.evaluated["windows"]),
        )

    def save(self, watch: Watch) -> None:
        """Write what is known of a model."""
        evaluated = {"families": watch.evaluated, "windows": watch.seen}
        row = {
            "model": watch.model,
            "slot": watch.slot,
            "version": watch.version,
            "evaluated": evaluated,
        }
        upsert(self._session, WatchRow, [row])


class SeriesStore:
    """The series that have ever breached."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, model: str, slot: str) -> dict[str, Series]:
        """Return the series of a model, by key."""
        query = select(SeriesRow).where(SeriesRow.model == model, SeriesRow.slot == slot)
        rows = self._session.scalars(query, execution_options=_FRESH)
        return {row.key: to_series(row) for row in rows}

    def roll_call(self, incident_id: int, *, clear_below: float = 0.8) -> RollCall:
        """Count the members of an incident and name the worst; they may be tens of thousands.

        Parameters
        ----------
        clear_below
            Share of its limit below which a member is well.
        """
        under = select(IncidentRow.id).where(IncidentRow.merged_into == incident_id)
        # Two plain conditions: with a subquery in it no index would serve the counts.
        family = [incident_id, *self._session.scalars(under)]
        ours = SeriesRow.incident_id.in_(family)
        is_quiet = and_(
            SeriesRow.state == SeriesState.OK,
            SeriesRow.evaluability == Evaluability.OK,
            SeriesRow.effect < clear_below,
        )
        counts = self._session.execute(
            select(SeriesRow.state, is_quiet, func.count())
            .where(ours)
            .group_by(SeriesRow.state, is_quiet)
        ).all()
        lasting = SeriesRow.state.in_(_LASTING)
        columns = self._session.scalars(
            select(SeriesRow.column)
            .where(ours, lasting, SeriesRow.column.is_not(None))
            .group_by(SeriesRow.column)
            .order_by(func.max(SeriesRow.effect).desc(), SeriesRow.column)
        ).all()
        models = self._session.scalar(
            select(func.count(SeriesRow.model.distinct())).where(ours, lasting)
        )
        worst = self._session.scalars(
            select(SeriesRow)
            .where(ours)
            .order_by(lasting.desc(), SeriesRow.effect.desc(), SeriesRow.column, SeriesRow.key)
            .limit(_WORST),
            execution_options=_FRESH,
        ).all()

        return RollCall(
            members=sum(count for _, _, count in counts),
            firing=sum(count for state, _, count in counts if state == SeriesState.FIRING),
            lasting=sum(count for state, _, count in counts if state in _LASTING),
            quiet=sum(count for _, quiet, count in counts if quiet),
            columns=tuple(column for column in columns if column is not None),
            models=models or 0,
            worst=tuple(to_series(row) for row in worst),
        )

    def firing_in(self, incident_id: int) -> list[Series]:
        """Return every member of an incident that fires or recovers."""
        query = select(SeriesRow).where(
            SeriesRow.incident_id == incident_id, SeriesRow.state.in_(_LASTING)
        )
        rows = self._session.scalars(query, execution_options=_FRESH)
        return [to_series(row) for row in rows]

    def save(self, series: Collection[Series]) -> None:
        """Write series, new or known."""
        if series:
            upsert(self._session, SeriesRow, [_series_values(each) for each in series])


class Incidents:
    """The incidents that one session sees."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, incident_id: int) -> Incident | None:
        """Return an incident, or None."""
        row = self._session.get(IncidentRow, incident_id)
        return None if row is None else _to_incident(row)

    def lock(self, incident_id: int) -> Incident:
        """Return an incident as it stands now, held until the transaction ends."""
        found = self._one(IncidentRow.id == incident_id)
        if found is None:
            raise NotFoundError("incident", str(incident_id))
        return found

    def live(self, key: str) -> Incident | None:
        """Return the one incident that holds ``key``, or None."""
        return self._one(IncidentRow.key == key, IncidentRow.state.in_(LIVE_STATES))

    def latest_resolved(self, key: str) -> Incident | None:
        """Return the newest resolved incident of ``key``, or None."""
        return self._one(IncidentRow.key == key, IncidentRow.state == IncidentState.RESOLVED)

    def live_of(self, model: str, families: Iterable[Family] = tuple(Family)) -> list[Incident]:
        """Return the live incidents that a model opened or is a member of, oldest first."""
        members = select(SeriesRow.incident_id).where(SeriesRow.model == model)
        query = select(IncidentRow).where(
            IncidentRow.state.in_(LIVE_STATES),
            IncidentRow.family.in_([str(family) for family in families]),
            (IncidentRow.model == model) | IncidentRow.id.in_(members),
        )
        return [_to_incident(row) for row in self._session.scalars(query.order_by(IncidentRow.id))]

    def under(self, incident_id: int) -> list[Incident]:
        """Return the incidents that are told under another, or are part of it."""
        query = select(IncidentRow).where(IncidentRow.merged_into == incident_id)
        return [_to_incident(row) for row in self._session.scalars(query.order_by(IncidentRow.id))]

    def unfinished(self) -> list[Incident]:
        """Return the incidents that time alone may move: live and resolved ones, oldest first."""
        states = LIVE_STATES | {IncidentState.RESOLVED}
        query = select(IncidentRow).where(IncidentRow.state.in_(states)).order_by(IncidentRow.id)
        return [_to_incident(row) for row in self._session.scalars(query)]

    def newest(self, *, live: bool, at_most: int = 200) -> list[Incident]:
        """Return the newest incidents, newest first: those that last, or all."""
        query = select(IncidentRow).order_by(IncidentRow.id.desc()).limit(at_most)
        if live:
            query = query.where(IncidentRow.state.in_(LIVE_STATES))
        return [_to_incident(row) for row in self._session.scalars(query)]

    def add(self, incident: Incident) -> Incident:
        """Store a new incident and return it with its number.

        Raises
        ------
        sqlalchemy.exc.IntegrityError
            A live incident holds the key already.
        """
        row = IncidentRow(uid=uuid.uuid4().hex, **_incident_values(incident))
        self._session.add(row)
        self._session.flush()
        return replace(incident, id=row.id, uid=row.uid)

    def save(self, incident: Incident) -> None:
        """Write an incident back."""
        row = self._session.get_one(IncidentRow, incident.id)
        for name, value in _incident_values(incident).items():
            setattr(row, name, value)
        self._session.flush()

    def move(self, incident_id: int, old: str, new: str) -> None:
        """Tell an incident at another destination from now on."""
        row = self._session.get_one(IncidentRow, incident_id, with_for_update=True)
        moved = (new if name == old else name for name in row.destinations)
        # It may be told there already: nobody is told twice.
        row.destinations = list(dict.fromkeys(moved))

    def _one(self, *conditions: ColumnElement[bool]) -> Incident | None:
        query = select(IncidentRow).where(*conditions).order_by(IncidentRow.id.desc()).limit(1)
        row = self._session.scalars(query.with_for_update(), execution_options=_FRESH).one_or_none()
        return None if row is None else _to_incident(row)


class History:
    """What happened to incidents, entry by entry; nothing is ever changed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write_down(
        self, incident: Incident, *, at: datetime, actor: str, event: str, before: str, reason: str
    ) -> None:
        """Add an entry to an incident's history."""
        self._session.add(
            IncidentEventRow(
                incident_id=incident.id,
                revision=incident.standing.revision,
                at=at,
                actor=actor,
                event=event,
                before=before,
                after=incident.state,
                reason=reason,
            )
        )

    def of(self, incident_id: int) -> list[IncidentEventRow]:
        """Return the entries of an incident's history, oldest first."""
        query = select(IncidentEventRow).where(IncidentEventRow.incident_id == incident_id)
        return list(self._session.scalars(query.order_by(IncidentEventRow.id)))


def _series_values(series: Series) -> dict[str, Any]:
    same = ("key", "model", "slot", "check", "metric", "column", "segment", "since", "incident_id")
    return {
        **{name: getattr(series, name) for name in same},
        "family": str(series.family),
        "state": str(series.state),
        "version": series.track.version,
        "evaluability": str(series.track.evaluability),
        "base": series.track.base.to_json(),
        "judged": [judged.to_json() for judged in series.track.judged],
        "trimmed_before": series.track.trimmed_before,
        "reading": series.reading.to_dict(),
        "effect": series.reading.effect or 0.0,
    }


def to_series(row: SeriesRow) -> Series:
    """Return the series of a row."""
    track = Track(
        version=row.version,
        base=Phase.from_json(row.base),
        judged=tuple(Judged.from_json(judged) for judged in row.judged),
        evaluability=Evaluability(row.evaluability),
        trimmed_before=row.trimmed_before,
    )
    return Series(
        key=row.key,
        model=row.model,
        slot=row.slot,
        family=Family(row.family),
        check=row.check,
        metric=row.metric,
        column=row.column,
        segment=row.segment,
        track=track,
        state=SeriesState(row.state),
        since=row.since,
        reading=Reading.from_dict(row.reading),
        incident_id=row.incident_id,
    )


def _incident_values(incident: Incident) -> dict[str, Any]:
    same = (
        "key", "model", "slot", "scope", "summary", "continues",
        "started_at", "detected_at", "updated_at",
    )  # fmt: skip
    return {
        **{name: getattr(incident, name) for name in same},
        **{name: getattr(incident.standing, name) for name in _STANDING},
        "family": str(incident.family),
        "columns": list(incident.columns),
        "destinations": list(incident.destinations),
        "plan": incident.plan.to_dict(),
        "facts": incident.facts.to_dict(),
        "owner": incident.owner.to_dict(),
    }


def _to_incident(row: IncidentRow) -> Incident:
    values = {name: getattr(row, name) for name in _STANDING}
    values["state"] = IncidentState(row.state)
    values["severity"] = Severity(row.severity)
    values["prior"] = row.prior and IncidentState(row.prior)
    values["verdict"] = row.verdict and Verdict(row.verdict)
    return Incident(
        id=row.id,
        uid=row.uid,
        key=row.key,
        model=row.model,
        slot=row.slot,
        family=Family(row.family),
        scope=row.scope,
        started_at=row.started_at,
        detected_at=row.detected_at,
        updated_at=row.updated_at,
        standing=Standing(**values),
        facts=Facts.from_dict(row.facts),
        owner=Owner(**row.owner),
        columns=tuple(row.columns),
        summary=row.summary,
        destinations=tuple(row.destinations),
        plan=Plan.from_dict(row.plan),
        continues=row.continues,
    )
