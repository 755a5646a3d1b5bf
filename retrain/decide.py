"""What follows for retraining from an evaluated window: a run, a hold, a call for a person."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from monitor.model import CheckStatus, EvaluatedWindow, Family
from retrain.gate import broken_because
from retrain.memory import Decisions, PolicyMemory, Quarantine
from retrain.model import (
    Action,
    ConsideredWindow,
    Judgement,
    RetrainDecision,
    RetrainRun,
    Situation,
    Terms,
    Trigger,
)
from retrain.policy import judge
from retrain.repository import RetrainRuns
from retrain.terms import loss_of, state_of, terms_of
from watchkeeper.errors import ConfigurationError, ConflictError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions

#: Half the width of a 95 % interval, in standard errors.
_NORMAL = 1.96
_WORKER = "watchkeeper"
_LARGEST_SEED = 2**31 - 1


def consider(
    session: Session,
    evaluated: EvaluatedWindow,
    settings: ModelSettings,
    *,
    now: datetime,
    input_incident_open: bool,
) -> RetrainDecision:
    """Decide about retraining after a window has been evaluated, in the caller's transaction.

    A window with a critical finding of the data contract goes into quarantine. The rest is the
    policy's: a run is queued, or held while the input is broken, or a person is called. The same
    revision of a window is considered once; a hold is recorded once, when it begins, and once
    more when the policy would have retrained.

    Parameters
    ----------
    input_incident_open
        Whether an incident of the data contract or of the pipeline is open for this model.
    """
    terms = terms_of(settings)
    if terms is None:
        return _decided(evaluated, now, Action.NOT_DUE, "retraining is not configured")
    seen = _considered(evaluated, settings)
    memory = PolicyMemory(session)
    if not memory.consider(evaluated.model, seen, revision=evaluated.revision, at=now):
        return _decided(evaluated, now, Action.NOT_DUE, "this revision was considered before")
    reason = broken_because(evaluated)
    if reason is None:
        Quarantine(session).release(evaluated.model, evaluated.window)
    else:
        Quarantine(session).add(evaluated.model, evaluated.window, reason, now)
    deployed = Deployments(session).current(evaluated.model)
    if deployed is None:
        return _decided(evaluated, now, Action.NOT_DUE, "no version is deployed")
    champion = ModelVersions(session).get(evaluated.model, deployed.version)
    situation = _situation(session, terms, champion, settings, now)
    return _follow(session, evaluated, situation, input_incident_open=input_incident_open)


def request_run(
    session: Session, settings: ModelSettings, *, by: str, key: str, now: datetime
) -> RetrainRun:
    """Queue a run that a person asked for; policy, cooldown and holds do not stop it.

    Parameters
    ----------
    key
        Names the request, so that the same click never starts two runs.

    Raises
    ------
    ConfigurationError
        The model's file says nothing of retraining.
    ConflictError
        A run of the model waits or runs, or this request has had its run.
    """
    terms = terms_of(settings)
    if terms is None:
        raise ConfigurationError(
            f"model {settings.model!r}: expected how to retrain it", field="retrain"
        )
    run = RetrainRuns(session).add(
        model=settings.model,
        trigger=Trigger.MANUAL,
        cause=f"requested by {by}",
        retrain_key=f"{settings.model}:manual:{key}",
        requested_by=by,
        seed=_seed(settings.model, key),
        fits=terms.fits,
        queued_at=now,
    )
    if run is not None:
        return run
    live = RetrainRuns(session).live(settings.model)
    raise ConflictError(
        f"model {settings.model!r}: run {live.id} is {live.state} already"
        if live
        else f"model {settings.model!r}: this request has had its run"
    )


def _follow(
    session: Session, evaluated: EvaluatedWindow, situation: Situation, *, input_incident_open: bool
) -> RetrainDecision:
    judgement = judge(situation)
    live = RetrainRuns(session).live(evaluated.model)
    if live is not None and judgement.action is Action.QUEUED:
        reason = f"{judgement.reason}; run {live.id} is {live.state} already"
        judgement = Judgement(action=Action.NOT_DUE, reason=reason)
    broken = _broken(session, evaluated, situation, input_incident_open=input_incident_open)
    if broken is not None and situation.terms.policy != "never":
        return _hold(session, evaluated, judgement, broken, situation.now)
    Decisions(session).end_hold(evaluated.model, situation.now)
    if judgement.action is Action.QUEUED:
        return _queue(session, evaluated, judgement, situation)
    decision = _decided(evaluated, situation.now, judgement.action, judgement.reason)
    if judgement.action is Action.ESCALATED:
        key = f"{evaluated.model}:escalated:{situation.state.last_run}"
        return _recorded(session, decision, key)
    return decision


def _hold(
    session: Session, evaluated: EvaluatedWindow, judgement: Judgement, broken: str, now: datetime
) -> RetrainDecision:
    due = judgement.action is Action.QUEUED
    meanwhile = "due" if due else "not due"
    reason = f"held: {broken}; {meanwhile} meanwhile: {judgement.reason}"
    decision = _decided(evaluated, now, Action.HELD, reason)
    decisions = Decisions(session)
    if decisions.hold_is_open(evaluated.model):
        added = due and decisions.became_due(evaluated.model, reason, now)
    else:
        key = f"{evaluated.model}:held:{evaluated.version}:{_name(evaluated)}:{evaluated.revision}"
        added = decisions.add(decision, key, due=due)
    return _decided(evaluated, now, Action.HELD, reason, recorded=added)


def _queue(
    session: Session, evaluated: EvaluatedWindow, judgement: Judgement, situation: Situation
) -> RetrainDecision:
    policy = situation.terms.policy.partition(":")[0]
    key = f"{evaluated.model}:{policy}:{evaluated.version}:{_name(evaluated)}:{evaluated.revision}"
    run = RetrainRuns(session).add(
        model=evaluated.model,
        trigger=Trigger(policy),
        cause=judgement.reason,
        retrain_key=key,
        requested_by=_WORKER,
        seed=_seed(evaluated.model, key),
        fits=situation.terms.fits,
        queued_at=situation.now,
    )
    if run is None:
        reason = f"{judgement.reason}; another worker was first"
        return _decided(evaluated, situation.now, Action.NOT_DUE, reason)
    decision = _decided(evaluated, situation.now, Action.QUEUED, judgement.reason, run_id=run.id)
    return _recorded(session, decision, key)


def _situation(
    session: Session, terms: Terms, champion: ModelVersion, settings: ModelSettings, now: datetime
) -> Situation:
    state = state_of(session, settings)
    memory = PolicyMemory(session)
    away = {quarantined.window for quarantined in Quarantine(session).of(champion.name)}
    windows = memory.windows(champion.name, champion.version, state.spent_until)
    return Situation(
        terms=terms,
        state=state,
        windows=tuple(window for window in windows if window.window not in away),
        trained_at=champion.created_at,
        now=now,
    )


def _broken(
    session: Session, evaluated: EvaluatedWindow, situation: Situation, *, input_incident_open: bool
) -> str | None:
    newest = PolicyMemory(session).newest(evaluated.model)
    for quarantined in Quarantine(session).of(evaluated.model):
        if newest is not None and quarantined.window == newest:
            local = newest.start.astimezone(situation.terms.zone)
            day = f"{local.day} {local:%B}"
            return f"the newest window ({day}) is in quarantine ({quarantined.reason})"
    return "an incident of the model's input is open" if input_incident_open else None


def _considered(evaluated: EvaluatedWindow, settings: ModelSettings) -> ConsideredWindow:
    loss: float | None = None
    error: float | None = None
    labels = 0
    for result in evaluated.of(Family.PERFORMANCE):
        found = result.measurement
        whole = found.column is None and found.segment is None
        if found.metric == settings.tolerance.metric and whole and found.value is not None:
            loss, labels = loss_of(found.value, settings), found.n_current or evaluated.labels
            if found.lower is not None and found.upper is not None:
                error = (found.upper - found.lower) / (2 * _NORMAL)
    if not evaluated.labels_mature:
        loss, error, labels = None, None, 0
    drift = (*evaluated.of(Family.INPUT_DRIFT), *evaluated.of(Family.OUTPUT_DRIFT))
    return ConsideredWindow(
        window=evaluated.window,
        version=evaluated.version,
        labels=labels,
        loss=loss,
        standard_error=error,
        drifted=any(result.status is CheckStatus.CRITICAL for result in drift),
    )


def _recorded(session: Session, decision: RetrainDecision, key: str) -> RetrainDecision:
    return replace(decision, recorded=Decisions(session).add(decision, key))


def _decided(
    evaluated: EvaluatedWindow,
    now: datetime,
    action: Action,
    reason: str,
    *,
    run_id: int | None = None,
    recorded: bool = False,
) -> RetrainDecision:
    return RetrainDecision(
        model=evaluated.model,
        version=evaluated.version,
        window=evaluated.window,
        action=action,
        reason=reason,
        decided_at=now,
        run_id=run_id,
        recorded=recorded,
    )


def _name(evaluated: EvaluatedWindow) -> str:
    return f"{evaluated.window.start.isoformat()}/{evaluated.window.end.isoformat()}"


def _seed(*parts: str) -> int:
    return zlib.crc32("\0".join(parts).encode()) & _LARGEST_SEED
