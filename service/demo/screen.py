"""What the demo shows on the terminal: one progress line that lives, and what happened above it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.demo.flights import ZONE

STYLES = {
    "step": "bold",
    "model": "cyan",
    "fault": "magenta",
    "page": "bold red",
    "ticket": "yellow",
    "held": "yellow",
    "good": "green",
}


class Screen:
    """Lines for a person; nothing here decides anything.

    On a terminal the last line is alive; in a file or a pipe only the events are written.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        # Standard output may be taken by the facts for machines.
        self.console = Console(highlight=False, stderr=quiet)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Keep the last line alive meanwhile."""
        with self._progress:
            yield

    def step(self, text: str) -> None:
        """Announce the next part of the demo."""
        self.console.print(f"[bold]▸ {escape(text)}[/]")

    def event(self, at: datetime, kind: str, text: str) -> None:
        """Write one thing that happened, with the day on which it did."""
        day = at.astimezone(ZONE).strftime("%d %b")
        self.console.print(f"  [dim]{day}[/]  [{STYLES[kind]}]{escape(text)}[/]")

    def advance(self, done: int, total: int, description: str, facts: str = "") -> None:
        """Move the living line."""
        if self._task is None:
            self._task = self._progress.add_task(description, total=total, facts=facts)
        self._progress.update(
            self._task,
            completed=done,
            total=total,
            description=escape(description),
            facts=escape(facts),
        )

    def summary(self, rows: list[tuple[str, str]], title: str) -> None:
        """Write the closing table."""
        table = Table(
            title=title, title_justify="left", show_header=False, box=None, padding=(0, 2)
        )
        table.add_column(style="dim")
        table.add_column(style="bold")
        for name, value in rows:
            table.add_row(escape(name), escape(value))
        self.console.print()
        self.console.print(table)
        self.console.print()
