"""Carries queued runs through: rows, challenger, evaluation, and promotion or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from retrain import account
from retrain.challenger import make_challenger
from retrain.claims import RetrainClaims
from retrain.conclude import (
    Judged,
    RetrainOutcome,
    announce,
    conclude,
    end_without_model,
    outcome,
)
from retrain.heartbeat import Heart, StoppedError, beating
from retrain.model import RetrainRun, RunState
from retrain.plan import Plan, make_plan
from retrain.register import prepare
from retrain.scoring import evaluate
from retrain.workplace import Workplace
from retrain.workshop import Workshop
from serving.artifact import load
from watchkeeper.database import write
from watchkeeper.errors import LeaseLostError, WatchkeeperError
from watchkeeper.model_settings import ModelSettings

__all__ = ["RetrainOutcome", "RetrainWorker"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainWorker:
    """Takes retraining runs from the queue, one at a time.

    Parameters
    ----------
    models
        The settings by name of the model.
    """

    place: Workplace
    models: Mapping[str, ModelSettings]

    def run_next(self, now: datetime) -> RetrainOutcome | None:
        """Claim the oldest run that waits and carry it through.

        The worker may be killed at any line: the run is then taken up again by another, from the
        beginning, and everything that others can see is written in one transaction at its end.

        Parameters
        ----------
        now
            Event time; what became known later is not used.

        Returns
        -------
        RetrainOutcome or None
            None when nothing waits, or the run has passed to another worker, or it went back into
            the queue because this worker is shutting down.
        """
        place = self.place
        if (given_up := self._give_up(now)) is not None:
            return given_up
        with write(place.engine) as session:
            run = RetrainClaims(session).claim(place.owner, place.lease, now)
        if run is None:
            return None
        try:
            with beating(place.engine, run, place.lease, place.stopping) as heart:
                return self._carry(run, now, heart)
        except LeaseLostError:
            log.warning("retrain_lease_lost", model=run.model, run=run.id)
        except StoppedError:
            with write(place.engine) as session:
                RetrainClaims(session).release(run)
        return None

    def _carry(self, run: RetrainRun, now: datetime, heart: Heart) -> RetrainOutcome:
        settings = self.models.get(run.model)
        if settings is None or settings.retrain is None:
            return self._end(run, "how to retrain it is no longer configured")
        workshop = self.place.workshop(run, settings, heart.check)
        plan: Plan | None = None
        try:
            self.place.progress(run.model, "collecting the labelled rows")
            plan = make_plan(self.place, run, settings, now)
            heart.check()
            judged = self._judge(run, settings, plan, workshop)
            heart.check()
            return conclude(self.place, run, settings, judged)
        except LeaseLostError:
            raise
        except WatchkeeperError as exc:
            return end_without_model(self.place, run, settings, exc, plan)
        finally:
            workshop.clear()

    def _judge(
        self, run: RetrainRun, settings: ModelSettings, plan: Plan, workshop: Workshop
    ) -> Judged:
        place = self.place
        # Before the training: a champion that cannot be loaded cannot be compared with.
        files = place.artifacts.open(plan.champion.artifact_sha256)
        champion = load(files, plan.champion.schema, place.trusted)
        challenger = make_challenger(
            workshop,
            plan.rows,
            schema=plan.schema,
            split=plan.split,
            window="all" if settings.retrain is None else settings.retrain.window,
            progress=lambda step: place.progress(run.model, step),
        )
        place.progress(run.model, f"judging it on {len(challenger.judging):,} rows")
        fitted, judging = challenger.fitted, challenger.judging
        return Judged(
            plan=plan,
            challenger=challenger,
            evaluation=evaluate(champion, fitted.model, judging, settings),
            candidate=prepare(fitted, judging, settings, place.artifacts),
        )

    def _give_up(self, now: datetime) -> RetrainOutcome | None:
        with write(self.place.engine) as session:
            run = RetrainClaims(session).abandoned()
            if run is None:
                return None
            reason = f"its worker stopped answering {run.attempts} times; given up"
            RetrainClaims(session).finish(run, RunState.FAILED, reason=reason, finished_at=now)
            settings = self.models.get(run.model)
            if settings is not None:
                account.not_tried(session, run, settings, at=now)
            announce(self.place, session, run)
        return outcome(self.place, run)

    def _end(self, run: RetrainRun, reason: str) -> RetrainOutcome:
        with write(self.place.engine) as session:
            at = self.place.clock.now()
            RetrainClaims(session).finish(run, RunState.FAILED, reason=reason, finished_at=at)
            announce(self.place, session, run)
        return outcome(self.place, run)
