"""A drill from the fault to the answer, with the times that it took."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from litestar import Litestar
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alerts.channels.drill import DrillChannel
from alerts.channels.outcome import Channel
from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_whisper import whisper
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import Destinations
from alerts.drills import Drills
from alerts.interactions import Interactions
from alerts.model import DeliveryKind, Incident
from alerts.outbox import DeliveryState
from alerts.rows import DeliveryRow
from alerts.stand_in import StandIn
from service.bootstrap import Service
from service.channels import channels_of
from service.drill.fault import Fault
from service.drill.rehearse import Rehearsal, rehearse
from service.server import Server
from service.web.slack import interactions_handler
from watchkeeper.database import read, write
from watchkeeper.errors import DeliveryError, NotFoundError

Say = Callable[[str], None]
_ACCEPTED_WITHIN = 120.0
#: Where a drill is told; elsewhere it would open a case that nothing closes.
_DRILLED = ("slack", "email")


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillResult:
    """The times of a drill, in seconds from its beginning; None for what did not happen.

    Parameters
    ----------
    told
        Destinations that accepted the message.
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
        with _ways(service, wish, result.number, say) as ways:
            result = _sent(found, incident, ways, wish, result)
            told = ", ".join(result.told)
            say(f"message accepted in {result.accepted_after:.1f} s ({result.owner} at {told})")
            _write_down(service, result)
            if ways.heard and wish.wait is not None:
                result = _answered(service, wish.wait, say, result)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ways:
    """The channels of a drill, and whether anybody hears its button."""

    channels: Mapping[str, Channel]
    heard: bool


@contextmanager
def _ways(service: Service, wish: Wish, number: int, say: Say) -> Iterator[_Ways]:
    if wish.stand_in:
        with _stand_in(service, say) as channel:
            marked = DrillChannel(channel, number=number, interactive=True)
            yield _Ways(channels={"slack": marked}, heard=True)
        return
    heard = service.settings.slack.signing_secret is not None
    channels = {
        name: DrillChannel(channel, number=number, interactive=heard)
        for name, channel in channels_of(service.settings).items()
        if name in _DRILLED
    }
    yield _Ways(channels=channels, heard=heard)


@contextmanager
def _stand_in(service: Service, say: Say) -> Iterator[Channel]:
    """Stand in for Slack, and answer its clicks as the service would."""
    secret = secrets.token_hex(16)
    with StandIn(signing_secret=secret) as slack:
        interactions = Interactions(
            service.engine, service.clock, secrets=[secret], retrain=None, wall=time.time
        )
        answer = partial(whisper, base_url=slack.base_url)
        app = Litestar([interactions_handler(interactions, answer)], logging_config=None)
        server = Server(app, host="127.0.0.1", port=0)
        server.start()
        slack.clicks.url = f"{server.url}/slack/interactions"
        say(f"the stand-in for Slack is at {slack.url}")
        try:
            client = make_client("xoxb-stand-in", base_url=slack.base_url)
            yield SlackChannel(client, default_channel="C0DRILL")
        finally:
            server.stop(1.0)


def _sent(
    found: Rehearsal, incident: Incident, ways: _Ways, wish: Wish, result: DrillResult
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
    how = Delivering(interactive=False)
    deliverer = Deliverer(found.engine, ways.channels, owner="drill", how=how)
    while time.monotonic() < began + _ACCEPTED_WITHIN:
        deliverer.run_once()
        with read(found.engine) as session:
            rows = session.scalars(select(DeliveryRow)).all()
        accepted = [row for row in rows if row.state == DeliveryState.SENT]
        if len(accepted) == len(rows):
            after = found.seconds + time.monotonic() - began
            told = tuple(row.destination for row in accepted)
            return replace(result, accepted_after=round(after, 3), told=told)
        time.sleep(0.2)
    trouble = ", ".join(sorted({row.error_text or row.state for row in rows}))
    raise DeliveryError(f"the message was not accepted in {_ACCEPTED_WITHIN:.0f} s: {trouble}")


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
