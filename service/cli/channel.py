"""``watchkeeper channel``: try one way to reach people."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from alerts.channels.outcome import OutcomeKind
from alerts.channels.trial import try_channel
from service.channels import channels_of
from service.cli.options import Home
from watchkeeper.channel_settings import Destination
from watchkeeper.configuration import nearest
from watchkeeper.errors import ConfigurationError, DeliveryError
from watchkeeper.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)

_HINTS = {
    OutcomeKind.BAD_CREDENTIALS: "the user, password or key was refused",
    OutcomeKind.BAD_DESTINATION: "the address does not take messages",
    OutcomeKind.THROTTLED: "too many messages just now; try again later",
    OutcomeKind.NOT_SENT: "the server could not be reached",
    OutcomeKind.AMBIGUOUS: "it may have arrived; look there",
    OutcomeKind.UNRENDERABLE: "the form of the message was refused",
}


@app.callback()
def channel() -> None:
    """Try one way to reach people."""


@app.command("test")
def try_one(
    destination: Annotated[
        str,
        typer.Argument(
            show_default=False, help="slack:#channel, email:a@b.example, webhook:NAME, …"
        ),
    ],
    home: Home = Path(),
) -> None:
    """Send one message that says it is a test; `slack test` tries more of Slack."""
    try:
        TypeAdapter(Destination).validate_python(destination)
    except ValidationError as exc:
        problem = str(exc.errors()[0]["ctx"]["error"])
        raise ConfigurationError(problem, field="destination") from exc
    channels = channels_of(load_settings(home, os.environ))
    transport = destination.partition(":")[0]
    if transport not in channels:
        hint = nearest(transport, channels)
        raise ConfigurationError(f"{transport} is not configured; {hint}", field="destination")
    started = time.monotonic()
    outcome = try_channel(channels[transport], destination)
    if outcome.kind is not OutcomeKind.SENT:
        raise DeliveryError(f"{destination}: {_HINTS[outcome.kind]} ({outcome.error})")
    typer.echo(f"{destination} accepted it ({time.monotonic() - started:.2f} s)")
