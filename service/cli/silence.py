"""``watchkeeper silence``: hold new messages back for a while, and see what that covers."""

from __future__ import annotations

import getpass
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from alerts.silences import Silences
from alerts.silencing import Silence
from monitor.model import Family
from service.cli.options import Home
from service.start import open_existing
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError
from watchkeeper.window import parse_duration

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def silence() -> None:
    """Hold new messages back for a while; what is silenced is recorded all the same."""


@app.command()
def add(
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="Such as 2h or 3d.")],
    home: Home = Path(),
    model: Annotated[str | None, typer.Option(help="A name; * and ? stand for others.")] = None,
    family: Annotated[Family | None, typer.Option(help="Kind of trouble.")] = None,
    column: Annotated[str | None, typer.Option(help="A name; * and ? stand for others.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only show what it would cover.")] = False,
) -> None:
    """Silence what matches, for at most 30 days."""
    service = open_existing(home, os.environ)
    now = service.clock.now()
    wanted = Silence(
        model=model,
        family=family,
        column=column,
        reason=reason,
        author=getpass.getuser(),
        starts_at=now,
        until=now + _duration(lasts),
    )
    with write(service.engine) as session:
        covered = Silences(session).preview(wanted)
        for series in covered:
            typer.echo(f"covers {series.model}: {series.check} {series.column or ''}".rstrip())
        if not covered:
            typer.echo("covers nothing that fires now")
        if not dry_run:
            made = Silences(session).add(wanted)
            typer.echo(f"silence {made.id} until {made.until:%Y-%m-%d %H:%M} UTC")


@app.command("list")
def show(home: Home = Path()) -> None:
    """List the silences that hold now."""
    service = open_existing(home, os.environ)
    with read(service.engine) as session:
        active = Silences(session).active(service.clock.now())
    for found in active:
        what = " ".join(part for part in (found.model, found.family, found.column) if part)
        until = f"{found.until:%Y-%m-%d %H:%M}"
        typer.echo(f"{found.id}  {what or 'everything'}  until {until} UTC  {found.reason}")
    if not active:
        typer.echo("Nothing is silenced.")


@app.command()
def end(
    number: Annotated[int, typer.Argument(metavar="NUMBER", show_default=False)],
    home: Home = Path(),
) -> None:
    """End a silence now."""
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        Silences(session).end(number, now=service.clock.now())
    typer.echo(f"silence {number} has ended")


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise ConflictError(f"--for: {exc}") from exc
