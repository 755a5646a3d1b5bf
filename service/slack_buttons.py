"""What the buttons of a message set in motion, put together from the rooms."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from functools import partial

from litestar.types import ControllerRouterHandler
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts.channels.slack_forms import form_shower
from alerts.channels.slack_whisper import whisper
from alerts.interactions import Interactions
from alerts.model import Incident
from alerts.notes import mitigation_started
from alerts.permission import Permission
from retrain.decide import request_run
from service.web.slack import interactions_handler
from watchkeeper.clock import Clock
from watchkeeper.errors import NotFoundError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.settings import Slack


def slack_buttons(
    slack: Slack, *, engine: Engine, clock: Clock, models: Mapping[str, ModelSettings]
) -> tuple[ControllerRouterHandler, ...]:
    """Return the handler of Slack's requests; none where no signing secret is set."""
    if slack.signing_secret is None:
        return ()
    interactions = slack_interactions(slack, engine=engine, clock=clock, models=models)
    return (interactions_handler(interactions, partial(whisper, base_url=slack.base_url)),)


def slack_interactions(
    slack: Slack, *, engine: Engine, clock: Clock, models: Mapping[str, ModelSettings]
) -> Interactions:
    """Return what answers presses, by whichever way they come."""

    def ask_for_retrain(session: Session, incident: Incident, actor: str, key: str) -> str:
        settings = models.get(incident.model)
        if settings is None:
            raise NotFoundError("model", incident.model, known=sorted(models))
        now = clock.now()
        request = hashlib.sha256(key.encode()).hexdigest()[:16]
        run = request_run(session, settings, by=actor, key=request, now=now)
        text = f"{actor} asked for a retrain: run {run.id} is queued."
        mitigation_started(session, incident.model, text, now=now)
        return f"Retrain run {run.id} is queued."

    secret = slack.signing_secret
    token = None if slack.token is None else slack.token.get_secret_value()
    return Interactions(
        engine,
        clock,
        secrets=[] if secret is None else [secret.get_secret_value()],
        retrain=ask_for_retrain,
        wall=time.time,
        permission=Permission(linked_only=slack.buttons == "linked", roles=slack.roles),
        show_form=None if token is None else form_shower(token, base_url=slack.base_url),
    )
