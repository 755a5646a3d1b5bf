"""The digest of each team: once a day at its own morning, through the outbox, exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from alerts.calendars import calendar_of
from alerts.digest_model import Digest, Section
from alerts.model import Incident, IncidentState, Severity
from alerts.on_call import AHEAD, gaps, unknown_people
from alerts.outbox import Outbox
from alerts.precision import precisions
from alerts.repository import Incidents
from alerts.routing import Routing
from alerts.rows import DigestRow
from alerts.silences import Silences
from alerts.verdicts import told
from alerts.wording import listed, moment, span
from monitor.window_store import WindowRow
from watchkeeper.database import read, write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.team_settings import Team

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHOWN_COLUMNS = 6


def due_day(team: Team, now: datetime) -> date | None:
    """Return the team's day whose digest is due, or None before its time.

    Examples
    --------
    >>> team = Team.model_validate({"timezone": "Europe/Berlin"})
    >>> due_day(team, datetime(2026, 3, 29, 6, 59, tzinfo=UTC)) is None
    True
    >>> due_day(team, datetime(2026, 3, 29, 7, 0, tzinfo=UTC))
    datetime.date(2026, 3, 29)
    """
    local = now.astimezone(team.timezone)
    due = datetime.combine(local.date(), team.digest_time, tzinfo=team.timezone)
    return local.date() if now >= due.astimezone(UTC) else None


def order_digests(
    engine: Engine, models: Mapping[str, ModelSettings], routing: Routing, *, now: datetime
) -> list[Digest]:
    """Order the digests that are due and return those that have something to say.

    Each day of a team is looked at once, whoever asks and how often; a day that passed while
    nobody was there is not made up for.

    Parameters
    ----------
    now
        Event time.
    """
    ordered = []
    for name, team in routing.teams.items():
        day = due_day(team, now)
        if day is None:
            continue
        # Read without a lock: what people judged is tried on many windows.
        with read(engine) as session:
            if _is_looked_at(session, name, day):
                continue
            digest = gather(session, name, team, models, day=day, now=now)
        with write(engine) as session:
            if _order(session, name, team, digest, day=day, now=now) and digest is not None:
                ordered.append(digest)
    return ordered


def gather(
    session: Session,
    name: str,
    team: Team,
    models: Mapping[str, ModelSettings],
    *,
    day: date,
    now: datetime,
) -> Digest | None:
    """Return what there is to tell a team; None on a quiet day that is not its weekly one."""
    ours = [incident for incident in Incidents(session).unfinished() if _is_told(incident, name)]
    owned = sorted(model for model, each in models.items() if each.owner.team == name)
    sections = [
        Section(title="Open", lines=_open_lines(ours, now)),
        Section(title="Drift without a measured loss", lines=_drift_lines(ours)),
        Section(title="On call", lines=_duty_lines(session, name, team, now)),
        Section(title="Silences", lines=_silence_lines(session, owned, now)),
    ]
    sections = [section for section in sections if section.lines]
    weekly = _DAYS[day.weekday()] == team.weekly
    if not sections and not weekly:
        return None
    context = [
        Section(title="Labels", lines=_label_lines(session, owned)),
        Section(title="Rules that were judged", lines=_rule_lines(session, models, owned)),
    ]
    if weekly:
        context.append(Section(title="This week", lines=(_life(session, owned, now),)))
    return Digest(
        team=name,
        day=day,
        headline=_headline(sections),
        sections=tuple(sections),
        context=tuple(section for section in context if section.lines),
    )


def _is_looked_at(session: Session, team: str, day: date) -> bool:
    known = select(DigestRow.id).where(DigestRow.team == team, DigestRow.day == day)
    return session.scalars(known).first() is not None


def _order(
    session: Session, name: str, team: Team, digest: Digest | None, *, day: date, now: datetime
) -> bool:
    """Take a team's day and order its digest; False when another worker was faster."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    content = None if digest is None else digest.to_dict()
    statement = insert(DigestRow).values(team=name, day=day, at=now, content=content)
    mine = statement.on_conflict_do_nothing().returning(DigestRow.id)
    number = session.scalars(mine).first()
    if number is None:
        return False
    if digest is not None:
        key = f"digest {name} {day}"
        Outbox(session).enqueue_digest(number, _destinations(team), key=key, at=now)
    return True


def _destinations(team: Team) -> tuple[str, ...]:
    if team.digest:
        return team.digest
    return (f"slack:{team.channel or 'default'}",)


def _is_told(incident: Incident, team: str) -> bool:
    hidden = (IncidentState.PENDING, IncidentState.RESOLVED)
    return incident.owner.team == team and incident.state not in hidden


def _open_lines(incidents: Sequence[Incident], now: datetime) -> tuple[str, ...]:
    told = [incident for incident in incidents if incident.severity is not Severity.DIGEST]
    told.sort(key=lambda incident: (-incident.severity.rank, -incident.id))
    return tuple(_open_line(incident, now) for incident in told)


def _open_line(incident: Incident, now: datetime) -> str:
    since = incident.standing.opened_at or incident.detected_at
    age = "new" if now - since < _DAY else f"for {span(now - since)}"
    state = _STATES.get(incident.state, str(incident.state))
    snooze = incident.standing.snoozed_until
    if incident.state is IncidentState.SNOOZED and snooze is not None:
        state = f"snoozed until {moment(snooze)}"
    severity = incident.severity.upper()
    return f"{incident.name} {severity} {incident.model}: {incident.summary} ({age}, {state})"


_STATES = {
    IncidentState.OPEN: "nobody has acknowledged it",
    IncidentState.ACKED: "acknowledged",
    IncidentState.MITIGATING: "being repaired",
    IncidentState.RECOVERING: "recovering",
}


def _drift_lines(incidents: Sequence[Incident]) -> tuple[str, ...]:
    drifts = [incident for incident in incidents if incident.severity is Severity.DIGEST]
    lines = []
    for incident in sorted(drifts, key=lambda each: (-len(each.columns), each.model)):
        columns = listed(incident.columns, _SHOWN_COLUMNS)
        what = f"{len(incident.columns)} columns: {columns}" if columns else incident.summary
        lines.append(f"{incident.model}: {what}, since {moment(incident.started_at)}")
    return tuple(lines)


def _duty_lines(session: Session, name: str, team: Team, now: datetime) -> tuple[str, ...]:
    if team.on_call is None:
        return ()
    copy = calendar_of(session, name, team, now)
    lines = [
        f"nobody from {gap.start.astimezone(team.on_call.timezone):%a %d %b %H:%M} "
        f"to {gap.end.astimezone(team.on_call.timezone):%a %d %b %H:%M} ({team.on_call.timezone})"
        for gap in gaps(team.on_call, now, now + AHEAD, copy.entries)
    ]
    if copy.trouble is not None:
        since = "" if copy.fetched_at is None else f"; its copy of {moment(copy.fetched_at)} counts"
        lines.append(f"the calendar cannot be read ({copy.trouble}){since}")
    unknown = unknown_people(team.on_call, copy.entries)
    if unknown:
        lines.append(f"the calendar names people that nobody can mention: {listed(unknown, 5)}")
    return tuple(lines)


def _silence_lines(session: Session, models: Sequence[str], now: datetime) -> tuple[str, ...]:
    silences, lines = Silences(session), []
    for silence in silences.active(now):
        if not silence.concerns(models):
            continue
        if silence.until - now <= _DAY:
            lines.append(f"{silence} ends {moment(silence.until)}")
        last = silences.last_covered(silence) or silence.starts_at
        if now - last >= _WEEK:
            lines.append(f"{silence} has held nothing back for {span(now - last)}")
    return tuple(lines)


def _label_lines(session: Session, models: Sequence[str]) -> tuple[str, ...]:
    lines = []
    for model in models:
        newest = session.execute(
            select(WindowRow.window_end, WindowRow.rows, WindowRow.labels)
            .where(WindowRow.model == model, WindowRow.evaluated_at.is_not(None))
            .order_by(WindowRow.window_end.desc(), WindowRow.version.desc())
            .limit(1)
        ).first()
        if newest is None:
            lines.append(f"{model}: nothing has been evaluated yet")
            continue
        end, rows, labels = newest
        share = f"{labels / rows:.0%} of {rows:,}" if rows else "no rows"
        mature = session.scalar(
            select(func.max(WindowRow.window_end)).where(
                WindowRow.model == model, WindowRow.labels_mature.is_(True)
            )
        )
        known = f"complete until {moment(mature)}" if mature else "not yet complete for any window"
        lines.append(f"{model}: {share} in the window until {moment(end)}; {known}")
    return tuple(lines)


def _rule_lines(
    session: Session, models: Mapping[str, ModelSettings], owned: Sequence[str]
) -> tuple[str, ...]:
    ours = {name: models[name] for name in owned}
    return tuple(told(found) for found in precisions(session, ours))


def _life(session: Session, models: Sequence[str], now: datetime) -> str:
    evaluated = session.scalar(
        select(func.count())
        .select_from(WindowRow)
        .where(WindowRow.model.in_(models), WindowRow.evaluated_at > now - _WEEK)
        .where(WindowRow.evaluated_at <= now)
    )
    return f"{evaluated or 0:,} evaluations over {len(models)} models"


def _headline(sections: Sequence[Section]) -> str:
    return (
        ", ".join(f"{len(section.lines)} {_NOUNS[section.title]}" for section in sections)
        or "all quiet"
    )


_NOUNS = {
    "Open": "open",
    "Drift without a measured loss": "drifting",
    "On call": "about who is on call",
    "Silences": "about silences",
}
