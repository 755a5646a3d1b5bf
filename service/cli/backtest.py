"""``watchkeeper backtest``: what a model's file would have done on a log of the past."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.model import CheckStatus
from reports.backtest_result import BacktestIncident, BacktestResult
from reports.backtest_words import budget_sentences, facts, headline
from service.cli.options import JsonFile
from service.cli.progress import progress_bar
from service.output import write_json
from watchkeeper.errors import ConfigurationError
from watchkeeper.model_settings import load_model

FAIL_EXIT_CODE = 2
_MOST_INCIDENTS = 40
_COLOURS = {"page": "bold red", "ticket": "yellow", "digest": "cyan"}
_BAD = {CheckStatus.CRITICAL, CheckStatus.FAILED}


class FailOn(StrEnum):
    """What the exit code is 2 for: a window this bad, or an incident this urgent, or worse."""

    WARNING = "warning"
    CRITICAL = "critical"
    DIGEST = "digest"
    TICKET = "ticket"
    PAGE = "page"


_URGENT = {
    FailOn.DIGEST: {"digest", "ticket", "page"},
    FailOn.TICKET: {"ticket", "page"},
    FailOn.PAGE: {"page"},
}


def backtest(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="The log; by default the file's source.table."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE", help="Its reference; by default the first fifth of the log by time."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that stands alone.")
    ] = None,
    json_file: JsonFile = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 2 at such a window or incident, or a worse one."),
    ] = None,
) -> None:
    """Replay a log with predictions and labels through monitor and alerts; nothing is sent.

    CONFIG is a model's file, models/NAME.yaml. A table is a Parquet, CSV or Delta path or glob, or
    an Ibis URL with a table (postgres://…#table). Windows are judged when they close, and on
    performance when their labels are mature, in the order of the time of the log.

    The exit code is 0, or 1 on an error, or 2 when --fail-on is met.
    """
    settings = load_model(config)
    table = data or (None if settings.source.is_built_in else settings.source.table)
    if table is None:
        problem = "the file names no table of its own; expected --data TABLE"
        raise ConfigurationError(problem, path=config)
    # DuckDB and the database take half a second to import.
    from service.backtest.run import backtest as replay  # noqa: PLC0415

    with progress_bar() as tell:
        result = replay(
            settings, table, reference=reference or settings.reference.table, progress=tell
        )
    if html is not None:
        # Only the page needs the template engine and the charts.
        from reports.backtest_html import page  # noqa: PLC0415
        from reports.standalone import write_page  # noqa: PLC0415

        write_page(page(result), html)
    if json_file is not None:
        write_json(result.to_dict(), json_file)
    if json_file is None or str(json_file) != "-":
        _show(result)
    if fail_on is not None and _met(result, fail_on):
        raise typer.Exit(FAIL_EXIT_CODE)


def _met(result: BacktestResult, fail_on: FailOn) -> bool:
    if fail_on in _URGENT:
        return any(incident.severity in _URGENT[fail_on] for incident in result.incidents)
    bad = _BAD if fail_on is FailOn.CRITICAL else _BAD | {CheckStatus.WARNING}
    return any(window.status in bad for window in result.windows)


def _show(result: BacktestResult) -> None:
    console = Console()
    if result.incidents:
        console.print(_incident_table(result), highlight=False)
    hidden = len(result.incidents) - _MOST_INCIDENTS
    if hidden > 0:
        console.print(f"… and {hidden} more incidents; --html or --json shows all", style="dim")
    for line in (headline(result), *budget_sentences(result), *facts(result)):
        console.print(escape(line), highlight=False)


def _incident_table(result: BacktestResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("severity", "family", "opened", "resolved"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    for incident in result.incidents[:_MOST_INCIDENTS]:
        table.add_row(*_cells(incident))
    return table


def _cells(incident: BacktestIncident) -> tuple[str, str, str, str, str]:
    ended = incident.resolved_at
    colour = _COLOURS[incident.severity]
    return (
        f"[{colour}]{incident.severity}[/]",
        incident.family.replace("_", " "),
        f"{incident.opened_at:%Y-%m-%d %H:%M}",
        "still open" if ended is None else f"{ended:%Y-%m-%d %H:%M}",
        escape(incident.summary),
    )
