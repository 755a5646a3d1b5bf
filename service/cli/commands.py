"""The table of commands: to add one, write its module and add its line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the command line.

    Parameters
    ----------
    name
        What is typed after ``watchkeeper``.
    module
        Where it is: a function of the command's name (``-`` as ``_``), or for a command with
        commands of its own a Typer application called ``app``.
    help
        Its line in ``watchkeeper --help``, known without importing the module.
    """

    name: str
    module: str
    help: str


COMMANDS = (
    Command("demo", "service.cli.demo", "Run the whole loop on real data."),
    Command("init", "service.cli.init", "Write a project that runs as it is."),
    Command("check", "service.cli.check", "Report every error in the configuration."),
    Command("compare", "service.cli.compare", "Compare two tables, column by column."),
    Command("backtest", "service.cli.backtest", "Replay a log; say what would have been sent."),
    Command("up", "service.cli.processes", "Serve, work and show the pages in one process."),
    Command("serve", "service.cli.processes", "Answer predictions and log them."),
    Command("worker", "service.cli.processes", "Monitor, alert and retrain."),
    Command("web", "service.cli.processes", "Show the pages."),
    Command("versions", "service.cli.versions", "List the versions of a model."),
    Command("rollback", "service.cli.versions", "Serve an earlier version again."),
    Command("retrain", "service.cli.versions", "Ask for a new version now."),
    Command("incidents", "service.cli.incidents", "Show what is wrong, and take it or end it."),
    Command("silence", "service.cli.silence", "Hold new messages back for a while."),
    Command("drill", "service.cli.drill", "Put a fault into a copy; see who is told, how soon."),
    Command("token", "service.cli.token", "Issue and revoke access tokens."),
    Command("db", "service.cli.db", "Bring the database to this release's schema."),
    Command("channel", "service.cli.channel", "Try one way to reach people."),
    Command("slack", "service.cli.slack", "Try the connection to Slack, or stand in for it."),
)
