"""The channels of a drill: those of the service, or a stand-in for Slack; all of them say DRILL."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from litestar import Litestar
from sqlalchemy.orm import Session

from alerts.channels.drill import DrillChannel
from alerts.channels.outcome import Channel
from alerts.channels.slack import SlackChannel, make_client
from alerts.channels.slack_whisper import whisper
from alerts.compose import OnDuty
from alerts.interactions import Interactions
from alerts.model import IncidentState
from alerts.plan import Duty
from alerts.stand_in import StandIn
from service.bootstrap import Service
from service.channels import channels_of
from service.server import Server
from service.web.slack import interactions_handler
from watchkeeper.database import read

#: Transports that keep a case until they are told that it is over.
_CASES = ("pagerduty", "webhook")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """The channels of a drill.

    Parameters
    ----------
    heard
        Whether anybody hears the button of its message.
    on_duty
        Who of a team is on call now, whichever database it is asked with.
    """

    channels: Mapping[str, DrillChannel]
    heard: bool
    on_duty: OnDuty

    def follow(self, state: IncidentState) -> list[str]:
        """Tell wherever a case is kept how the drill stands; return where that failed."""
        failed: list[str] = []
        for name in _CASES:
            if name in self.channels:
                failed += (f"{name}:{each}" for each in self.channels[name].follow(state))
        return failed


@contextmanager
def open_ways(
    service: Service, number: int, say: Callable[[str], None], *, stand_in: bool
) -> Iterator[Ways]:
    """Yield the channels of drill ``number``; at the end no case of it stays open anywhere."""
    if stand_in:
        with _stand_in(service, say) as channel:
            marked = DrillChannel(channel, number=number, interactive=True)
            yield Ways(channels={"slack": marked}, heard=True, on_duty=_on_duty(service))
        return
    slack = service.settings.slack
    heard = slack.signing_secret is not None or slack.app_token is not None
    ways = Ways(
        channels={
            name: DrillChannel(channel, number=number, interactive=heard)
            for name, channel in channels_of(service.settings).items()
        },
        heard=heard,
        on_duty=_on_duty(service),
    )
    try:
        yield ways
    finally:
        for destination in ways.follow(IncidentState.RESOLVED):
            say(f"{destination} was not told that the drill is over: close its case by hand")


def _on_duty(service: Service) -> OnDuty:
    def on_duty(_copy: Session, team: str) -> Duty | None:
        # The copy of a drill has no calendars.
        with read(service.engine) as session:
            return service.on_duty(session, team)

    return on_duty


@contextmanager
def _stand_in(service: Service, say: Callable[[str], None]) -> Iterator[Channel]:
    """Stand in for Slack, and answer its clicks as the service would."""
    secret = secrets.token_hex(16)
    with StandIn(signing_secret=secret) as slack:
        interactions = Interactions(
            service.engine, service.clock, secrets=[secret], retrain=None, wall=time.time
        )
        answer = partial(whisper, base_url=slack.base_url)
        app = Litestar([interactions_handler(interactions, answer)], logging_config=None)
        server = Server(app, host="127.0.0.1", port=0)
        server.start()
        slack.clicks.url = f"{server.url}/slack/interactions"
        say(f"the stand-in for Slack is at {slack.url}")
        try:
            client = make_client("xoxb-stand-in", base_url=slack.base_url)
            yield SlackChannel(client, default_channel="C0DRILL")
        finally:
            server.stop(1.0)
