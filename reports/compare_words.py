"""A comparison of two tables in plain words."""

from __future__ import annotations

from monitor.comparison.model import ColumnComparison, Comparison
from monitor.model import CheckStatus

VERDICTS = {
    CheckStatus.CRITICAL: "large change",
    CheckStatus.WARNING: "changed",
    CheckStatus.INSUFFICIENT_DATA: "cannot tell",
    CheckStatus.FAILED: "failed",
    CheckStatus.OK: "no change",
}

_BLOCKS = " ▁▂▃▄▅▆▇█"


def number(value: float | None) -> str:
    """Return a distance with three significant digits, and none below a thousandth.

    Examples
    --------
    >>> number(0.012345), number(None), number(12.3), number(0.0), number(2e-5)
    ('0.0123', '–', '12.3', '0', '< 0.001')
    """
    if value is None:
        return "–"
    if value == 0:
        return "0"
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def p_value(value: float | None) -> str:
    """Return a p-value without false precision.

    Examples
    --------
    >>> p_value(0.0421), p_value(3e-12), p_value(None)
    ('0.042', '< 0.0001', '–')
    """
    if value is None:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def percent(value: float | None) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> percent(0.1234), percent(0.0), percent(0.0002), percent(None)
    ('12.3 %', '0 %', '< 0.1 %', '–')
    """
    if value is None:
        return "–"
    if value == 0:
        return "0 %"
    return "< 0.1 %" if value < 0.001 else f"{100 * value:.1f} %"


def sentence(column: ColumnComparison) -> str:
    """Say in one sentence what was found in a column."""
    if column.value is None:
        return f"{column.note[:1].upper()}{column.note[1:]}." if column.note else "Not compared."
    found = f"PSI {number(column.effect)} beyond chance"
    found += f" ({number(column.lower)} to {number(column.upper)})"
    if column.status in (CheckStatus.CRITICAL, CheckStatus.WARNING):
        size = "much" if column.status is CheckStatus.CRITICAL else "noticeably"
        return f"The values are distributed {size} differently: {found}."
    least = number(max(column.minimum_detectable_effect or 0.0, 0.001))
    if column.status is CheckStatus.INSUFFICIENT_DATA:
        return f"Too few rows: a change below PSI {least} would not have been seen."
    if column.p_value_adjusted is not None and column.p_value_adjusted <= 0.05:
        return f"A change that is hardly chance, but too small to matter: {found}."
    return f"No change was found; one of PSI {least} or more would have been seen."


def headline(comparison: Comparison) -> str:
    """Say in one sentence what was found in all."""
    changed = [
        column
        for column in comparison.columns
        if column.status in (CheckStatus.CRITICAL, CheckStatus.WARNING)
    ]
    faults = len(comparison.quality)
    words = [
        f"{len(changed)} of {len(comparison.columns)} columns changed",
        "no fault of the data"
        if not faults
        else f"{faults} possible faults of the data"
        if faults > 1
        else "1 possible fault of the data",
    ]
    return "; ".join(words)


def sparkline(shares: tuple[float, ...], *, top: float, width: int = 12) -> str:
    """Draw shares as blocks, neighbours joined to at most ``width`` of them.

    Examples
    --------
    >>> sparkline((0.0, 0.25, 0.5, 0.25), top=0.5)
    ' ▄█▄'
    """
    size = -(-len(shares) // width)
    joined = [max(shares[start : start + size]) for start in range(0, len(shares), size)]
    steps = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[0 if share <= 0 else max(1, round(steps * min(share / top, 1.0)))]
        for share in joined
    )
