"""The rules of a series, pure: verdicts, k of n, hysteresis, freezing, and the harm gate.

A series keeps its last verdicts in the order of their windows and replays them from a fixed start,
so late, corrected and repeated windows lead to the same state as windows in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from alerts.model import Evaluability, SeriesState, Severity
from alerts.policy import AlertPolicy, Rule
from monitor.model import DETECTORS, CheckResult, CheckStatus, Family

#: Verdicts kept per series; windows older than these are history and change nothing any more.
KEEP = 32

_UNCLEAR = {
    CheckStatus.INSUFFICIENT_DATA: Evaluability.INSUFFICIENT_N,
    CheckStatus.FAILED: Evaluability.ERROR,
}


class Judgement(StrEnum):
    """What one window says: past the limit, well below it, or neither."""

    BREACH = "breach"
    BETWEEN = "between"
    CLEAR = "clear"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One window's judgement."""

    start: datetime
    judgement: Judgement

    def to_json(self) -> list[str]:
        """Return the judged window as plain JSON types."""
        return [self.start.isoformat(), str(self.judgement)]

    @classmethod
    def from_json(cls, data: list[str]) -> Judged:
        """Read what ``to_json`` wrote."""
        return cls(start=datetime.fromisoformat(data[0]), judgement=Judgement(data[1]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A state and what it needs to move on.

    Parameters
    ----------
    recent
        Per window of the last n: its start when it was a breach, else None.
    streak
        Clear windows in a row.
    since
        Start of the first window of the breaches that made it fire.
    """

    state: SeriesState = SeriesState.OK
    recent: tuple[datetime | None, ...] = ()
    streak: int = 0
    since: datetime | None = None

    @property
    def firing(self) -> bool:
        """Whether the trouble lasts; a recovering series has not ended it yet."""
        return self.state in (SeriesState.FIRING, SeriesState.RECOVERING)

    def to_json(self) -> dict[str, Any]:
        """Return the phase as plain JSON types."""
        return {
            "state": str(self.state),
            "recent": [at and at.isoformat() for at in self.recent],
            "streak": self.streak,
            "since": self.since and self.since.isoformat(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Phase:
        """Read what ``to_json`` wrote."""
        return cls(
            state=SeriesState(data["state"]),
            recent=tuple(at and datetime.fromisoformat(at) for at in data["recent"]),
            streak=data["streak"],
            since=data["since"] and datetime.fromisoformat(data["since"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """The memory of one series.

    Parameters
    ----------
    version
        The model version whose windows it follows.
    base
        The phase before the oldest kept window.
    judged
        The kept windows, in order.
    trimmed_before
        Start of the newest window that was folded into ``base``.
    """

    version: int
    base: Phase = Phase()
    judged: tuple[Judged, ...] = ()
    evaluability: Evaluability = Evaluability.OK
    trimmed_before: datetime | None = None

    def phase(self, rule: Rule) -> Phase:
        """Return where the series stands after its kept windows."""
        return fold(self.base, self.judged, rule)


def judge(
    result: CheckResult, *, labels_mature: bool, policy: AlertPolicy
) -> Judgement | Evaluability:
    """Return what a check result says about its window, or why it says nothing.

    Only a critical result is a breach. A result is clear when its effect lies below
    ``policy.clear_ratio`` of the limit; without an effect, when its status is ok.
    """
    source = result.family in (Family.DATA_CONTRACT, Family.PIPELINE)
    any_number = source or result.check in DETECTORS
    if result.status in _UNCLEAR:
        return _UNCLEAR[result.status]
    if result.family is Family.PERFORMANCE and not labels_mature:
        return Evaluability.LATE_LABELS
    if not any_number and result.measurement.n_current < policy.min_n:
        return Evaluability.INSUFFICIENT_N
    if result.status is CheckStatus.CRITICAL:
        return Judgement.BREACH
    if result.effect is None:
        return Judgement.CLEAR if result.status is CheckStatus.OK else Judgement.BETWEEN
    return Judgement.CLEAR if result.effect < policy.clear_ratio else Judgement.BETWEEN


def step(phase: Phase, judged: Judged, rule: Rule) -> Phase:
    """Return the phase after one more window.

    Examples
    --------
    >>> rule = Rule(fire=2, of=3, clear_windows=2)
    >>> phase = Phase()
    >>> for day, word in enumerate(["breach", "clear", "breach", "clear", "clear"], start=1):
    ...     window = Judged(start=datetime(2013, 6, day), judgement=Judgement(word))
    ...     phase = step(phase, window, rule)
    ...     print(word, "->", phase.state)
    breach -> pending
    clear -> pending
    breach -> firing
    clear -> recovering
    clear -> ok
    """
    breach = judged.judgement is Judgement.BREACH
    recent = (*phase.recent, judged.start if breach else None)[-rule.of :]
    breaches = [at for at in recent if at is not None]
    enough = len(breaches) >= rule.fire
    if not phase.firing:
        if enough:
            return Phase(state=SeriesState.FIRING, recent=recent, since=breaches[0])
        state = SeriesState.PENDING if breaches else SeriesState.OK
        return Phase(state=state, recent=recent)
    if judged.judgement is Judgement.CLEAR:
        if phase.streak + 1 >= rule.clear_windows:
            return Phase()
        return Phase(
            state=SeriesState.RECOVERING,
            recent=recent,
            streak=phase.streak + 1,
            since=phase.since,
        )
    # One bad window while recovering starts the count again; to fire anew takes k of n once more.
    stay = phase.state is SeriesState.RECOVERING and not enough
    state = SeriesState.RECOVERING if stay else SeriesState.FIRING
    return Phase(state=state, recent=recent, since=phase.since)


def fold(base: Phase, judged: Iterable[Judged], rule: Rule) -> Phase:
    """Return the phase after all windows, in the given order."""
    phase = base
    for window in judged:
        phase = step(phase, window, rule)
    return phase


def record(track: Track, start: datetime, said: Judgement | Evaluability, rule: Rule) -> Track:
    """Return the track with one window's word in its place.

    A window without a verdict leaves the state as it is; one that was judged before and no longer
    can be keeps its old judgement. A window older than the memory changes nothing.
    """
    newest = track.judged[-1].start if track.judged else track.trimmed_before
    if isinstance(said, Evaluability):
        late = newest is not None and start < newest
        return track if late else replace(track, evaluability=said)
    if track.trimmed_before is not None and start <= track.trimmed_before:
        return track
    kept = {window.start: window for window in track.judged}
    kept[start] = Judged(start=start, judgement=said)
    ordered = tuple(kept[at] for at in sorted(kept))
    evaluability = Evaluability.OK if newest is None or start >= newest else track.evaluability
    old, ordered = ordered[:-KEEP], ordered[-KEEP:]
    return replace(
        track,
        base=fold(track.base, old, rule),
        judged=ordered,
        evaluability=evaluability,
        trimmed_before=old[-1].start if old else track.trimmed_before,
    )


def rebaseline(track: Track, version: int, rule: Rule) -> Track:
    """Return the track of a new version: the old version's windows count no more.

    A trouble that lasted is recovering until the new version's own windows clear it or, k of n of
    them, bring it back; a level that has merely shifted with the reference does not alert again.
    """
    phase = track.phase(rule)
    if not phase.firing:
        return Track(version=version)
    return Track(version=version, base=Phase(state=SeriesState.RECOVERING, since=phase.since))


def severity_of(
    family: Family,
    *,
    decayed: bool,
    broken: int,
    checked: int,
    policy: AlertPolicy,
    measured: bool = False,
) -> Severity:
    """Return how soon a person must look: the harm gate.

    A loss of performance that the alarm budget bears out is harm; until then it is a matter for
    working hours. A broken contract is harm done later; when it breaks for at least
    ``policy.page_share`` of the columns it is treated as harm already. Drift by itself is
    evidence: that of predictions is told while nothing else says how good they are.

    Parameters
    ----------
    decayed
        Whether the detector of decay has alarmed.
    broken, checked
        Columns of the window that are firing, and that were looked at.
    measured
        Whether labels of late say how good the predictions are.

    Examples
    --------
    >>> policy = AlertPolicy()
    >>> severity_of(Family.DATA_CONTRACT, decayed=False, broken=1, checked=16, policy=policy)
    <Severity.TICKET: 'ticket'>
    >>> severity_of(Family.PERFORMANCE, decayed=True, broken=0, checked=16, policy=policy)
    <Severity.PAGE: 'page'>
    """
    base = policy.severities[family]
    wide = checked > 0 and broken >= 2 and broken / checked >= policy.page_share
    if (family is Family.PERFORMANCE and decayed) or (family is Family.DATA_CONTRACT and wide):
        return Severity.PAGE
    if family is Family.OUTPUT_DRIFT and measured:
        return min(base, Severity.DIGEST, key=lambda severity: severity.rank)
    return base
