"""``watchkeeper compare``: two tables, column by column, in seconds."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.compare import compare as compare_tables
from monitor.comparison.model import WORST_FIRST, ColumnComparison, Comparison
from monitor.model import CheckStatus
from reports.compare_words import (
    VERDICTS,
    headline,
    number,
    p_value,
    percent,
    sentence,
    sparkline,
)
from service.cli.options import JsonFile
from service.cli.progress import progress_bar
from service.output import write_json

_COLOURS = {
    CheckStatus.CRITICAL: "bold red",
    CheckStatus.WARNING: "yellow",
    CheckStatus.INSUFFICIENT_DATA: "cyan",
    CheckStatus.FAILED: "red",
    CheckStatus.OK: "green",
}
_MOST_ROWS = 60
_BLOCKS = 6
FAIL_EXIT_CODE = 2


class FailOn(StrEnum):
    """The verdict from which on the exit code is 2."""

    WARNING = "warning"
    CRITICAL = "critical"


def compare(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", show_default=False)],
    current: Annotated[str, typer.Argument(metavar="CURRENT", show_default=False)],
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="Compare these columns alone.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(min=0.000001, max=0.5, help="Level of the adjusted p-values.")
    ] = 0.05,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that stands alone.")
    ] = None,
    evidently: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write Evidently's page, from a sample.")
    ] = None,
    json_file: JsonFile = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 2 at this verdict or a worse one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of samples and simulations.")] = 0,
) -> None:
    """Compare a current table with a reference, column by column.

    A table is a Parquet, CSV or Delta path or glob, or an Ibis URL with a table
    (postgres://…#table). The p-values take rows to be independent of each other.

    The exit code is 0, or 1 on an error, or 2 when --fail-on is met.
    """
    wanted = None if columns is None else next(csv.reader([columns], skipinitialspace=True), [])
    with progress_bar() as tell:
        result = compare_tables(
            reference, current, columns=wanted, alpha=alpha, seed=seed, progress=tell
        )
    if html is not None:
        # Only the page needs the template engine.
        from reports.compare_html import page  # noqa: PLC0415
        from reports.standalone import write_page  # noqa: PLC0415

        write_page(page(result), html)
    if json_file is not None:
        write_json(result.to_dict(), json_file)
    if json_file is None or str(json_file) != "-":
        _show(result)
    if evidently is not None:
        # Evidently is an extra, runs in a process of its own, and takes long.
        from reports.evidently_page import write_evidently_page  # noqa: PLC0415

        write_evidently_page(reference, current, evidently, columns=wanted, seed=seed)
    if fail_on is not None and _met(result.status, fail_on):
        raise typer.Exit(FAIL_EXIT_CODE)


def _met(status: CheckStatus, fail_on: FailOn) -> bool:
    bad = {CheckStatus.CRITICAL}
    if fail_on is FailOn.WARNING:
        bad.add(CheckStatus.WARNING)
    return status in bad


def _show(result: Comparison) -> None:
    console = Console()
    console.print(_columns_table(result), highlight=False)
    hidden = len(result.columns) - _MOST_ROWS
    if hidden > 0:
        console.print(f"… and {hidden} more columns; --html or --json shows all", style="dim")
    for finding in sorted(result.quality, key=lambda one: WORST_FIRST.index(one.status)):
        place = "rows" if finding.column is None else escape(finding.column)
        colour = _COLOURS[finding.status]
        console.print(
            f"[{colour}]{finding.check}[/] {place}: {escape(finding.detail)}", highlight=False
        )
    colour = _COLOURS[result.status]
    console.print(
        f"[{colour}]{result.status.replace('_', ' ')}[/]: {headline(result)}. "
        f"{result.n_reference:,} rows in the reference, {result.n_current:,} now.",
        highlight=False,
    )
    for column in result.worst_first[:1]:
        console.print(f"{escape(column.name)}: {escape(sentence(column))}", highlight=False)


def _columns_table(result: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("column", overflow="fold", min_width=16)
    table.add_column("verdict", no_wrap=True)
    table.add_column("PSI", justify="right", no_wrap=True)
    table.add_column("adj. p", justify="right", no_wrap=True)
    table.add_column("nulls", justify="right", no_wrap=True)
    table.add_column("before", no_wrap=True)
    table.add_column("now", no_wrap=True)
    for column in result.worst_first[:_MOST_ROWS]:
        table.add_row(
            escape(column.name),
            f"[{_COLOURS[column.status]}]{_verdict(column)}[/]",
            number(column.effect),
            p_value(column.p_value_adjusted),
            _nulls(column),
            *_sparklines(column),
        )
    return table


def _verdict(column: ColumnComparison) -> str:
    if column.value is None and column.status is CheckStatus.OK:
        return "runs on"
    return VERDICTS[column.status]


def _nulls(column: ColumnComparison) -> str:
    before, now = column.null_share_reference, column.null_share_current
    if before is None or now is None or before == now:
        return percent(before)
    return f"{100 * before:.0f} → {100 * now:.0f} %"


def _sparklines(column: ColumnComparison) -> tuple[str, str]:
    drawn = column.histogram
    if drawn is None:
        return "", ""
    top = max((*drawn.reference, *drawn.current, 1e-9))
    before, now = (
        sparkline(side, top=top, width=_BLOCKS) for side in (drawn.reference, drawn.current)
    )
    return before, now
