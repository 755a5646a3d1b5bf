"""``watchkeeper drill``: put a fault into a copy and see who is told, how soon."""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import Home, JsonFile
from service.drill.fault import parse_fault
from service.drill.run import Wish
from service.drill.run import drill as make_drill
from service.output import write_json
from service.start import open_existing
from watchkeeper.errors import ConflictError
from watchkeeper.window import parse_duration


def drill(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    fault: Annotated[
        list[str],
        typer.Option(
            help="What is wrong in the copy: nulls:COLUMN:30%, scale:COLUMN:1000 or "
            "constant:COLUMN:VALUE; may be repeated.",
            show_default=False,
        ),
    ],
    home: Home = Path(),
    channel: Annotated[
        str | None, typer.Option(help="ID of a Slack channel to tell instead of the owner's.")
    ] = None,
    stand_in: Annotated[
        bool, typer.Option("--stand-in", help="Tell a stand-in for Slack on this machine.")
    ] = False,
    wait: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait.")] = "5m",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Wait for no answer.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Let a fault in a copy go through evaluation, message and answer; nothing real is touched."""
    faults = [parse_fault(text) for text in fault]
    try:
        patience = None if no_wait else parse_duration(wait)
    except ValueError as exc:
        raise ConflictError(f"--wait: {exc}") from exc
    service = open_existing(home, os.environ)
    wish = Wish(by=getpass.getuser(), channel=channel, stand_in=stand_in, wait=patience)
    result = make_drill(
        service, model, faults, wish, lambda line: typer.echo(line, err=str(json_file) == "-")
    )
    if json_file is not None:
        write_json(asdict(result), json_file)
