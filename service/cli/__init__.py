"""The command line: one module per command; only that of the command that runs is imported."""

from __future__ import annotations

from service.cli.run import main

__all__ = ["main"]
