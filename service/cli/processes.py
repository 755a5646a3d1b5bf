"""``watchkeeper up``, ``serve``, ``worker`` and ``web``: run until told to stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import Home
from service.running import Role
from service.up import run

Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Listen here; 0 takes a free port.")
]


def up(home: Home = Path(), port: Port = None) -> None:
    """Serve, work and show the pages in one process; trains the first version where none is."""
    _run(home, ("serve", "worker", "web"), port)


def serve(home: Home = Path(), port: Port = None) -> None:
    """Answer predictions and log them."""
    _run(home, ("serve",), port)


def worker(home: Home = Path()) -> None:
    """Monitor, alert and retrain."""
    _run(home, ("worker",), None)


def web(home: Home = Path(), port: Port = None) -> None:
    """Show the pages."""
    _run(home, ("web",), port)


def _run(home: Path, roles: tuple[str, ...], port: int | None) -> None:
    run(
        home,
        os.environ,
        roles=[Role(role) for role in roles],
        port=port,
        say=lambda text: typer.echo(text, err=True),
    )
