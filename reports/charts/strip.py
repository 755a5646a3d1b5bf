"""The drift strip: one column over many windows, a square for each."""

from __future__ import annotations

from html import escape

from monitor.model import CheckStatus
from reports import words
from reports.model import DriftRow, DriftStrip

_STEP, _SIZE, _HEIGHT = 10, 9, 14
_SAID = {CheckStatus.WARNING, CheckStatus.CRITICAL, CheckStatus.FAILED}


def strip_svg(row: DriftRow, strip: DriftStrip, zone: str) -> str:
    """Return one column's windows as squares; those with a finding say when and how much."""
    calm: dict[str, list[str]] = {}
    loud: list[str] = []
    for i, cell in enumerate(row.cells):
        if cell is None:
            continue
        if cell.status in _SAID:
            when = words.span(strip.windows[i], zone)
            loud.append(
                f'<rect class="{cell.status}" x="{i * _STEP}" y="0" width="{_SIZE}" '
                f'height="{_HEIGHT}"><title>{escape(when)}: '
                f"{escape(words.metric_name(cell.metric))} {words.number(cell.value)}"
                "</title></rect>"
            )
        else:
            # Quiet squares are most of the picture; one path for each shade keeps it small.
            square = f"M{i * _STEP} 0h{_SIZE}v{_HEIGHT}h-{_SIZE}z"
            calm.setdefault(_shade(cell.status, cell.effect), []).append(square)
    quiet = [f'<path class="{shade}" d="{"".join(d)}"/>' for shade, d in calm.items()]
    return (
        f'<svg class="heat" viewBox="0 0 {max(1, len(strip.windows)) * _STEP} {_HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(strip_alt(row, strip, zone))}">'
        f"{''.join(quiet)}{''.join(loud)}</svg>"
    )


def strip_alt(row: DriftRow, strip: DriftStrip, zone: str) -> str:
    """Say in how many windows the column drifted, and since when."""
    compared = sum(cell is not None for cell in row.cells)
    beyond = [
        i
        for i, cell in enumerate(row.cells)
        if cell is not None and cell.status is CheckStatus.CRITICAL
    ]
    if not beyond:
        return f"{row.column}: within its limit in all {compared} windows compared."
    first, last = (words.span(strip.windows[i], zone) for i in (beyond[0], beyond[-1]))
    period = f"on {first}" if first == last else f"first {first}, last {last}"
    return f"{row.column}: beyond its limit in {len(beyond)} of {compared} windows, {period}."


def _shade(status: CheckStatus, effect: float | None) -> str:
    if status is not CheckStatus.OK:
        return str(status)
    return "ok" if (effect or 0.0) < 0.5 else "ok near"
