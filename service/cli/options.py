"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path,
    typer.Option(
        envvar="WATCHKEEPER_HOME",
        help="The project: the folder of watchkeeper.yaml.",
        show_default="the present folder",
    ),
]

JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result for machines; - is the output."),
]
