"""The composition root: the one place where the rooms are put together."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.audit import newest_audit
from alerts.calendars import duty_of
from alerts.channels.slack import make_client
from alerts.channels.slack_whisper import whisper
from alerts.charts import Illustrator
from alerts.deliver import Deliverer, Delivering
from alerts.heartbeat import Heartbeat
from alerts.plan import Duty
from alerts.routing import fallback_of, routing_of
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.run import Monitor
from retrain.run import RetrainWorker
from retrain.runner import Limits
from retrain.workplace import Workplace
from service.actions import Actions
from service.channels import channels_of
from service.charts import draw_chart
from service.metrics import StateMetrics
from service.slack_buttons import slack_buttons, slack_interactions
from service.web.app import create_app, public_host
from service.web.context import Web
from service.web.tokens import Authorise, Role, token_authoriser
from service.worker import Worker, announce
from serving.artifact import trusted_types
from serving.http import Access, ServingApp
from serving.http import Limits as RequestLimits
from serving.metrics import ServingMetrics
from serving.predictor import Predictor
from serving.ship import ship
from serving.spool import Spool
from watchkeeper.clock import Clock
from watchkeeper.database import make_engine, read
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.artifacts import Artifacts
from watchkeeper.registry.model import ModelVersion
from watchkeeper.settings import Settings

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from alerts.slack_socket import SlackSocket


@dataclass(frozen=True, kw_only=True)
class Service:
    """All parts of one process, each made when it is first asked for.

    A process that only serves never opens a Slack client, and one that only works opens no spool.
    """

    settings: Settings
    models: Mapping[str, ModelSettings]
    clock: Clock

    @cached_property
    def name(self) -> str:
        """How this process signs its claims."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return make_engine(self.settings.database_url)

    @cached_property
    def lake(self) -> Lake:
        """Predictions and labels."""
        return Lake(self.settings.lake_url)

    @cached_property
    def artifacts(self) -> Artifacts:
        """The files of all model versions."""
        return Artifacts(self.settings.artifacts)

    @cached_property
    def spool(self) -> Spool:
        """Buffer of this process, before the lake."""
        limits = self.settings.spool
        return Spool(limits.directory, max_bytes=limits.max_bytes, max_rows=limits.max_rows)

    @cached_property
    def registry(self) -> CollectorRegistry:
        """What ``/metrics`` shows."""
        registry = CollectorRegistry()
        registry.register(StateMetrics(self.engine))
        return registry

    @cached_property
    def predictor(self) -> Predictor:
        """The deployed models."""
        serving = self.settings.serving
        return Predictor(
            self.engine,
            self.artifacts,
            self.spool,
            self.clock,
            trusted=serving.trusted_types,
            max_records=serving.max_records,
        )

    @cached_property
    def worker(self) -> Worker:
        """Evaluation, incidents and the decision to retrain."""
        return Worker(
            name=self.name,
            engine=self.engine,
            clock=self.clock,
            models=self.models,
            monitor=Monitor(self.engine, self.lake, self.settings.home),
            lease=self.settings.worker.lease.total_seconds(),
            routing=routing_of(self.settings),
        )

    @cached_property
    def deliverer(self) -> Deliverer:
        """The outbox's way out."""
        slack = self.settings.slack
        return Deliverer(
            self.engine,
            channels_of(self.settings),
            owner=self.name,
            how=Delivering(
                public_url=self.settings.server.public_url,
                interactive=slack.signing_secret is not None or slack.app_token is not None,
                fallback=fallback_of(self.settings),
                on_duty=self.on_duty,
            ),
        )

    @cached_property
    def slack_socket(self) -> SlackSocket | None:
        """The connection that clicks come over; None where they come by requests."""
        slack = self.settings.slack
        if slack.app_token is None:
            return None
        from alerts.slack_socket import SlackSocket  # noqa: PLC0415  only where used

        return SlackSocket(
            slack.app_token.get_secret_value(),
            base_url=slack.base_url,
            interactions=slack_interactions(
                slack, engine=self.engine, clock=self.clock, models=self.models
            ),
            whisper=partial(whisper, base_url=slack.base_url),
        )

    @cached_property
    def illustrator(self) -> Illustrator | None:
        """What brings charts into threads; None without Slack."""
        slack = self.settings.slack
        if slack.token is None:
            return None
        from alerts.channels.slack_files import SlackFiles  # noqa: PLC0415  only where used

        client = make_client(slack.token.get_secret_value(), base_url=slack.base_url)
        return Illustrator(
            self.engine,
            {"slack": SlackFiles(client)},
            draw=partial(draw_chart, self.engine, self.models, self.clock),
            owner=self.name,
        )

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The sign of life to a watch outside; None where nobody listens."""
        settings = self.settings.heartbeat
        if settings.url is None:
            return None
        return Heartbeat(
            url=settings.url.get_secret_value(),
            method=settings.method,
            timeout=settings.timeout.total_seconds(),
        )

    def audit(self) -> dict[str, Any]:
        """Return what the watch over the watch said last."""
        with read(self.engine) as session:
            return newest_audit(session).to_dict()

    def on_duty(self, session: Session, team: str) -> Duty | None:
        """Return who of a team is on call now, or None."""
        return duty_of(session, self.settings.teams, team, self.clock.now())

    @cached_property
    def stopping(self) -> threading.Event:
        """Set when the process is to end: training that is under way goes back into the queue."""
        return threading.Event()

    @cached_property
    def workplace(self) -> Workplace:
        """What training works with."""
        home, training = self.settings.home, self.settings.training
        return Workplace(
            engine=self.engine,
            lake=self.lake,
            artifacts=self.artifacts,
            clock=self.clock,
            home=home,
            runs=home / "runs",
            limits=Limits(timeout=training.timeout.total_seconds(), memory=training.memory),
            store=_store_reference,
            owner=self.name,
            lease=self.settings.worker.lease.total_seconds(),
            trusted=trusted_types(self.settings.serving.trusted_types),
            stopping=self.stopping.is_set,
            announce=partial(announce, self.models),
        )

    @cached_property
    def retraining(self) -> RetrainWorker:
        """Training, judging and promoting."""
        return RetrainWorker(place=self.workplace, models=self.models)

    @cached_property
    def actions(self) -> Actions:
        """What a person may set in motion."""
        return Actions(engine=self.engine, clock=self.clock)

    @cached_property
    def _shipping(self) -> threading.Lock:
        # A batch belongs to one pass from its first line to its last.
        return threading.Lock()

    def ship(self) -> int:
        """Bring what this process has answered to the lake; return how many rows."""
        with self._shipping:
            shipped = ship(self.spool, self.lake, self.engine, now=self.clock.now())
        return shipped.predictions + shipped.labels

    def serving_app(self, *, pages: Any | None) -> ServingApp:
        """Return the application that answers predictions, with the pages behind it or without."""
        metrics = ServingMetrics(self.registry, self.spool.depth)
        serving = self.settings.serving
        return ServingApp(
            self.predictor,
            metrics,
            authorise=self._access,
            otherwise=pages,
            limits=RequestLimits(max_body_bytes=serving.max_body_bytes),
            watch=self.audit,
        )

    def web_app(self, *more: ControllerRouterHandler) -> Any:
        """Return the application of the pages and the API, with more routes behind them."""
        server = self.settings.server
        web = Web(
            engine=self.engine,
            clock=self.clock,
            models=lambda: self.models,
            authorise=self._authorise,
            local_viewer=server.host in {"127.0.0.1", "::1", "localhost"},
            acknowledge=self.actions.acknowledge,
            roll_back=self.actions.roll_back,
            secure=(server.public_url or "").startswith("https://"),
            public_host=public_host(server.public_url),
            version=importlib.metadata.version("watchkeeper"),
        )
        buttons = slack_buttons(
            self.settings.slack, engine=self.engine, clock=self.clock, models=self.models
        )
        return create_app(web, registry=self.registry, more=(*buttons, *more))

    @cached_property
    def _authorise(self) -> Authorise:
        return token_authoriser(self.engine)

    def _access(self, token: str | None) -> Access:
        identity = None if token is None else self._authorise(token)
        if identity is None:
            return Access.UNKNOWN
        return Access.ALLOWED if identity.role.covers(Role.RESPONDER) else Access.FORBIDDEN


def _store_reference(session: Session, version: ModelVersion, reference: Reference) -> None:
    References(session).add(version.name, version.version, reference, version.created_at)
