"""A process at work: its web server and its loops, started and stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from alerts.audit import Auditor
from alerts.routing import routing_of
from alerts.self_watch import SelfWatch
from service.bootstrap import Service
from service.drill.http import drill_router
from service.loops import Loop
from service.metrics import LoopMetrics
from service.schedule import forget_old_runs
from service.server import Server
from service.watch import Pace, fired, turning

#: Deliveries and deployments are looked for this often, in seconds.
_SOON = 1.0
_RETRAIN = 5.0
#: Beyond its rhythm a loop may be silent for this long before the sign of life is withheld.
_SILENCE = 30.0
#: A batch of messages, or everything that a tick finds to evaluate, is done within this time.
_DELIVERING, _TICKING = 60.0, 1800.0


class Role(StrEnum):
    """What a process does; `up` does all of it."""

    SERVE = "serve"
    WORKER = "worker"
    WEB = "web"


@dataclass(kw_only=True)
class Running:
    """The server and the loops of one process.

    Parameters
    ----------
    ticks
        Whether work falls due by the machine's clock; the demo moves its own.
    """

    service: Service
    roles: frozenset[Role]
    ticks: bool = True
    loops: list[Loop] = field(default_factory=list)
    server: Server | None = None
    _scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Bind, load what is deployed, and start everything."""
        if self.roles & {Role.SERVE, Role.WEB}:
            settings = self.service.settings.server
            self.server = Server(self._app(), host=settings.host, port=settings.port)
        if Role.SERVE in self.roles:
            self.service.predictor.refresh()
            self._loop("refresh", self._refresh, every=_SOON)
            flush = self.service.settings.spool.flush.total_seconds()
            self._loop("ship", self.service.ship, every=flush)
        if Role.WORKER in self.roles:
            deliver = self._loop("deliver", self.service.deliverer.run_once, every=_SOON)
            if self.service.illustrator is not None:
                self._loop("charts", self.service.illustrator.run_once, every=_RETRAIN)
            if self.service.slack_socket is not None:
                self._loop("clicks", self.service.slack_socket.keep_open, every=_RETRAIN)
            if self.ticks:
                self._audit(deliver, self._start_ticking())
        self.service.registry.register(LoopMetrics(self.loops))
        for loop in self.loops:
            loop.start()
        if self.server is not None:
            self.server.start()

    def stop(self, timeout: float = 2.5) -> None:
        """Stop in order: no new requests, no new work, then what is left of the present work."""
        deadline = time.monotonic() + timeout
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        if Role.WORKER in self.roles:
            self.service.stopping.set()
            if self.service.slack_socket is not None:
                self.service.slack_socket.close()
        for loop in self.loops:
            loop.ask_to_stop()
        if self.server is not None:
            self.server.stop(max(deadline - time.monotonic(), 0.1))
        for loop in self.loops:
            loop.join(max(deadline - time.monotonic(), 0.1))
        if Role.SERVE in self.roles:
            self.service.spool.close()
        self.service.engine.dispose()

    @property
    def address(self) -> str:
        """Where the server is; empty without one."""
        return "" if self.server is None else self.server.url

    def _app(self) -> Any:
        pages = None
        if Role.WEB in self.roles:
            pages = self.service.web_app(drill_router(self.service))
        return self.service.serving_app(pages=pages) if Role.SERVE in self.roles else pages

    def _audit(self, deliver: Loop, tick: Loop) -> None:
        service = self.service
        rhythm = service.settings.worker.tick
        checks = [
            turning(
                [
                    Pace(loop=deliver, rest=_SILENCE, work=_DELIVERING),
                    Pace(loop=tick, rest=rhythm.total_seconds() + _SILENCE, work=_TICKING),
                ]
            ),
            fired(service.engine, service.models, service.clock, allowance=2 * rhythm),
        ]
        heartbeat = service.settings.heartbeat
        auditor = Auditor(
            service.engine,
            checks=checks,
            heartbeat=service.heartbeat,
            owner=service.name,
            tell=SelfWatch(service.engine, routing_of(service.settings), now=service.clock.now),
        )
        self._loop("audit", auditor.run_once, every=heartbeat.every.total_seconds())

    def _start_ticking(self) -> Loop:
        tick = self._loop("tick", self.service.worker.tick, every=3600.0)
        self._loop("retrain", self._retrain, every=_RETRAIN)
        # It only ticks, in memory: what is due stands in the runs table, where any worker sees it.
        self._scheduler = BackgroundScheduler(timezone="UTC")
        seconds = self.service.settings.worker.tick.total_seconds()
        self._scheduler.add_job(
            tick.wake, "interval", seconds=seconds, coalesce=True, misfire_grace_time=None
        )
        self._scheduler.add_job(self._forget, "cron", hour=3, misfire_grace_time=None)
        self._scheduler.start()
        return tick

    def _loop(self, name: str, action: Callable[[], int], *, every: float) -> Loop:
        loop = Loop(name, action, every=every)
        self.loops.append(loop)
        return loop

    def _refresh(self) -> int:
        self.service.predictor.refresh()
        return 0

    def _retrain(self) -> int:
        return int(self.service.retraining.run_next(self.service.clock.now()) is not None)

    def _forget(self) -> None:
        forget_old_runs(self.service.engine, self.service.clock.now())
