"""Watch a model version for decay: spend each window's labels once, and say whether to page."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from monitor.budget import Budget, back_test
from monitor.decay_store import DecayRow, DecayStates, Pasts
from monitor.detection.arming import arm, history_of, key_of, threshold_of
from monitor.detection.detector import Detector, Said, State, advance
from monitor.fleet_store import FleetStates
from monitor.model import DECAY, CheckResult, CheckStatus, EvaluatedWindow, Family, Threshold
from monitor.performance.outcomes import Outcomes
from monitor.reference import Reference
from monitor.row_windows import lasting
from monitor.subject import Subject
from watchkeeper.fleets import watched_with
from watchkeeper.metric_function import title_of
from watchkeeper.model_settings import ModelSettings

#: What the check measures.
METRIC = "evidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayWatch:
    """The detector of one model version, in the caller's transaction.

    Labels are spent in the order in which windows become mature. Late and corrected labels change
    what is known of a window, never what was said of it when it was spent.
    """

    session: Session
    settings: ModelSettings
    reference: Reference

    @property
    def fleet(self) -> str | None:
        """Key of the fleet that the model is watched with; None where it is watched alone."""
        return watched_with(self.settings)

    def take_in(
        self, evaluated: EvaluatedWindow, outcomes: Collection[Outcomes]
    ) -> CheckResult | None:
        """Return what the detector says of a window; the first time that it is mature, spend it.

        Parameters
        ----------
        outcomes
            Those of the window's tiles.

        Returns
        -------
        CheckResult or None
            None for a window without rows.
        """
        if not evaluated.rows:
            return None
        states = DecayStates(self.session)
        start = evaluated.window.start
        said = states.spent(evaluated.model, evaluated.version, start)
        if said is not None:
            return self._result(evaluated, self._with_fleet(said, start))
        if not evaluated.labels_mature:
            labels = f"{evaluated.labels} labels so far; the others still have time to arrive"
            return self._result(evaluated, _unsaid(labels))
        row = self._open(states, evaluated)
        if row.detector is None:
            few = "the reference has too few windows with labels to know how they vary"
            return self._result(evaluated, _unsaid(few))
        said = self._spend(row, evaluated, outcomes)
        states.spend(evaluated.model, evaluated.version, start, said)
        return self._result(evaluated, self._with_fleet(said, start))

    def _open(self, states: DecayStates, evaluated: EvaluatedWindow) -> DecayRow:
        """Return the locked row with a detector for these settings; other settings start anew."""
        settings = sized(self.settings, self.reference)
        key = key_of(settings)
        row = states.open(evaluated.model, evaluated.version, key)
        fitted = row.last_window is not None or row.detector is not None
        if row.key != key or not fitted:
            past = Pasts(self.session).get(self.reference.id)
            level = self.reference.level(settings.tolerance.metric, settings.own_metrics)
            detector = arm(history_of(past, settings), settings, level)
            row.key, row.state = key, State().to_dict()
            row.detector = None if detector is None else detector.to_dict()
            budget_of(self.session, settings, self.reference)
        elif row.detector is not None:
            row.detector = row.detector | {"threshold": threshold_of(settings)}
        return row

    def _spend(
        self, row: DecayRow, evaluated: EvaluatedWindow, outcomes: Collection[Outcomes]
    ) -> dict[str, Any]:
        detector = Detector.from_dict(row.detector or {})
        losses = detector.losses(list(outcomes), _generator(evaluated))
        harm = detector.harm_of(losses)
        gained = detector.evidence_of(losses)
        common = self._common_harm(evaluated.window.start) * (detector.limit - detector.level)
        state, said = advance(
            State.from_dict(row.state),
            gained if common == 0 else detector.evidence_of(losses, -common),
            threshold=detector.threshold,
            beyond=_beyond(evaluated, detector.metric),
            clear_windows=self.settings.alerts.clear_windows,
        )
        row.state = state.to_dict()
        row.last_window = max(filter(None, (row.last_window, evaluated.window.start)))
        self.session.flush()
        return {
            "status": str(CheckStatus.CRITICAL if said.alarmed else CheckStatus.OK),
            "value": said.value,
            "effect": max(0.0, said.value / math.log(detector.threshold)),
            "limit": math.log(detector.threshold),
            "labels": evaluated.labels,
            "gained": gained.tolist(),
            "harm": harm if math.isfinite(harm) else None,
            "reason": _reason(said, detector, self.settings),
        }

    def _common_harm(self, start: datetime) -> float:
        """Return how much worse all models of the fleet were of late, where that is told of.

        It is taken off what this model has lost: what is left is its own. That only lowers the
        evidence, so what the budget promises still holds.
        """
        if self.fleet is None:
            return 0.0
        said = FleetStates(self.session).before(self.fleet, start)
        if said is None or not said["alarmed"]:
            return 0.0
        return max(0.0, said["harm"] or 0.0)

    def _with_fleet(self, said: dict[str, Any], start: datetime) -> dict[str, Any]:
        """Return what a window says, and what its fleet does where this model tells of it."""
        if self.fleet is None:
            return said
        fleets = FleetStates(self.session)
        common = fleets.said(self.fleet, start)
        if common is None:
            if fleets.carrier(self.fleet, start) != self.settings.model:
                return said
            reason = "the fleet was worse as a whole; this window is not known of all its models"
            return said | {"status": str(CheckStatus.CRITICAL), "reason": reason}
        if common["carrier"] != self.settings.model:
            return said
        own = said["effect"] or 0.0
        return said | {
            "status": str(CheckStatus.CRITICAL),
            "effect": max(own, common["value"] / common["limit"]),
            "reason": common["reason"],
        }

    def _result(self, evaluated: EvaluatedWindow, said: dict[str, Any]) -> CheckResult:
        subject = Subject(
            model=evaluated.model,
            version=evaluated.version,
            window=evaluated.window,
            now=evaluated.evaluated_at,
            reference_id=self.reference.id,
        )
        return CheckResult(
            measurement=subject.measurement(METRIC, said["value"], n_current=said["labels"]),
            threshold=Threshold(method="alarm_budget", upper=said["limit"]),
            family=Family.PERFORMANCE,
            check=DECAY,
            status=CheckStatus(said["status"]),
            reason=said["reason"],
            effect=said["effect"],
        )


def budget_of(session: Session, settings: ModelSettings, reference: Reference) -> Budget:
    """Return what the alarm budget of a stored reference is worth; simulated once per settings."""
    settings = sized(settings, reference)
    pasts = Pasts(session)
    known = None if reference.id is None else pasts.budget(reference.id)
    allowed = settings.alarm_budget
    asked = (key_of(settings), allowed.models, allowed.streams)
    if known is not None and (known.key, known.models, known.streams) == asked:
        return known
    level = reference.level(settings.tolerance.metric, settings.own_metrics)
    budget = back_test(pasts.get(reference.id), settings, level)
    if reference.id is not None:
        pasts.keep_budget(reference.id, budget)
    return budget


def sized(settings: ModelSettings, reference: Reference) -> ModelSettings:
    """Return settings whose windows last as long as those of the reference."""
    span = reference.end - reference.start
    return lasting(settings, rows=reference.profile.rows, span=span)


def _beyond(evaluated: EvaluatedWindow, metric: str) -> bool | None:
    """Whether the window's own value is beyond the tolerance; None where it has none.

    Windows that are too small to be judged one by one still add up.
    """
    for result in evaluated.of(Family.PERFORMANCE):
        value, limits = result.measurement.value, result.threshold
        if result.check == "performance" and result.measurement.metric == metric:
            if value is None or (limits.lower is None and limits.upper is None):
                return None
            low, high = limits.lower, limits.upper
            return (low is not None and value < low) or (high is not None and value > high)
    return None


def _generator(evaluated: EvaluatedWindow) -> np.random.Generator:
    """Return a generator that is the same whenever the window is looked at."""
    name = f"{evaluated.model}|{evaluated.window.start.isoformat()}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))


def _reason(said: Said, detector: Detector, settings: ModelSettings) -> str:
    allowed = settings.alarm_budget.sentence
    name = title_of(detector.metric)
    known = f"evidence {math.exp(min(said.value, 200.0)):.3g} of {detector.threshold:.3g}"
    if said.fresh:
        return f"{name} is beyond its limit, and not by chance: {known}, {allowed}"
    if said.alarmed:
        clear = settings.alerts.clear_windows
        return f"{name} has not been within its limit for {clear} windows in a row"
    return f"no decay of {name} beyond chance: {known}, {allowed}"


def _unsaid(reason: str) -> dict[str, Any]:
    return {
        "status": str(CheckStatus.INSUFFICIENT_DATA),
        "value": None,
        "effect": None,
        "limit": None,
        "labels": 0,
        "reason": reason,
    }
