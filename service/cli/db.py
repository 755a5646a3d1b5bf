"""``watchkeeper db``: the state database and its schema."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from service.cli.options import Home
from watchkeeper.database import make_engine
from watchkeeper.migrations import check as check_schema
from watchkeeper.migrations import upgrade as upgrade_schema
from watchkeeper.settings import load_settings

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Bring the database to this release's schema."
)


@app.command()
def upgrade(home: Home = Path()) -> None:
    """Bring the database to this release's schema; safe to repeat, and for several at once."""
    engine = make_engine(load_settings(home, os.environ).database_url)
    upgrade_schema(engine)
    typer.echo("the database is at this release's schema")


@app.command()
def check(home: Home = Path()) -> None:
    """Say whether the database is at this release's schema; exit code 1 when it is not."""
    check_schema(make_engine(load_settings(home, os.environ).database_url))
    typer.echo("the database is at this release's schema")
