"""Take in one evaluated window: series, incidents and outgoing messages, in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from alerts import events
from alerts.desk import Desk
from alerts.follow import (
    OF_A_VERSION,
    OF_THE_SOURCE,
    Followed,
    columns_in,
    facts_of,
    follow,
    renew,
)
from alerts.keys import LABELS, incident_key
from alerts.model import (
    PRODUCTION,
    Incident,
    IncidentChange,
    SeriesState,
    Severity,
    Standing,
)
from alerts.policy import AlertPolicy, policy_of
from alerts.repository import Incidents, SeriesStore, Watches
from alerts.routing import Routing, route
from alerts.rules import severity_of
from alerts.series import RollCall, Series
from alerts.settle import is_held_back, settle
from alerts.storm import is_storm
from alerts.wording import summarise
from monitor.model import DECAY, EvaluatedWindow, Family
from watchkeeper.model_settings import ModelSettings

#: A verdict on labels is of late when its window started so long ago, or within so many windows.
_LATELY, _LATE_WINDOWS = timedelta(days=7), 3


def observe(
    session: Session,
    evaluated: EvaluatedWindow,
    settings: ModelSettings,
    *,
    now: datetime,
    routing: Routing | None = None,
) -> list[IncidentChange]:
    """Take in one evaluated window and return what it changed.

    Everything is written in the caller's transaction: when it is rolled back, nothing happened and
    nothing will be sent. The same window a second time changes nothing.

    Parameters
    ----------
    evaluated
        All findings of one window; later revisions are corrections.
    now
        Event time.
    routing
        The teams and sources that the service knows; without it the model's owner is told.
    """
    watches = Watches(session)
    watch = watches.lock(evaluated.model, PRODUCTION)
    fingerprint = _fingerprint(evaluated)
    if not watch.is_news(evaluated, fingerprint):
        return []
    desk = Desk(session)
    policy = policy_of(settings)
    store = SeriesStore(session)
    known = store.of(evaluated.model, PRODUCTION)
    if evaluated.version > watch.version:
        if watch.version:
            columns = columns_in(evaluated) if evaluated.rows else None
            known = renew(known, evaluated.version, policy, columns=columns)
            store.save(list(known.values()))
            hope(desk, session, evaluated.model, f"Version {evaluated.version} serves now.", now)
        watch.version = evaluated.version
    # What an old version still has to say of itself moves nothing; a broken source does.
    families = tuple(Family) if evaluated.version == watch.version else OF_THE_SOURCE
    followed = follow(
        known,
        evaluated,
        slot=PRODUCTION,
        families=families,
        earlier=watch.evaluated,
        policy=policy,
    )
    store.save(followed.changed)
    watch.take_in(evaluated, fingerprint, [str(family) for family in followed.judged])
    watches.save(watch)
    case = _Case(
        session=session,
        desk=desk,
        evaluated=evaluated,
        settings=settings,
        policy=policy,
        now=now,
        followed=followed,
        routing=routing or Routing(),
        measured=is_measured(watch.evaluated, evaluated),
    )
    # Broken sources first: they inhibit what follows from them.
    for family in sorted(families, key=lambda family: family not in OF_THE_SOURCE):
        case.attend(family)
    return desk.changes


def promoted(
    session: Session,
    model: str,
    version: int,
    settings: ModelSettings,
    *,
    now: datetime,
    text: str,
) -> list[IncidentChange]:
    """Follow another version from now on; ``text`` tells the open threads why it should be better.

    Losses and drifts of the model are recovering on hope until the version's own windows clear
    them or bring them back.
    """
    watches = Watches(session)
    watch = watches.lock(model, PRODUCTION)
    desk = Desk(session)
    if watch.version not in (0, version):
        store = SeriesStore(session)
        known = store.of(model, PRODUCTION)
        store.save(list(renew(known, version, policy_of(settings), columns=None).values()))
        hope(desk, session, model, text, now)
    watch.version = version
    watches.save(watch)
    return desk.changes


def hope(desk: Desk, session: Session, model: str, text: str, now: datetime) -> None:
    """Move the model's losses and drifts to recovering: a new version serves.

    Whoever put anything of the model off until then hears of it again.
    """
    for incident in Incidents(session).live_of(model, tuple(Family)):
        if incident.family in OF_A_VERSION:
            desk.handle(incident, events.Promoted(at=now, what=text))
        elif incident.standing.snooze_condition == events.NEXT_DEPLOY:
            desk.handle(incident, events.Woken(at=now, reason="another version serves"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One window on its way through the incidents of each family."""

    session: Session
    desk: Desk
    evaluated: EvaluatedWindow
    settings: ModelSettings
    policy: AlertPolicy
    now: datetime
    followed: Followed
    routing: Routing
    measured: bool

    def attend(self, family: Family) -> None:
        """Open, update or settle the incidents of a family: one, or one for each source."""
        by_scope: dict[str, list[Series]] = {self._scope(family): []}
        for series in self.followed.all.values():
            if series.family is family:
                by_scope.setdefault(self._scope(family, series.column), []).append(series)
        for scope, ours in by_scope.items():
            self._attend(family, scope, ours)

    def _attend(self, family: Family, scope: str, ours: Sequence[Series]) -> None:
        incidents = Incidents(self.session)
        key = incident_key(PRODUCTION, family, scope)
        incident = incidents.live(key)
        loose = [
            series
            for series in ours
            if series.state is SeriesState.FIRING
            and (incident is None or series.incident_id != incident.id)
        ]
        fresh = incident is None
        if loose and incident is None:
            incident = self._open(key, family, scope, loose)
        if incident is None:
            return
        self._attach(loose, incident)
        roll = SeriesStore(self.session).roll_call(incident.id, clear_below=self.policy.clear_ratio)
        broken = [series for series in [*ours, *loose] if series.is_firing]
        incident = self._describe(incident, roll, broken)
        if loose and not fresh:
            incident = self.desk.handle(incident, events.Joined(at=self.now, members=roll.lasting))
        settle(
            self.desk,
            incident,
            roll,
            policy=self.policy,
            now=self.now,
            held_back=is_held_back(self.session, incident, self.now),
            changed=family in self.followed.judged,
        )

    def _scope(self, family: Family, column: str | None = None) -> str:
        """Return what its trouble has in common with that of other columns and models."""
        if family not in OF_THE_SOURCE:
            return self.settings.model
        if column == self.settings.label.column:
            return f"{LABELS}{self.settings.model}"
        origin = self.settings.origin_of(column)
        if origin is not None:
            return f"source:{origin}"
        source = self.settings.source
        return self.settings.model if source.is_built_in else source.table

    def _open(self, key: str, family: Family, scope: str, series: Sequence[Series]) -> Incident:
        """Reopen the last incident of the key when it ended a short while ago, else open one."""
        incidents = Incidents(self.session)
        last = incidents.latest_resolved(key)
        ended = None if last is None else last.standing.resolved_at
        severity = self._severity(family, series)
        # Nobody is paged a second time for a relapse that by itself would wake nobody.
        as_bad = last is not None and severity.rank >= last.standing.severity.rank
        soon = ended is not None and self.now - ended <= self.policy.reopen
        storm = last is not None and is_storm(
            self.session, last.owner.team, most=self.policy.storm, now=self.now
        )
        # In a storm it is another one, which can be told together with the rest.
        if last is not None and soon and as_bad and not storm:
            return self.desk.handle(last, events.Breached(at=self.now, members=len(series)))
        told = route(
            self.routing,
            self.settings,
            family=family,
            source=scope.removeprefix("source:").removeprefix(LABELS),
            checks=[each.check for each in series],
            columns=[each.column for each in series if each.column is not None],
        )
        return incidents.add(
            Incident(
                id=0,
                uid="",
                key=key,
                model=self.settings.model,
                slot=PRODUCTION,
                family=family,
                scope=scope,
                started_at=min(each.since or self.evaluated.window.start for each in series),
                detected_at=self.now,
                updated_at=self.now,
                standing=Standing(severity=severity),
                facts=facts_of(self.evaluated, family),
                owner=told.owner,
                destinations=told.plan.at_first(severity),
                plan=told.plan,
                continues=None if last is None else last.id,
            )
        )

    def _attach(self, loose: Iterable[Series], incident: Incident) -> None:
        attached = [replace(series, incident_id=incident.id) for series in loose]
        SeriesStore(self.session).save(attached)

    def _describe(self, incident: Incident, roll: RollCall, broken: Collection[Series]) -> Incident:
        """Write the newest facts into the incident; an older window has no newer facts."""
        family = incident.family
        newer = self.evaluated.window.start >= incident.facts.window_start
        facts = incident.facts
        if newer and family in self.followed.judged:
            facts = facts_of(self.evaluated, family)
        shown = [series.as_member() for series in roll.worst]
        columns = dict.fromkeys([*incident.columns, *roll.columns])
        # Once nothing is broken any more, the line keeps saying what was.
        speaks = bool(shown) and (family is Family.PERFORMANCE or roll.lasting > 0)
        summary = summarise(family, shown, roll.columns) if speaks else incident.summary
        if speaks and roll.models > 1:
            summary += f" in {roll.models} models"
        described = replace(incident, facts=facts, columns=tuple(columns), summary=summary)
        Incidents(self.session).save(described)
        severity = self._severity(family, broken)
        raised = events.Raised(at=self.now, severity=severity, members=roll.lasting)
        return self.desk.handle(described, raised)

    def _severity(self, family: Family, series: Collection[Series]) -> Severity:
        # What is broken in one segment alone is no broken column.
        whole = [each for each in series if each.segment in {None, ""}]
        broken = {each.column for each in whole if each.column is not None}
        checked = len(columns_in(self.evaluated))
        return severity_of(
            family,
            decayed=any(each.check == DECAY for each in series),
            measured=self.measured,
            broken=len(broken),
            checked=checked,
            policy=self.policy,
        )


def is_measured(judged: Mapping[str, Iterable[str]], evaluated: EvaluatedWindow) -> bool:
    """Whether performance was judged on labels of late: within a week, or three windows.

    Parameters
    ----------
    judged
        Per family, the starts of windows that were judged.
    """
    window = evaluated.window
    newest = max(judged.get(str(Family.PERFORMANCE), ()), default=None)
    lately = max(_LATELY, _LATE_WINDOWS * (window.end - window.start))
    return newest is not None and datetime.fromisoformat(newest) >= window.start - lately


def _fingerprint(evaluated: EvaluatedWindow) -> str:
    said = sorted(
        (
            str(result.family),
            result.check,
            result.measurement.metric,
            result.measurement.column or "",
            result.measurement.segment or "",
            str(result.status),
            repr(result.effect),
            repr(result.measurement.value),
        )
        for result in evaluated.results
    )
    text = json.dumps([said, evaluated.labels_mature, evaluated.rows, evaluated.labels])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
