"""``watchkeeper incidents``: what is wrong now, from a terminal."""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alerts import respond
from alerts.model import Incident, Verdict
from alerts.repository import Incidents
from service.cli.options import Home, JsonFile
from service.output import write_json
from service.start import open_existing
from watchkeeper.database import read, write

app = typer.Typer(add_completion=False)

_COLOURS = {"page": "bold red", "ticket": "yellow", "digest": "cyan"}

Number = Annotated[int, typer.Argument(metavar="NUMBER", show_default=False, help="As in INC-7.")]


class Which(StrEnum):
    """Which incidents are listed."""

    LIVE = "live"
    ALL = "all"


@app.callback(invoke_without_command=True)
def incidents(context: typer.Context) -> None:
    """List what is wrong now; with a command, do something about it."""
    if context.invoked_subcommand is None:
        show(Path(os.environ.get("WATCHKEEPER_HOME", "")))


@app.command("list")
def show(
    home: Home = Path(),
    which: Annotated[Which, typer.Option("--show", help="Those that last, or all.")] = Which.LIVE,
    json_file: JsonFile = None,
) -> None:
    """List incidents, the newest first."""
    service = open_existing(home, os.environ)
    with read(service.engine) as session:
        found = Incidents(session).newest(live=which is Which.LIVE)
    if json_file is not None:
        write_json([_plain(incident) for incident in found], json_file)
        return
    if not found:
        typer.echo("Nothing is wrong." if which is Which.LIVE else "There was no incident yet.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("incident", "model", "severity", "state", "since (UTC)", "what"):
        table.add_column(heading, overflow="fold")
    for incident in found:
        colour = _COLOURS[incident.severity]
        table.add_row(
            incident.name,
            escape(incident.model),
            f"[{colour}]{incident.severity}[/]",
            str(incident.state),
            f"{incident.started_at:%Y-%m-%d %H:%M}",
            escape(incident.summary),
        )
    Console().print(table)


@app.command()
def ack(number: Number, home: Home = Path()) -> None:
    """Tell the others that you are on it."""
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        done = respond.acknowledge(session, number, getpass.getuser(), now=service.clock.now())
    typer.echo(f"{done.name} is acknowledged by {done.standing.acked_by}")


@app.command()
def resolve(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it is over.", show_default=False)],
    home: Home = Path(),
) -> None:
    """End an incident by hand."""
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        done = respond.end(
            session, number, getpass.getuser(), now=service.clock.now(), reason=reason
        )
    typer.echo(f"{done.name} is resolved: {reason}")


@app.command()
def judge(number: Number, verdict: Verdict, home: Home = Path()) -> None:
    """Say what an incident was worth; it counts towards the precision of its rule."""
    service = open_existing(home, os.environ)
    with write(service.engine) as session:
        done = respond.judge(session, number, getpass.getuser(), verdict, now=service.clock.now())
    typer.echo(f"{done.name} was {verdict}")


@app.command()
def precision(home: Home = Path(), json_file: JsonFile = None) -> None:
    """Show how many incidents of each rule were worth the time, and what would have been better.

    Nothing is changed: a proposal is for the model's file, `alerts: {fire: …, of: …}`.
    """
    from reports.query import Reader  # noqa: PLC0415  the pages' queries are not needed elsewhere

    service = open_existing(home, os.environ)
    with read(service.engine) as session:
        view = Reader(session, service.models, now=service.clock.now()).rules()
    if json_file is not None:
        write_json([asdict(row) for row in view.rows], json_file)
        return
    for row in view.rows:
        typer.echo(row.sentence)
    if not view.rows:
        typer.echo("No incident has been judged yet; see `watchkeeper incidents judge`.")


def _plain(incident: Incident) -> dict[str, Any]:
    standing = incident.standing
    times = {
        "started_at": incident.started_at,
        "opened_at": standing.opened_at,
        "resolved_at": standing.resolved_at,
    }
    return {
        "id": incident.id,
        "name": incident.name,
        "model": incident.model,
        "family": str(incident.family),
        "severity": str(incident.severity),
        "state": str(incident.state),
        "columns": list(incident.columns),
        "summary": incident.summary,
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
    }
