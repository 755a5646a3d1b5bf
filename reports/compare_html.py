"""A comparison of two tables as one HTML page that stands alone: no script, no other file."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.comparison.model import WORST_FIRST, Comparison, Histogram
from reports.compare_words import VERDICTS, headline, number, p_value, percent, sentence
from reports.standalone import render_alone

#: Columns that get a card of their own; the others are rows of a table.
MOST_CARDS = 200
_WIDTH, _HEIGHT = 480, 110


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar of a drawing, in its units."""

    x: float
    width: float
    reference: float
    current: float
    label: str


def page(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    ordered = comparison.worst_first
    return render_alone(
        "compare.html.j2",
        {"number": number, "p_value": p_value, "percent": percent},
        comparison=comparison,
        cards=ordered[:MOST_CARDS],
        rest=ordered[MOST_CARDS:],
        quality=sorted(comparison.quality, key=lambda one: WORST_FIRST.index(one.status)),
        headline=headline(comparison),
        sentence=sentence,
        verdicts=VERDICTS,
        bars=bars,
        width=_WIDTH,
        height=_HEIGHT,
    )


def bars(histogram: Histogram) -> list[Bar]:
    """Lay a histogram out; heights are in the units of the drawing.

    Examples
    --------
    >>> picture = Histogram(labels=("a", "b"), reference=(0.5, 0.5), current=(1.0, 0.0))
    >>> [(bar.x, bar.reference, bar.current) for bar in bars(picture)]
    [(0.0, 55.0, 110.0), (240.0, 55.0, 0.0)]
    """
    top = max((*histogram.reference, *histogram.current, 1e-12))
    width = _WIDTH / len(histogram.labels)
    return [
        Bar(
            x=round(i * width, 2),
            width=round(width, 2),
            reference=round(_HEIGHT * before / top, 1),
            current=round(_HEIGHT * now / top, 1),
            label=f"{label}: {percent(before)} in the reference, {percent(now)} now",
        )
        for i, (label, before, now) in enumerate(
            zip(histogram.labels, histogram.reference, histogram.current, strict=True)
        )
    ]
