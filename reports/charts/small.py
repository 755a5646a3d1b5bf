"""Small drawings by the hundred: sparklines and histograms, written directly as SVG."""

from __future__ import annotations

from html import escape

from monitor.model import CheckStatus
from reports import words
from reports.model import Distribution, TrendPoint

_SPARK_WIDTH, _SPARK_HEIGHT = 132, 30
_MARGIN = 3
_BARS_WIDTH, _BARS_HEIGHT = 260, 84


def sparkline_svg(trend: tuple[TrendPoint, ...], *, metric: str, limit: float | None = None) -> str:
    """Return a metric's recent past as a line, windows beyond the limit marked.

    A window without a value leaves a gap.
    """
    values = [point.value for point in trend if point.value is not None]
    if not values:
        return ""
    bounds = values if limit is None else [*values, limit]
    low, high = min(bounds), max(bounds)
    xs = _positions(len(trend), _SPARK_WIDTH)
    marks: list[str] = []
    if limit is not None:
        y = _height(limit, low, high)
        marks.append(f'<line class="limit" x1="0" x2="{_SPARK_WIDTH}" y1="{y}" y2="{y}"/>')
    for run in _runs(trend):
        line = " ".join(f"{xs[i]},{_height(trend[i].value or 0.0, low, high)}" for i in run)
        marks.append(f'<polyline points="{line}"/>')
    for i, point in enumerate(trend):
        last = i == len(trend) - 1
        if point.value is not None and (last or point.status is CheckStatus.CRITICAL):
            y = _height(point.value, low, high)
            marks.append(f'<circle class="{point.status}" cx="{xs[i]}" cy="{y}" r="2.2"/>')
    alt = (
        f"{words.sentence(words.metric_name(metric))} over {len(trend)} windows: from "
        f"{words.number(values[0])} to {words.number(values[-1])}"
        + ("" if limit is None else f", limit {words.number(limit)}")
    )
    return _svg("spark", _SPARK_WIDTH, _SPARK_HEIGHT, alt, marks)


def histogram_svg(distribution: Distribution, *, name: str) -> str:
    """Return the current shares per bin as bars with the reference as an outline.

    The bins are drawn equally wide: their edges hold equal shares of the reference, and a long
    tail would otherwise hide everything else.
    """
    bins = len(distribution.labels)
    if not bins:
        return ""
    top = max((*distribution.reference, *distribution.current, 1e-9))
    step = _BARS_WIDTH / bins
    marks = [
        _bar(i * step + step * 0.1, step * 0.8, value / top, label, value)
        for i, (label, value) in enumerate(
            zip(distribution.labels, distribution.current, strict=False)
        )
    ]
    outline = " ".join(
        f"{i * step:.1f},{y:.1f} {(i + 1) * step:.1f},{y:.1f}"
        for i, value in enumerate(distribution.reference)
        for y in [_BARS_HEIGHT - value / top * (_BARS_HEIGHT - 2)]
    )
    marks.append(f'<polyline class="reference" points="{outline}"/>')
    return _svg("bars", _BARS_WIDTH, _BARS_HEIGHT, histogram_alt(distribution, name=name), marks)


def histogram_alt(distribution: Distribution, *, name: str) -> str:
    """Say which bin changed most between the reference and the window."""
    if not distribution.current:
        return f"{name}: no rows in this window."
    changes = [
        now - then for then, now in zip(distribution.reference, distribution.current, strict=True)
    ]
    most = max(range(len(changes)), key=lambda i: abs(changes[i]))
    return (
        f"{name}: largest change at {distribution.labels[most]}, "
        f"{words.share(distribution.reference[most])} of the reference and "
        f"{words.share(distribution.current[most])} of this window."
    )


def _bar(x: float, width: float, height: float, label: str, value: float) -> str:
    tall = height * (_BARS_HEIGHT - 2)
    return (
        f'<rect x="{x:.1f}" y="{_BARS_HEIGHT - tall:.1f}" width="{width:.1f}" '
        f'height="{tall:.1f}"><title>{escape(label)}: {words.share(value)}</title></rect>'
    )


def _svg(name: str, width: int, height: int, alt: str, marks: list[str]) -> str:
    return (
        f'<svg class="{name}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(alt)}">{"".join(marks)}</svg>'
    )


def _positions(amount: int, width: int) -> list[float]:
    if amount == 1:
        return [width / 2]
    step = (width - 2 * _MARGIN) / (amount - 1)
    return [round(_MARGIN + i * step, 1) for i in range(amount)]


def _height(value: float, low: float, high: float) -> float:
    share = 0.5 if high == low else (value - low) / (high - low)
    return round(_SPARK_HEIGHT - _MARGIN - share * (_SPARK_HEIGHT - 2 * _MARGIN), 1)


def _runs(trend: tuple[TrendPoint, ...]) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for i, point in enumerate(trend):
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if len(run) > 1]
