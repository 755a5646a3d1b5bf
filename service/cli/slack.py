"""``watchkeeper slack``: try the connection, or stand in for Slack on this machine."""

from __future__ import annotations

import getpass
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alerts.channels.slack import make_client
from alerts.channels.slack_trial import try_slack
from alerts.permission import Link, SlackLinks
from alerts.stand_in import StandIn
from service.cli.options import Home
from service.start import open_existing
from watchkeeper.database import read, write
from watchkeeper.errors import ConfigurationError, ConflictError, DeliveryError
from watchkeeper.settings import load_settings


class LinkRole(StrEnum):
    """What a linked person may do: answer, retrain, everything."""

    RESPONDER = "responder"
    OPERATOR = "operator"
    ADMIN = "admin"


app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def slack() -> None:
    """Try the connection to Slack, say who may press, or stand in for it."""


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


@app.command()
def link(
    user: Annotated[str, typer.Argument(metavar="USER", help="ID of the Slack user, U0….")],
    role: Annotated[LinkRole, typer.Option(help="What that person may do.")] = LinkRole.RESPONDER,
    name: Annotated[
        str | None, typer.Option(help="Name in histories; by default the name on Slack.")
    ] = None,
    home: Home = Path(),
) -> None:
    """Say who a Slack user is; from the first link on nobody else may press a button."""
    if not (user.isascii() and user.isalnum() and user[:1] in "UW"):
        raise ConflictError(f"{user}: expected the ID of a Slack user, such as U0EXAMPLE")
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        found = Link(user=user, name=name or "", role=role)
        SlackLinks(session).add(found, by=getpass.getuser(), at=service.clock.now())
    typer.echo(f"{user} may press as {role}")


@app.command()
def unlink(
    user: Annotated[str, typer.Argument(metavar="USER", show_default=False)],
    home: Home = Path(),
) -> None:
    """Take a Slack user's right to press buttons away."""
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        SlackLinks(session).remove(user)
    typer.echo(f"{user} is not linked any more")


@app.command("links")
def show_links(home: Home = Path()) -> None:
    """List the Slack users that are linked."""
    service = open_existing(home, os.environ)
    with read(service.engine) as session:
        links = SlackLinks(session).all()
    for found in links:
        typer.echo(f"{found.user}  {found.role}  {found.name}".rstrip())
    if not links:
        typer.echo("Nobody is linked: whoever reads the channel may press.")
