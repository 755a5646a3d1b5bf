"""``watchkeeper versions``, ``rollback`` and ``retrain``: what serves, and what should instead."""

from __future__ import annotations

import getpass
import os
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from retrain.decide import request_run
from service.cli.options import Home, JsonFile
from service.output import write_json
from service.start import open_existing
from watchkeeper.database import read, write
from watchkeeper.errors import NotFoundError
from watchkeeper.registry.repository import Deployments, ModelVersions

Model = Annotated[str, typer.Argument(show_default=False, help="Name of the model.")]
To = Annotated[
    int | None, typer.Option("--to", metavar="VERSION", help="By default the one before.")
]


def versions(model: Model, home: Home = Path(), json_file: JsonFile = None) -> None:
    """List the versions of a model, the newest first, and which of them serves."""
    service = open_existing(home, os.environ)
    with read(service.engine) as session:
        found = ModelVersions(session).of(model)
        current = Deployments(session).current(model)
        known = ModelVersions(session).names()
    if not found:
        raise NotFoundError("model", model, known=known)
    serving = None if current is None else current.version
    rows: list[dict[str, Any]] = [
        {
            "version": version.version,
            "serves": version.version == serving,
            "created_at": version.created_at.isoformat(),
            "format": version.artifact_format,
            "sha256": version.artifact_sha256,
            "metrics": version.metrics,
        }
        for version in sorted(found, key=lambda each: -each.version)
    ]
    if json_file is not None:
        write_json(rows, json_file)
        return
    table = Table("version", "serves", "created", "format", "metrics", box=None)
    for row in rows:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in row["metrics"].items())
        serves = "serves" if row["serves"] else ""
        cells = (str(row["version"]), serves, row["created_at"], row["format"], metrics)
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)


def rollback(model: Model, home: Home = Path(), to: To = None) -> None:
    """Serve an earlier version again; running servers follow within a second."""
    service = open_existing(home, os.environ)
    service.actions.roll_back(model, to, getpass.getuser())
    with read(service.engine) as session:
        current = Deployments(session).current(model)
    if current is not None:
        typer.echo(f"version {current.version} of {model} serves now")


def retrain(model: Model, home: Home = Path()) -> None:
    """Ask for a new version now; a worker trains it, and promotes it only if it is better."""
    service = open_existing(home, os.environ)
    settings = service.models.get(model)
    if settings is None:
        raise NotFoundError("model", model, known=sorted(service.models))
    with write(service.engine) as session:
        run = request_run(
            session, settings, by=getpass.getuser(), key=uuid.uuid4().hex, now=service.clock.now()
        )
    typer.echo(f"run {run.id} is queued; a worker takes it up")
