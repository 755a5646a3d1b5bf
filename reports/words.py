"""Numbers, times and names as a reader wants them; the filters of the templates."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.metric_function import title_of
from watchkeeper.window import DAY, Window

#: Names of metrics and statistics as they are written in running text.
NAMES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "brier_score": "Brier score",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
    "f1": "F1",
    "squared_error": "squared error",
    "psi": "PSI",
    "jensen_shannon": "Jensen–Shannon distance",
}

_ACRONYMS = {"id": "ID", "utc": "UTC"}


def metric_name(name: str | None) -> str:
    """Return the name of a metric for running text.

    Examples
    --------
    >>> metric_name("roc_auc"), metric_name("null_share")
    ('ROC AUC', 'null share')
    """
    return "" if name is None else NAMES.get(name, plain(title_of(name)))


def plain(identifier: str | None) -> str:
    """Return an identifier as words.

    Examples
    --------
    >>> plain("data_contract")
    'data contract'
    """
    if not identifier:
        return ""
    return " ".join(_ACRONYMS.get(word, word) for word in identifier.split("_"))


def sentence(text: str) -> str:
    """Return the text with its first letter in upper case.

    Examples
    --------
    >>> sentence(plain("input_drift"))
    'Input drift'
    """
    return text[:1].upper() + text[1:]


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with about ``digits`` decimals worth reading, or an en dash for none.

    Examples
    --------
    >>> number(0.70312), number(1234567.0), number(0.00001234), number(None), number(41.2345)
    ('0.703', '1,234,567', '1.23e-05', '–', '41.23')
    >>> number(-0.5), number(10.0)
    ('−0.500', '10')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000 or size == int(size):
        return f"{value:,.0f}".replace("-", "−")
    if size and size < 10**-digits:
        return f"{value:.2e}"
    decimals = max(0, digits + 1 - len(str(int(size))))
    return f"{value:.{decimals}f}".replace("-", "−")


def signed(value: float | None) -> str:
    """Return a number with its sign.

    Examples
    --------
    >>> signed(0.0214), signed(-0.5)
    ('+0.021', '−0.500')
    """
    shown = number(value)
    return f"+{shown}" if value is not None and value > 0 else shown


def count(value: int | None) -> str:
    """Return a count with thousands separated.

    Examples
    --------
    >>> count(60000), count(None)
    ('60,000', '–')
    """
    return "–" if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """Return a share as a percentage that never rounds something to nothing, nor less to all.

    Examples
    --------
    >>> share(0.314), share(0.0), share(0.0004), share(0.99996), share(1.0)
    ('31.4 %', '0 %', '< 0.1 %', '> 99.9 %', '100 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value in (0.0, 1.0):
        return f"{value * 100:.0f} %"
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.1f} %"


def p_value(value: float | None) -> str:
    """Return a p-value; tiny ones by their bound.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00001), p_value(None)
    ('0.031', '< 0.001', '–')
    """
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def local(moment: datetime, zone: str) -> datetime:
    """Return the instant in the model's zone."""
    return moment.astimezone(ZoneInfo(zone))


def when(moment: datetime | None, zone: str = "UTC") -> str:
    """Return an instant as the model's clock shows it.

    Examples
    --------
    >>> from datetime import UTC
    >>> when(datetime(2013, 6, 1, 16, 30, tzinfo=UTC), "America/New_York")
    '1 Jun 2013 12:30'
    """
    if moment is None:
        return "–"
    there = local(moment, zone)
    return f"{there.day} {there:%b %Y %H:%M}"


def day(moment: datetime, zone: str = "UTC", *, year: bool = True) -> str:
    """Return the local date of an instant."""
    there = local(moment, zone)
    return f"{there.day} {there:%b %Y}" if year else f"{there.day} {there:%b}"


def span(window: Window, zone: str = "UTC") -> str:
    """Return a window in as few words as its zone allows.

    Examples
    --------
    >>> from datetime import UTC
    >>> span(Window(start=datetime(2013, 6, 1, tzinfo=UTC), end=datetime(2013, 6, 2, tzinfo=UTC)))
    '1 Jun 2013'
    >>> span(Window(start=datetime(2013, 6, 1, tzinfo=UTC), end=datetime(2013, 6, 8, tzinfo=UTC)))
    '1 – 7 Jun 2013'
    >>> midnight = datetime(2013, 6, 1, tzinfo=UTC)
    >>> span(Window(start=midnight, end=midnight + timedelta(hours=6)))
    '1 Jun 2013 00:00 – 06:00'
    """
    start, end = local(window.start, zone), local(window.end, zone)
    midnights = start.hour == start.minute == end.hour == end.minute == 0
    if not midnights:
        if start.date() == end.date():
            return f"{when(window.start, zone)} – {end:%H:%M}"
        return f"{when(window.start, zone)} – {when(window.end, zone)}"
    last = end.date() - DAY if end.date() > start.date() else end.date()
    if last == start.date():
        return day(window.start, zone)
    if (last.year, last.month) == (start.year, start.month):
        return f"{start.day} – {last.day} {last:%b %Y}"
    shown = f"{start.day} {start:%b}" + ("" if last.year == start.year else f" {start:%Y}")
    return f"{shown} – {last.day} {last:%b %Y}"


def elapsed(duration: timedelta) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> elapsed(timedelta(days=2, hours=3, minutes=9)), elapsed(timedelta(seconds=40))
    ('2 d 3 h', '40 s')
    """
    seconds = max(0, int(duration.total_seconds()))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, seconds = divmod(seconds, length)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def seconds(value: float) -> str:
    """Return a short wait.

    Examples
    --------
    >>> seconds(0.42), seconds(90.0)
    ('0.4 s', '1 min 30 s')
    """
    return f"{max(0.0, value):.1f} s" if value < 10 else elapsed(timedelta(seconds=value))


def ago(moment: datetime, now: datetime) -> str:
    """Return how long before ``now`` an instant was.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2013, 6, 1, 12, tzinfo=UTC)
    >>> ago(noon - timedelta(hours=3), noon), ago(noon, noon)
    ('3 h ago', 'just now')
    """
    if now - moment < timedelta(seconds=60):
        return "just now"
    return f"{elapsed(now - moment)} ago"


def listed(names: tuple[str, ...], most: int = 3) -> str:
    """Return the first names and how many more there are.

    Examples
    --------
    >>> listed(("a", "b", "c", "d", "e"))
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
