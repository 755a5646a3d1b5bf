"""The ends of a run: each writes the run, the version, the ledger and the account at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog
from sqlalchemy.orm import Session

from retrain import account
from retrain.challenger import Challenger
from retrain.claims import RetrainClaims
from retrain.evaluation import Evaluation, Verdict
from retrain.model import RetrainRun, RunState
from retrain.plan import TICK, Plan
from retrain.register import Candidate, register
from retrain.repository import RetrainRuns
from retrain.workplace import Workplace
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, TrainingError, WatchkeeperError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.repository import Deployments

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainOutcome:
    """How a run ended.

    Parameters
    ----------
    run
        As it is in the table now.
    text
        One line for the incident's thread.
    """

    run: RetrainRun
    text: str

    @property
    def promoted(self) -> bool:
        """Whether a new version serves now."""
        return self.run.state is RunState.SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A challenger that has been compared with the champion, ready to be registered."""

    plan: Plan
    challenger: Challenger
    candidate: Candidate
    evaluation: Evaluation


def conclude(
    place: Workplace, run: RetrainRun, settings: ModelSettings, judged: Judged
) -> RetrainOutcome:
    """Register the challenger, and promote it when it is better.

    A challenger that is not promoted is registered as well: a person may still want it.

    Raises
    ------
    LeaseLostError
        The run has passed to another worker; nothing was written.
    """
    try:
        _write(place, run, settings, judged)
    except ConflictError as exc:
        # Somebody deployed another version during the training: the comparison is out of date.
        overtaken = replace(judged.evaluation, verdict=Verdict.INCONCLUSIVE, reason=str(exc))
        _write(place, run, settings, replace(judged, evaluation=overtaken))
    return outcome(place, run)


def end_without_model(
    place: Workplace,
    run: RetrainRun,
    settings: ModelSettings,
    error: WatchkeeperError,
    plan: Plan | None,
) -> RetrainOutcome:
    """End a run that brought no model; it is charged when there was a plan to be carried out."""
    reason = error.reason if isinstance(error, TrainingError) else "raised"
    states = {"cancelled": RunState.CANCELLED, "refused": RunState.REFUSED}
    state = states.get(reason, RunState.FAILED)
    at = place.clock.now()
    with write(place.engine) as session:
        RetrainClaims(session).finish(run, state, reason=str(error), finished_at=at)
        if state is not RunState.CANCELLED and plan is not None:
            version = plan.champion.version
            account.useless(session, run, settings, champion=version, at=at)
        elif state is not RunState.CANCELLED:
            account.not_tried(session, run, settings, at=at)
        announce(place, session, run)
    return outcome(place, run)


def announce(place: Workplace, session: Session, run: RetrainRun) -> None:
    """Pass the end of a run on, in the transaction that has just written it."""
    ended = RetrainRuns(session).get(run.id)
    place.announce(session, ended, _text(ended))


def outcome(place: Workplace, run: RetrainRun) -> RetrainOutcome:
    """Return how a run that has just ended stands in the table."""
    with read(place.engine) as session:
        ended = RetrainRuns(session).get(run.id)
    log.info("retrain_ended", model=ended.model, run=ended.id, state=str(ended.state))
    return RetrainOutcome(run=ended, text=_text(ended))


def _write(place: Workplace, run: RetrainRun, settings: ModelSettings, judged: Judged) -> None:
    plan, evaluation = judged.plan, judged.evaluation
    at, promote = place.clock.now(), evaluation.verdict is Verdict.PROMOTE
    with write(place.engine) as session:
        claims = RetrainClaims(session)
        claims.note(run, data=_data(judged), log_path=str(judged.challenger.fitted.log))
        version = register(
            session, judged.candidate, model=run.model, run_id=run.id, at=at, store=place.store
        )
        claims.finish(
            run,
            RunState.SUCCEEDED if promote else RunState.REFUSED,
            reason=evaluation.reason,
            finished_at=at,
            version=version.version,
            evaluation=evaluation.to_dict(),
        )
        if not promote:
            champion = plan.champion.version
            account.useless(session, run, settings, champion=champion, at=at)
        else:
            account.promoted(session, run, settings, at=at)
            Deployments(session).append(
                run.model,
                version.version,
                decided_by=run.requested_by,
                reason=evaluation.reason,
                at=at,
                after=plan.deployment.generation,
            )
        announce(place, session, run)


def _data(judged: Judged) -> dict[str, object]:
    fitted = judged.challenger.fitted
    return judged.plan.data | {
        "trained_rows": fitted.rows,
        "trained_from": fitted.begins.isoformat(),
        "trained_until": (fitted.ends + TICK).isoformat(),
        "search": judged.challenger.search,
    }


def _text(run: RetrainRun) -> str:
    name = f"Retraining run {run.id}"
    if run.state is RunState.SUCCEEDED:
        rows = run.data.get("trained_rows", 0)
        return f"{name} promoted version {run.version}, trained on {rows:,} rows: {run.reason}"
    ended = {RunState.REFUSED: "brought no better version", RunState.CANCELLED: "was cancelled"}
    return f"{name} {ended.get(run.state, 'failed')}: {run.reason}"
