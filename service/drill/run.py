"""A drill from the fault to the answer, with the times that it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alerts.deliver import Deliverer, Delivering
from alerts.destinations import Destinations
from alerts.drills import Drills
from alerts.model import DeliveryKind, Incident, IncidentState
from alerts.outbox import DeliveryState
from alerts.rows import DeliveryRow
from service.bootstrap import Service
from service.drill.fault import Fault
from service.drill.rehearse import Rehearsal, rehearse
from service.drill.ways import Ways, open_ways
from watchkeeper.database import read, write
from watchkeeper.errors import DeliveryError, NotFoundError

Say = Callable[[str], None]
_ACCEPTED_WITHIN = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillResult:
    """The times of a drill, in seconds from its beginning; None for what did not happen.

    Parameters
    ----------
    told
        Destinations that accepted the message.
    told_after
        When each of them did.
    owner
        Who was called.
    held
        Why a retrain would have been held.
    """

    number: int
    model: str
    faults: tuple[str, ...]
    summary: str | None = None
    severity: str | None = None
    found_after: float | None = None
    accepted_after: float | None = None
    told: tuple[str, ...] = ()
    told_after: Mapping[str, float] = field(default_factory=dict)
    owner: str | None = None
    acknowledged_after: float | None = None
    acknowledged_by: str | None = None
    held: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """How a drill is to be made.

    Parameters
    ----------
    channel
        Told instead of where the incident would be told.
    stand_in
        Tell a stand-in for Slack in this process, and nobody else.
    wait
        How long an answer is waited for; None: not at all.
    """

    by: str
    channel: str | None = None
    stand_in: bool = False
    wait: timedelta | None = None


def drill(
    service: Service, model: str, faults: Sequence[Fault], wish: Wish, say: Say
) -> DrillResult:
    """Put a fault into a copy, tell the right person as in earnest, and wait for the answer.

    Of the real database only the record of the drill is written.

    Raises
    ------
    NotFoundError, ConflictError
        There is no such model or column; there are no rows to spoil.
    DeliveryError
        No channel is configured, or none accepted the message in two minutes.
    """
    if model not in service.models:
        raise NotFoundError("model", model, known=sorted(service.models))
    with rehearse(service, model, faults) as found:
        with write(service.engine) as session:
            names = [str(fault) for fault in faults]
            number = Drills(session).begin(model, names, wish.by)
        result = DrillResult(number=number, model=model, faults=tuple(map(str, faults)))
        return _told(service, found, wish, say, result)


def _told(
    service: Service, found: Rehearsal, wish: Wish, say: Say, result: DrillResult
) -> DrillResult:
    incident = found.incident
    if incident is None:
        say("nothing was found: the checks do not see it, or do not watch the column")
        return result
    say(f"found in {found.seconds:.1f} s: {incident.summary}")
    owner = incident.owner
    result = replace(
        result, summary=incident.summary, severity=str(incident.severity), held=found.hold,
        found_after=round(found.seconds, 3), owner=owner.slack or owner.name,
    )  # fmt: skip
    if not incident.standing.notified:
        say(f"it is told in the {incident.severity} only, with no message of its own")
        _write_down(service, result)
    else:
        with open_ways(service, result.number, say, stand_in=wish.stand_in) as ways:
            result = _sent(found, incident, ways, wish, result)
            told = ", ".join(
                f"{name} in {after:.1f} s" for name, after in result.told_after.items()
            )
            say(f"message accepted in {result.accepted_after:.1f} s ({result.owner} at {told})")
            _write_down(service, result)
            if ways.heard and wish.wait is not None:
                result = _answered(service, wish.wait, say, result)
            if result.acknowledged_by is not None:
                ways.follow(IncidentState.ACKED)
    say(f"a retrain would have been held: {found.hold}" if found.hold else "no retrain is held")
    return result


def _write_down(service: Service, result: DrillResult) -> None:
    with write(service.engine) as session:
        Drills(session).note(
            result.number,
            found_after=result.found_after,
            accepted_after=result.accepted_after,
            held=result.held is not None,
        )


def _sent(
    found: Rehearsal, incident: Incident, ways: Ways, wish: Wish, result: DrillResult
) -> DrillResult:
    began = time.monotonic()
    channel = wish.channel
    if wish.stand_in and channel is None:
        channel = next(
            (name.partition(":")[2] for name in incident.destinations if name.startswith("slack:")),
            "C0DRILL",
        )
    with write(found.engine) as session:
        wanted = _only_the_root(session, incident, channel, ways.channels)
    if not wanted:
        raise DeliveryError("no channel is configured for it; --stand-in needs none")
    how = Delivering(interactive=False, on_duty=ways.on_duty)
    deliverer = Deliverer(found.engine, ways.channels, owner="drill", how=how)
    while time.monotonic() < began + _ACCEPTED_WITHIN:
        deliverer.run_once()
        with read(found.engine) as session:
            rows = session.scalars(select(DeliveryRow)).all()
        accepted = [row for row in rows if row.state == DeliveryState.SENT]
        if len(accepted) == len(rows):
            told = {row.destination: found.seconds + _waited(row) for row in accepted}
            return replace(
                result,
                accepted_after=round(max(told.values()), 3),
                told=tuple(told),
                told_after={name: round(after, 3) for name, after in told.items()},
            )
        time.sleep(0.2)
    trouble = ", ".join(sorted({row.error_text or row.state for row in rows}))
    raise DeliveryError(f"the message was not accepted in {_ACCEPTED_WITHIN:.0f} s: {trouble}")


def _waited(row: DeliveryRow) -> float:
    return max((row.sent_at or row.enqueued_at) - row.enqueued_at, 0.0)


def _only_the_root(
    session: Session, incident: Incident, channel: str | None, known: Container[str]
) -> int:
    """Keep the first messages of one incident in the copy's outbox; return how many there are."""
    ours = (DeliveryRow.incident_id == incident.id) & (DeliveryRow.kind == DeliveryKind.ROOT)
    session.execute(delete(DeliveryRow).where(~ours))
    rows = session.scalars(select(DeliveryRow)).all()
    for number, row in enumerate(rows):
        if channel is not None and number == 0:
            Destinations(session).ensure(f"slack:{channel}")
            row.destination, row.transport = f"slack:{channel}", "slack"
        elif channel is not None or row.transport not in known:
            session.delete(row)
    session.flush()
    left = session.scalars(select(DeliveryRow.transport)).all()
    return sum(transport in known for transport in left)


def _answered(service: Service, wait: timedelta, say: Say, result: DrillResult) -> DrillResult:
    say("waiting for somebody to acknowledge it (Ctrl-C ends the drill)")
    until = time.monotonic() + wait.total_seconds()
    while time.monotonic() < until:
        with read(service.engine) as session:
            answer = Drills(session).answer(result.number)
        if answer is not None:
            actor, after = answer
            say(f"acknowledged by {actor} in {after:.1f} s")
            return replace(result, acknowledged_by=actor, acknowledged_after=round(after, 3))
        time.sleep(0.2)
    say(f"nobody acknowledged it in {wait.total_seconds():.0f} s")
    return result
