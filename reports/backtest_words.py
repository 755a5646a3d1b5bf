"""A back-test in plain words."""

from __future__ import annotations

from monitor.model import CheckStatus
from reports import words
from reports.backtest_result import BacktestResult

_MOST_LEFT_OUT = 8


def headline(result: BacktestResult) -> str:
    """Say in one sentence how often somebody would have been told."""
    kinds = [incident.severity for incident in result.incidents]
    told = [
        plural(kinds.count(severity), noun)
        for severity, noun in (("page", "page"), ("ticket", "ticket"), ("digest", "digest item"))
        if severity in kinds
    ]
    if not told:
        return "Nobody would have been told of anything."
    return f"The owner would have been told of {words.listed(tuple(told))}."


def facts(result: BacktestResult) -> list[str]:
    """Say what was replayed, against what, and how the windows came out."""
    windows, reference = result.windows, result.reference
    judged = [w for w in windows if w.limit is not None and w.labels_mature]
    beyond = sum(window.performance is CheckStatus.CRITICAL for window in judged)
    first, last = windows[0].window.start, windows[-1].window.end
    level = "unknown" if reference.level is None else words.number(reference.level)
    lines = [
        f"{plural(len(windows), 'window')} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} "
        f"UTC, {plural(sum(w.rows for w in windows), 'row')}, "
        f"{plural(sum(w.labels for w in windows), 'label')}.",
        f"Reference: {plural(reference.rows, 'row')} to {reference.end:%Y-%m-%d %H:%M} UTC, "
        f"{words.metric_name(result.metric)} {level}. {beyond} of {len(judged)} windows with "
        "mature labels lie with their whole interval beyond tolerance.",
    ]
    if reference.note is not None:
        lines.append(f"Note: {reference.note}.")
    if result.left_out:
        names = list(result.left_out)
        more = f" and {len(names) - _MOST_LEFT_OUT} more" if len(names) > _MOST_LEFT_OUT else ""
        lines.append(f"Not watched: {', '.join(names[:_MOST_LEFT_OUT])}{more}.")
    return lines


def budget_sentences(result: BacktestResult) -> list[str]:
    """Say what became of the alarm budget."""
    budget = result.budget
    lines = [
        f"{plural(budget.pages_sent, 'page')} sent, {budget.pages_allowed:g} allowed in "
        f"{plural(round(budget.days), 'day')}."
    ]
    statement = budget.more.get("statement")
    if isinstance(statement, str) and statement:
        lines.append(statement)
    return lines


def plural(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "page"), plural(0, "page")
    ('1 page', '0 pages')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
