"""``watchkeeper token``: who may see and who may act."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import Home
from service.start import open_existing
from service.web.tokens import Role, Tokens
from watchkeeper.database import read, write

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Issue and revoke access tokens."
)

Name = Annotated[str, typer.Argument(show_default=False, help="Whose token it is.")]
Level = Annotated[Role, typer.Option("--role", help="What it allows; each may do more.")]


@app.command()
def issue(name: Name, home: Home = Path(), role: Level = Role.VIEWER) -> None:
    """Make a token and show it once; only its hash is kept."""
    with write(open_existing(home, os.environ).engine) as session:
        typer.echo(Tokens(session).issue(name, role))


@app.command()
def revoke(name: Name, home: Home = Path()) -> None:
    """End a token at once."""
    with write(open_existing(home, os.environ).engine) as session:
        Tokens(session).revoke(name)
    typer.echo(f"the token of {name} is revoked")


@app.command("list")
def show(home: Home = Path()) -> None:
    """List who has a valid token, and its role."""
    with read(open_existing(home, os.environ).engine) as session:
        for name, role in Tokens(session).valid():
            typer.echo(f"{role}\t{name}")
