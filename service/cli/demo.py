"""``watchkeeper demo``: the whole loop on real data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from service.cli.options import JsonFile
from service.demo.options import Options
from service.demo.run import run

HomeFolder = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Folder for the demo's project, made anew.")
]
Once = Annotated[bool, typer.Option("--once", help="Leave at the end; by default the pages stay.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Open no browser at the end.")]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="Port of the pages; by default 8000 or a free one."
    ),
]


def demo(
    home: HomeFolder = Path("watchkeeper-demo"),
    once: Once = False,
    no_browser: NoBrowser = False,
    json_file: JsonFile = None,
    port: Port = None,
) -> None:
    """Watch a real model decay, be broken, retrained and mended: three minutes, no account.

    A model of late flights is trained and served; the summer of 2013 is replayed against it.
    Messages go to a stand-in for Slack on this machine, or to Slack itself when
    WATCHKEEPER_SLACK_TOKEN and WATCHKEEPER_SLACK_CHANNEL are set.
    """
    options = Options(home=home, once=once, browser=not no_browser, json_file=json_file, port=port)
    run(options, os.environ)
