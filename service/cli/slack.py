"""``watchkeeper slack``: try the connection, or stand in for Slack on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from alerts.channels.slack import make_client
from alerts.channels.slack_trial import try_slack
from alerts.stand_in import StandIn
from service.cli.options import Home
from watchkeeper.errors import ConfigurationError, ConflictError, DeliveryError
from watchkeeper.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def slack() -> None:
    """Try the connection to Slack, or stand in for it."""


@app.command("test")
def try_connection(
    home: Home = Path(),
    channel: Annotated[
        str | None, typer.Option(help="ID of the channel; by default slack.channel.")
    ] = None,
) -> None:
    """Post, find, edit, answer and delete a test message in a real channel."""
    settings = load_settings(home, os.environ).slack
    if settings.token is None:
        raise ConfigurationError(
            "expected a bot token in WATCHKEEPER_SLACK__TOKEN", field="slack.token"
        )
    client = make_client(settings.token.get_secret_value(), base_url=settings.base_url)
    failed = False
    for step in try_slack(client, channel or settings.channel):
        failed = failed or step.problem is not None
        typer.echo(f"{step.name:<8}{step.problem or 'ok'} ({step.seconds:.2f} s)")
    if failed:
        raise DeliveryError("Slack did not do all that alerting needs; see above")


@app.command("stand-in")
def stand_in(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8931,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    rate_limits: Annotated[bool, typer.Option(help="Limit calls as Slack does.")] = True,
    interactions: Annotated[
        str | None, typer.Option(metavar="URL", help="Where clicks are sent.")
    ] = None,
) -> None:
    """Answer Slack's Web API on this machine, with a page that shows the channels."""
    try:
        server = StandIn(port, host=host, rate_limits=rate_limits, interactivity_url=interactions)
    except OSError as exc:
        raise ConflictError(f"cannot listen on {host}:{port}: {exc.strerror}") from exc
    with server:
        typer.echo(f"The channels: {server.url}")
        typer.echo(f"The API:      {server.base_url} (slack.base_url; any token)")
        while True:
            time.sleep(3600)
