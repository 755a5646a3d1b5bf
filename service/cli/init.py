"""``watchkeeper init``: writes a project that runs as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.init.project import TEMPLATES, create
from watchkeeper.errors import NotFoundError

Directory = Annotated[Path, typer.Argument(help="Folder to write; new, or empty.")]
Template = Annotated[str, typer.Option(help=f"What to write: {', '.join(sorted(TEMPLATES))}.")]


def init(directory: Directory, template: Template = "example") -> None:
    """Write a project that runs as it is: settings, a model, training code, training data."""
    if template not in TEMPLATES:
        raise NotFoundError("template", template, known=sorted(TEMPLATES))
    root = directory.absolute()
    files = [path.relative_to(root) for path in create(root, template)]
    typer.echo(f"wrote {len(files)} files to {directory}:")
    for path in files:
        typer.echo(f"  {path}")
    typer.echo(f"\nnext: cd {directory} && watchkeeper check && watchkeeper up")
