"""The worker's jobs: evaluate what is due, and hand each verdict to alerts and to retraining."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.calendars import refresh
from alerts.digest import order_digests
from alerts.explanations import tell_explanation
from alerts.notes import mitigation_failed, mitigation_started, note, open_incidents
from alerts.observe import observe, promoted
from alerts.routing import Routing
from alerts.sweep import sweep
from monitor.attribute import needs_attribution
from monitor.attribution.words import describe
from monitor.fleet_watch import FleetWatch
from monitor.model import EvaluatedWindow, Family
from monitor.run import Monitor
from retrain.decide import consider
from retrain.model import Action, RetrainDecision, RetrainRun, RunState
from service.schedule import EVALUATE, materialise_due
from watchkeeper.clock import Clock
from watchkeeper.database import write
from watchkeeper.fleets import fleets_of
from watchkeeper.jobs.model import Claim
from watchkeeper.jobs.repository import JobRuns
from watchkeeper.jobs.run import run_claimed
from watchkeeper.model_settings import ModelSettings

log = structlog.get_logger(__name__)

_AFTER = timedelta(microseconds=1)

#: While one of these is open the input is broken, and a retrain would learn the fault.
INPUT = (Family.DATA_CONTRACT, Family.PIPELINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """Everything that happens on a schedule, for all models.

    Any number of workers may share one database: a due run is claimed by one of them, and each of
    its effects may be repeated without harm.
    """

    name: str
    engine: Engine
    clock: Clock
    models: Mapping[str, ModelSettings]
    monitor: Monitor
    lease: float
    routing: Routing = field(default_factory=Routing)

    def tick(self) -> int:
        """Do everything that is due now; return how many evaluations were run."""
        now = self.clock.now()
        materialise_due(self.engine, self.models, now)
        done = self._run_all()
        if done and self._watch_fleets(now):
            done += self._run_all()
        with write(self.engine) as session:
            sweep(session, self.models, now=now)
        self._tell_teams(now)
        return done

    def _run_all(self) -> int:
        done = 0
        while run_claimed(self.engine, self.name, {EVALUATE: self._evaluate}, self.lease):
            done += 1
        return done

    def _watch_fleets(self, now: datetime) -> bool:
        """Close the windows of fleets; whether a model is to be looked at again at once."""
        again: set[str] = set()
        for fleet in fleets_of(self.models):
            with write(self.engine) as session:
                found = FleetWatch(session, fleet, self.models, now).close()
                for model in found:
                    # The model's own run of this instant may be over already.
                    JobRuns(session).materialise(EVALUATE + model, now + _AFTER)
            again |= found
        return bool(again)

    def _tell_teams(self, now: datetime) -> None:
        """Fetch the calendars of duties, and order the digests of teams whose morning it is."""
        refresh(self.engine, self.routing.teams, now)
        order_digests(self.engine, self.models, self.routing, now=now)

    def _evaluate(self, claim: Claim, lost: threading.Event) -> None:
        settings = self.models.get(claim.schedule_id.removeprefix(EVALUATE))
        if settings is None:
            return  # The model was removed from the configuration after its run was made.
        now = self.clock.now()
        self.monitor.profile(settings, now)
        worst: EvaluatedWindow | None = None
        for version, window in self.monitor.pending(settings, now):
            if lost.is_set():
                return
            # One transaction a window: its verdict, the incident, the messages and the decision
            # to retrain are all there, or none is; and none once the lease has passed on.
            with write(self.engine) as session:
                JobRuns(session).fence(claim)
                evaluated = self.monitor.evaluate(session, settings, version, window, now)
                observe(session, evaluated, settings, now=now, routing=self.routing)
                self._consider(session, evaluated, settings)
            if needs_attribution(evaluated, settings.tolerance.metric):
                worst = evaluated
        if worst is not None and not lost.is_set():
            self._explain(worst, settings, now)
        self.monitor.roll_up(settings, now)

    def _explain(self, evaluated: EvaluatedWindow, settings: ModelSettings, now: datetime) -> None:
        """Say where the loss of the newest bad window comes from; nothing waits for it."""
        try:
            found = self.monitor.attribute(settings, evaluated, now)
        except Exception:
            # The incident is told already; without an explanation it is still right.
            log.exception("attribution_failed", model=evaluated.model)
            return
        if found is not None:
            with write(self.engine) as session:
                text = describe(found)
                tell_explanation(session, evaluated, found.ranking(), text, now=now)

    def _consider(
        self, session: Session, evaluated: EvaluatedWindow, settings: ModelSettings
    ) -> None:
        now = self.clock.now()
        decision = consider(
            session,
            evaluated,
            settings,
            now=now,
            input_incident_open=bool(open_incidents(session, evaluated.model, INPUT)),
        )
        if decision.recorded:
            log.info("retrain_decided", model=decision.model, action=str(decision.action))
            _tell(session, decision)


def announce(
    models: Mapping[str, ModelSettings], session: Session, run: RetrainRun, text: str
) -> None:
    """Tell the threads of a model's incidents how its retraining ended, in that transaction."""
    now = run.finished_at
    settings = models.get(run.model)
    if now is None or settings is None:
        return
    if run.state is RunState.SUCCEEDED and run.version is not None:
        promoted(session, run.model, run.version, settings, now=now, text=text)
    else:
        mitigation_failed(session, run.model, text, now=now)


def _tell(session: Session, decision: RetrainDecision) -> None:
    if decision.action is Action.QUEUED:
        text = f"Retraining is queued: {decision.reason}."
        mitigation_started(session, decision.model, text, now=decision.decided_at)
        return
    reason = decision.reason.removeprefix("escalate: ")
    escalated = decision.action is Action.ESCALATED
    text = f"Retraining needs a person: {reason}." if escalated else f"Retraining is {reason}."
    note(session, decision.model, text, now=decision.decided_at)
    if decision.action is Action.HELD:
        note(session, decision.model, text, now=decision.decided_at, families=INPUT)
