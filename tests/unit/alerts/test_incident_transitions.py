from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts import events
from alerts.model import (
    FINAL_STATES,
    LIVE_STATES,
    DeliveryKind,
    IncidentState,
    Severity,
    Standing,
    Verdict,
)
from alerts.transitions import Move, apply
from watchkeeper.errors import ConflictError

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
S = IncidentState

#: Every move that the table allows; Hypothesis must find no other.
ALLOWED = {
    S.PENDING: {S.OPEN, S.DISCARDED, S.MERGED},
    S.OPEN: {S.ACKED, S.SNOOZED, S.MITIGATING, S.RECOVERING, S.RESOLVED, S.MERGED},
    S.ACKED: {S.OPEN, S.SNOOZED, S.MITIGATING, S.RECOVERING, S.RESOLVED, S.MERGED},
    S.SNOOZED: {S.OPEN, S.ACKED, S.MITIGATING, S.RECOVERING, S.RESOLVED, S.MERGED},
    S.MITIGATING: {S.OPEN, S.RECOVERING, S.RESOLVED, S.MERGED},
    S.RECOVERING: {S.OPEN, S.ACKED, S.SNOOZED, S.MITIGATING, S.RESOLVED, S.MERGED},
    S.RESOLVED: {S.OPEN, S.CLOSED},
    S.CLOSED: set(),
    S.MERGED: set(),
    S.DISCARDED: set(),
}


def after(*happened: events.Event, severity: Severity = Severity.PAGE) -> Standing:
    standing = Standing(severity=severity)
    for event in happened:
        standing = apply(standing, event).standing
    return standing


def due(at: datetime = NOON) -> events.NotifyDue:
    return events.NotifyDue(at=at, members=1)


def acked(at: datetime = NOON) -> events.Acked:
    return events.Acked(at=at, actor="ada", expires_at=at + 24 * HOUR)


def kinds(move: Move) -> list[DeliveryKind]:
    return [say.kind for say in move.says]


def test_it_is_told_when_it_is_due() -> None:
    move = apply(Standing(), due())

    assert move.standing.state is S.OPEN
    assert kinds(move) == [DeliveryKind.ROOT]


def test_it_is_discarded_in_silence_when_it_clears_before_anybody_was_told() -> None:
    move = apply(Standing(), events.Cleared(at=NOON))

    assert move.standing.state is S.DISCARDED
    assert move.says == ()


def test_what_is_only_for_the_digest_sends_nothing_from_beginning_to_end() -> None:
    standing = Standing(severity=Severity.DIGEST)
    for event in (
        due(),
        events.Joined(at=NOON, members=9),
        events.Cleared(at=NOON),
        events.HoldElapsed(at=NOON + HOUR, hold=HOUR),
    ):
        move = apply(standing, event)
        standing = move.standing
        assert move.says == ()
    assert standing.state is S.RESOLVED


def test_it_is_told_when_harm_makes_more_of_it() -> None:
    standing = after(due(), severity=Severity.DIGEST)
    move = apply(standing, events.Raised(at=NOON, severity=Severity.PAGE, members=2))

    assert kinds(move) == [DeliveryKind.ROOT]


@pytest.mark.parametrize("asleep", [acked(), events.Snoozed(at=NOON, actor="ada", until=NOON)])
def test_a_raised_severity_overrides_ack_and_snooze(asleep: events.Event) -> None:
    standing = after(due(), asleep, severity=Severity.TICKET)
    move = apply(standing, events.Raised(at=NOON, severity=Severity.PAGE, members=2))

    assert move.standing.state is S.OPEN
    assert any(say.mention and say.broadcast for say in move.says)


def test_a_second_ack_is_refused_with_the_name_of_the_first() -> None:
    with pytest.raises(ConflictError, match="already acknowledged by ada"):
        apply(after(due(), acked()), acked())


def test_what_is_resolved_cannot_be_acknowledged() -> None:
    resolved = after(due(), events.Ended(at=NOON, actor="ada", reason="manual"))

    with pytest.raises(ConflictError, match="a resolved incident cannot be acknowledged"):
        apply(resolved, acked())


def test_an_expired_ack_calls_again_for_a_page_only() -> None:
    late = events.AckExpired(at=NOON + 25 * HOUR)

    assert apply(after(due(), acked()), late).standing.state is S.OPEN
    assert apply(after(due(), acked(), severity=Severity.TICKET), late).standing.state is S.ACKED
    early = events.AckExpired(at=NOON + HOUR)
    assert apply(after(due(), acked()), early).standing.state is S.ACKED


def test_a_snooze_without_an_end_is_refused() -> None:
    with pytest.raises(ConflictError, match="needs an end"):
        apply(after(due()), events.Snoozed(at=NOON, actor="ada"))


def test_it_recovers_when_clear_and_resolves_after_the_hold() -> None:
    recovering = after(due(), acked(), events.Cleared(at=NOON))
    early = apply(recovering, events.HoldElapsed(at=NOON + HOUR, hold=2 * HOUR))
    late = apply(recovering, events.HoldElapsed(at=NOON + 2 * HOUR, hold=2 * HOUR))

    assert early.standing.state is S.RECOVERING
    assert late.standing.state is S.RESOLVED
    assert kinds(late) == [DeliveryKind.UPDATE, DeliveryKind.REPLY]


def test_a_breach_while_recovering_leads_back_without_a_new_message() -> None:
    move = apply(
        after(due(), acked(), events.Cleared(at=NOON)), events.Breached(at=NOON, members=1)
    )

    assert move.standing.state is S.ACKED
    assert move.standing.flaps == 1
    assert kinds(move) == [DeliveryKind.UPDATE]


def test_a_promotion_is_recovery_on_hope_until_the_new_windows_are_clear() -> None:
    mitigating = after(
        due(), events.MitigationStarted(at=NOON, what="Retrain run 1", deadline=NOON + HOUR)
    )
    hopeful = apply(mitigating, events.Promoted(at=NOON, what="promoted v2")).standing

    assert (hopeful.state, hopeful.provisional) == (S.RECOVERING, True)
    waiting = apply(hopeful, events.HoldElapsed(at=NOON + 100 * HOUR, hold=HOUR)).standing
    assert waiting.state is S.RECOVERING
    known = apply(hopeful, events.Cleared(at=NOON + HOUR)).standing
    assert (known.provisional, known.cleared_at) == (False, NOON + HOUR)
    back = apply(hopeful, events.Breached(at=NOON, members=1))
    assert back.standing.state is S.OPEN
    assert any(say.mention for say in back.says)


def test_a_failed_repair_calls_again() -> None:
    mitigating = after(
        due(), events.MitigationStarted(at=NOON, what="Retrain run 1", deadline=NOON + HOUR)
    )
    move = apply(mitigating, events.MitigationFailed(at=NOON, reason="timed out"))

    assert move.standing.state is S.OPEN
    assert any(say.mention and say.broadcast for say in move.says)


def test_it_reopens_in_its_own_thread() -> None:
    resolved = after(due(), events.Cleared(at=NOON), events.HoldElapsed(at=NOON + HOUR, hold=HOUR))
    move = apply(resolved, events.Breached(at=NOON + 2 * HOUR, members=1))

    assert move.standing.state is S.OPEN
    assert move.standing.reopen_count == 1
    assert kinds(move) == [DeliveryKind.UPDATE, DeliveryKind.REPLY]


def test_a_repeat_after_an_unheard_resolution_is_told() -> None:
    quiet = after(
        due(),
        events.Cleared(at=NOON),
        events.HoldElapsed(at=NOON + HOUR, hold=HOUR),
        severity=Severity.DIGEST,
    )
    again = apply(quiet, events.Breached(at=NOON + HOUR, members=1)).standing
    raised = apply(again, events.Raised(at=NOON + HOUR, severity=Severity.PAGE, members=1))

    assert kinds(raised) == [DeliveryKind.ROOT]


def test_it_mentions_growth_only_when_it_doubled() -> None:
    opened = after(events.NotifyDue(at=NOON, members=3))

    assert kinds(apply(opened, events.Joined(at=NOON, members=6))) == [DeliveryKind.UPDATE]
    assert kinds(apply(opened, events.Joined(at=NOON, members=7))) == [
        DeliveryKind.UPDATE,
        DeliveryKind.REPLY,
    ]


class AnyEventInAnyOrder(RuleBasedStateMachine):
    """Drives one incident through arbitrary events and holds it to the table of moves."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = Standing(severity=Severity.TICKET)
        self.now = NOON
        self.roots = 0

    def happens(self, event: events.Event) -> None:
        before = self.standing
        try:
            move = apply(before, event)
        except ConflictError:
            assert event.actor != events.SYSTEM
            return
        self.check(before, move, event)
        self.standing = move.standing

    def check(self, before: Standing, move: Move, event: events.Event) -> None:
        changed = move.standing
        if changed.state is not before.state:
            assert changed.state in ALLOWED[before.state]
        assert changed.revision - before.revision == (changed != before or bool(move.says))
        self.roots += kinds(move).count(DeliveryKind.ROOT)
        if move.says and DeliveryKind.ROOT not in kinds(move):
            assert self.roots == 1
        assert changed.severity.rank >= before.severity.rank
        if changed.state is S.RESOLVED and before.state is not S.RESOLVED:
            assert isinstance(event, events.HoldElapsed | events.Ended)
        if changed.state is S.OPEN and before.state is not S.OPEN:
            assert (changed.called_at, changed.level) == (event.at, 0)
        if isinstance(event, events.Raised) and changed.severity is not before.severity:
            assert changed.state in {S.PENDING, S.OPEN}

    @rule(hours=st.integers(0, 60))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(members=st.integers(1, 20))
    def series_fire(self, members: int) -> None:
        self.happens(events.Breached(at=self.now, members=members))
        self.happens(events.Joined(at=self.now, members=members))

    @rule()
    def it_is_due(self) -> None:
        self.happens(events.NotifyDue(at=self.now, members=1))

    @rule(severity=st.sampled_from(Severity))
    def it_gets_worse(self, severity: Severity) -> None:
        self.happens(events.Raised(at=self.now, severity=severity, members=1))

    @rule(level=st.integers(1, 4))
    def nobody_answers(self, level: int) -> None:
        before = self.standing
        to = (f"slack:C{level}",)
        self.happens(events.Escalated(at=self.now, level=level, waited=HOUR, to=to))
        called = before.state is S.OPEN and before.severity is Severity.PAGE
        assert self.standing.level == (max(level, before.level) if called else before.level)

    @rule(name=st.sampled_from(["ada", "bob"]))
    def somebody_acknowledges(self, name: str) -> None:
        self.happens(events.Acked(at=self.now, actor=name, expires_at=self.now + 24 * HOUR))

    @rule(hours=st.none() | st.integers(1, 24), condition=st.none() | st.just("until next labels"))
    def somebody_snoozes(self, hours: int | None, condition: str | None) -> None:
        until = None if hours is None else self.now + timedelta(hours=hours)
        self.happens(
            events.Snoozed(at=self.now, actor="ada", until=until, condition=condition, effect=1.5)
        )

    @rule(what=st.sampled_from(["started", "failed", "promoted"]))
    def a_repair(self, what: str) -> None:
        event: events.Event = {
            "started": events.MitigationStarted(
                at=self.now, what="run 1", deadline=self.now + 48 * HOUR
            ),
            "failed": events.MitigationFailed(at=self.now, reason="run 1 timed out"),
            "promoted": events.Promoted(at=self.now, what="v2"),
        }[what]
        self.happens(event)

    @rule()
    def the_sweep_comes_by(self) -> None:
        self.happens(events.AckExpired(at=self.now))
        self.happens(events.Woken(at=self.now, reason="its time is over"))
        self.happens(events.HoldElapsed(at=self.now, hold=24 * HOUR))
        self.happens(events.Aged(at=self.now, after=72 * HOUR))

    @rule()
    def all_series_are_clear(self) -> None:
        self.happens(events.Cleared(at=self.now))

    @rule()
    def facts_change(self) -> None:
        self.happens(events.Changed(at=self.now))

    @rule(verdict=st.sampled_from(Verdict))
    def somebody_judges(self, verdict: Verdict) -> None:
        self.happens(events.JudgedBy(at=self.now, actor="ada", verdict=verdict))

    @rule(reason=st.sampled_from(["manual", "rule_changed", "model_retired"]))
    def somebody_ends_it(self, reason: str) -> None:
        self.happens(events.Ended(at=self.now, actor="ada", reason=reason))

    @rule()
    def it_is_merged(self) -> None:
        self.happens(events.Merged(at=self.now, into=7))

    @invariant()
    def a_standing_fits_its_state(self) -> None:
        standing = self.standing
        assert (standing.acked_by is not None) or standing.state is not S.ACKED
        assert (standing.state is S.SNOOZED) <= (
            standing.snoozed_until is not None or standing.snooze_condition is not None
        )
        assert (standing.state is S.MITIGATING) <= (standing.deadline is not None)
        assert (standing.state in {S.RESOLVED, S.CLOSED}) <= (standing.resolved_at is not None)
        assert (standing.state in LIVE_STATES - {S.RECOVERING}) <= (standing.cleared_at is None)
        assert self.roots <= 1
        assert (self.roots == 1) == standing.notified
        assert not (standing.state in FINAL_STATES and standing.state in LIVE_STATES)


AnyEventInAnyOrder.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None
)
TestAnyEventInAnyOrder = AnyEventInAnyOrder.TestCase
