"""Hand the outbox over to its channels: at least once inside, visible exactly once outside.

A worker leases a row, sends it, and records what became of it. When it cannot know, nobody sends
again before looking. The worker never sleeps: whatever has to wait is given back with a time. It
has several messages under way at once, so that a call that hangs holds up only its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.backup import back_up
from alerts.channels.outcome import Channel, Found, FoundKind, Outcome, OutcomeKind
from alerts.compose import OnDuty, compose, nobody
from alerts.destinations import Destinations, Limits
from alerts.model import DeliveryKind
from alerts.outbox import Delivery, DeliveryState, Outbox
from alerts.repository import Incidents
from watchkeeper.database import read, write
from watchkeeper.errors import LeaseLostError

log = structlog.get_logger(__name__)

_BATCH = 200
_BATCH_SECONDS = 30.0
_LOOK_AFTER = 2.0
_LOOKUPS = 3
_LONGEST_BACK_OFF = 300.0
_FIRST_BACK_OFF = 1.0
#: In pauses: who may have been told must not wait long for certainty.
_LONGEST_DOUBT = 15.0
_BROKEN_WAIT = 60.0
#: Transports whose channels are all behind one server: when it is away, none of them works.
_ONE_SERVER = frozenset({"slack", "email"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivering:
    """How a deliverer works.

    Parameters
    ----------
    lease
        Seconds in which a message must be sent; a channel's calls must end well before.
    call
        The longest that one call of a channel takes, in seconds.
    fallback
        Where messages go whose own destination does not take them.
    public_url
        Address of the web pages, for links.
    interactive
        Whether somebody listens to the buttons.
    look_after
        Seconds before the first look-up of a message that may have arrived; each further one
        waits twice as long, for a call that timed out may still take effect.
    pause
        Seconds to wait after a first failure; each further one waits twice as long.
    on_duty
        Says who of a team is on call now.
    lanes
        Messages that are under way at once.
    """

    lease: float = 30.0
    call: float = 10.0
    fallback: str | None = None
    public_url: str | None = None
    interactive: bool = False
    look_after: float = _LOOK_AFTER
    pause: float = _FIRST_BACK_OFF
    limits: Limits = field(default_factory=Limits)
    on_duty: OnDuty = nobody
    lanes: int = 4

    def __post_init__(self) -> None:
        if self.lease < 2 * self.call:
            raise ValueError(f"a lease of {self.lease} s is too short for calls of {self.call} s")


class Deliverer:
    """One worker of the outbox; any number may run side by side.

    Parameters
    ----------
    channels
        By transport, for example ``{"slack": SlackChannel(…)}``.
    owner
        Name of this worker.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Mapping[str, Channel],
        *,
        owner: str,
        how: Delivering | None = None,
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._owner = owner
        self._how = how or Delivering()
        self._turn = threading.Lock()

    def run_once(self) -> int:
        """Send what may be sent now and return how many messages were handled."""
        # Asked first because it takes no lock: an idle worker must not keep the others waiting.
        with read(self._engine) as session:
            if Outbox(session).is_empty():
                return 0
        with self._write() as session:
            Outbox(session).expire_leases()
        with ThreadPoolExecutor(self._how.lanes, thread_name_prefix="deliver") as pool:
            lanes = [pool.submit(self._lane) for _ in range(self._how.lanes)]
        handled = sum(lane.result() for lane in lanes)
        # Afterwards: what waited only for a worker has been sent by now.
        back_up(self._engine)
        return handled

    def _lane(self) -> int:
        """Send one message after the other; return how many."""
        handled, until = 0, time.monotonic() + _BATCH_SECONDS
        while handled < _BATCH and time.monotonic() < until and self._next():
            handled += 1
        return handled

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """Write in turns: who finds SQLite's file locked asks again only after a while."""
        with self._turn, write(self._engine) as session:
            yield session

    def _next(self) -> bool:
        taken_at = time.monotonic()
        with self._write() as session:
            delivery = Outbox(session).lease(
                self._owner,
                seconds=self._how.lease,
                limits=self._how.limits,
                transports=sorted(self._channels),
            )
        if delivery is None:
            return False
        try:
            self._deliver(delivery, taken_at)
        except LeaseLostError:
            log.warning("lease_lost", delivery=delivery.id)
        except Exception:
            # The lease runs out, and whoever takes the message next looks whether it arrived.
            log.exception("delivery_failed", delivery=delivery.id)
        return True

    def _deliver(self, delivery: Delivery, taken_at: float) -> None:
        channel = self._channels[delivery.transport]
        with read(self._engine) as session:
            parcel = compose(
                session,
                delivery,
                public_url=self._how.public_url,
                interactive=self._how.interactive,
                on_duty=self._how.on_duty,
            )
        if parcel is None:
            self._finish(delivery, DeliveryState.SUPERSEDED)
            return
        # An edit may be made twice without harm; everything else is looked for first.
        if delivery.doubtful and parcel.kind is not DeliveryKind.UPDATE:
            found = channel.find(parcel)
            if not self._may_send_again(delivery, found):
                return
        if time.monotonic() - taken_at > self._how.lease - self._how.call:
            self._give_back(delivery, DeliveryState.AMBIGUOUS, after=0)
            return
        self._record(delivery, channel.send(parcel), shown=int(parcel.labels["revision"]))

    def _may_send_again(self, delivery: Delivery, found: Found) -> bool:
        """Adopt what has arrived, wait where nobody can know yet, else allow another attempt."""
        if found.kind is FoundKind.FOUND:
            sent = Outcome(kind=OutcomeKind.SENT, channel=found.channel, ts=found.ts)
            self._sent(delivery, sent, shown=found.revision, adopted=True)
            return False
        if found.kind is FoundKind.REPEATABLE:
            return True
        if found.kind is FoundKind.CANNOT_LOOK:
            if delivery.possible_repeat:
                return True
            self._give_back(
                delivery, DeliveryState.PENDING, after=0, possible_repeat=True, doubtful=False
            )
            return False
        if found.kind is FoundKind.FAILED:
            after = max(found.retry_after, self._doubt(delivery.attempt))
            self._give_back(delivery, DeliveryState.AMBIGUOUS, after=after, error=found.error)
            return False
        if delivery.lookups + 1 < _LOOKUPS:
            self._give_back(
                delivery,
                DeliveryState.AMBIGUOUS,
                after=self._how.look_after * 2 ** (delivery.lookups + 1),
                lookups=delivery.lookups + 1,
                # A look is no attempt: it must not lengthen the wait after the next failure.
                attempt=delivery.attempt - 1,
            )
            return False
        return True

    def _record(self, delivery: Delivery, outcome: Outcome, *, shown: int) -> None:
        kind = outcome.kind
        if kind is OutcomeKind.SENT:
            self._sent(delivery, outcome, shown=shown, adopted=False)
        elif kind is OutcomeKind.NOTHING_TO_SAY:
            self._finish(delivery, DeliveryState.SUPERSEDED)
        elif kind is OutcomeKind.AMBIGUOUS:
            edit = delivery.kind is DeliveryKind.UPDATE
            self._give_back(
                delivery,
                DeliveryState.PENDING if edit else DeliveryState.AMBIGUOUS,
                after=max(self._how.look_after, self._doubt(delivery.attempt - 1)),
                error=outcome.error,
                doubtful=not edit,
                lookups=0,
            )
        elif kind is OutcomeKind.UNRENDERABLE:
            after = _LONGEST_BACK_OFF if delivery.plain else 0.0
            self._return_unsent(delivery, outcome, after=after, plain=True)
            log.error("message_refused", delivery=delivery.id, error=outcome.error)
        elif kind is OutcomeKind.ROOT_GONE:
            self._return_unsent(delivery, outcome, kind=DeliveryKind.ROOT)
        else:
            self._wait(delivery, outcome)

    def _wait(self, delivery: Delivery, outcome: Outcome) -> None:
        """Hold back whatever the outcome says is not to be called for a while."""
        why = outcome.error or str(outcome.kind)
        fallback = self._how.fallback
        with self._write() as session:
            destinations = Destinations(session)
            if outcome.kind is OutcomeKind.BAD_DESTINATION and fallback != delivery.destination:
                log.error("destination_refused", destination=delivery.destination, error=why)
                if fallback is not None:
                    self._redirect(session, delivery, fallback, why)
                    return
            if outcome.kind is OutcomeKind.BAD_DESTINATION:
                destinations.hold(delivery.destination, _LONGEST_BACK_OFF, why)
            elif outcome.kind is OutcomeKind.BAD_CREDENTIALS:
                log.error("transport_refused", transport=delivery.transport, error=why)
                destinations.hold(delivery.transport, _BROKEN_WAIT, why)
            elif outcome.kind is OutcomeKind.THROTTLED:
                # Two channels at once are throttled when the limit is the workspace's.
                shared = delivery.transport in _ONE_SERVER
                if shared and destinations.others_held(delivery.destination):
                    destinations.hold(delivery.transport, outcome.retry_after, why)
                destinations.hold(delivery.destination, outcome.retry_after, why)
            else:
                shared = delivery.transport in _ONE_SERVER
                held = delivery.transport if shared else delivery.destination
                destinations.hold(held, self._back_off(delivery.attempt), why)
            throttled = outcome.kind is OutcomeKind.THROTTLED
            Outbox(session).release(
                delivery,
                state=DeliveryState.PENDING,
                after=0.0,
                attempt=delivery.attempt - throttled,
                doubtful=False,
                lookups=0,
                error_class=str(outcome.kind),
                error_text=why,
            )

    def _redirect(self, session: Session, delivery: Delivery, fallback: str, why: str) -> None:
        """Move a thread to the fallback, and whatever the incident will have to say."""
        Outbox(session).redirect(
            delivery, fallback, error_class=str(OutcomeKind.BAD_DESTINATION), why=why
        )
        if delivery.incident_id is not None:
            Incidents(session).move(delivery.incident_id, delivery.destination, fallback)

    def _sent(self, delivery: Delivery, outcome: Outcome, *, shown: int, adopted: bool) -> None:
        changes = {} if delivery.root is not None else {"kind": DeliveryKind.ROOT}
        reply = delivery.kind is DeliveryKind.REPLY and delivery.root is not None
        with self._write() as session:
            Outbox(session).finish(
                delivery,
                state=DeliveryState.SENT,
                channel_id=outcome.channel,
                ts=outcome.ts,
                adopted=adopted,
                rendered_revision=0 if reply else shown,
                error_class=None,
                error_text=None,
                **changes,
            )
            Destinations(session).heal(delivery.destination)
            Destinations(session).heal(delivery.transport)

    def _return_unsent(self, delivery: Delivery, outcome: Outcome, **changes: object) -> None:
        self._give_back(
            delivery,
            DeliveryState.PENDING,
            error=outcome.error,
            doubtful=False,
            lookups=0,
            **{"after": 0.0, **changes},  # type: ignore[arg-type]
        )

    def _give_back(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        after: float,
        error: str | None = None,
        **changes: object,
    ) -> None:
        with self._write() as session:
            Outbox(session).release(delivery, state=state, after=after, error_text=error, **changes)

    def _back_off(self, failures: int) -> float:
        return back_off(failures, first=self._how.pause)

    def _doubt(self, failures: int) -> float:
        return min(self._back_off(failures), _LONGEST_DOUBT * self._how.pause)

    def _finish(self, delivery: Delivery, state: DeliveryState) -> None:
        with self._write() as session:
            Outbox(session).finish(delivery, state=state)


def back_off(attempt: int, *, first: float = _FIRST_BACK_OFF) -> float:
    """Return how many seconds to wait after failure number ``attempt``: doubling, bounded.

    Examples
    --------
    >>> [back_off(attempt) for attempt in (0, 1, 2, 30)]
    [1.0, 2.0, 4.0, 300.0]
    """
    return float(min(first * 2.0 ** min(attempt, 20), _LONGEST_BACK_OFF))
