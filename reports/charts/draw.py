"""From a Vega-Lite specification to SVG for a page or PNG for a message; no browser, no network."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import altair as alt
import vl_convert

from reports.charts.palette import PAPER, VARIABLES, theme

VEGA_LITE = "6.4"

_MARK = re.compile(r'<a xlink:href="https://mark\.invalid/(\d+)">')
_SIZE = re.compile(r'<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)" viewBox="([^"]*)">')


def over(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Return an empty chart over rows that ``finished`` writes into its specification.

    The rows travel as text: Altair would check every value of every row against its schema,
    which takes longer than drawing them.
    """
    return alt.Chart(alt.NamedData(json.dumps([dict(row) for row in rows])))


def finished(chart: Any) -> dict[str, Any]:
    """Return the specification of a chart with the project's look and its rows."""
    spec: dict[str, Any] = chart.configure(**theme()).to_dict()
    _write_rows(spec)
    return spec


def _write_rows(part: Any) -> None:
    if isinstance(part, list):
        for item in part:
            _write_rows(item)
    elif isinstance(part, dict):
        name = part.get("data", {}).get("name", "")
        if name.startswith("["):
            part["data"] = {"values": json.loads(name)}
        for key, item in part.items():
            if key != "data":
                _write_rows(item)


def svg(spec: dict[str, Any], *, alt: str, name: str, marks: Sequence[tuple[str, str]] = ()) -> str:
    """Return the chart as inline SVG that scales, follows the page's colours and can be read out.

    Parameters
    ----------
    spec
        A Vega-Lite specification.
    alt
        What the chart shows, as a finding.
    name
        CSS class of the drawing.
    marks
        Address and words of the marks whose ``href`` is ``mark(i)``. They are no stops for the
        keyboard: what they lead to stands in a table too.
    """
    drawing = _svg(json.dumps(spec, sort_keys=True))
    drawing = _MARK.sub(lambda found: _anchor(*marks[int(found[1])]), drawing)
    return drawing.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(alt)}" class="{escape(name)}" ', 1
    )


def mark(number: int) -> str:
    """Return the ``href`` that stands for a mark until the drawing is finished."""
    return f"https://mark.invalid/{number}"


def _anchor(address: str, said: str) -> str:
    return f'<a href="{escape(address)}" tabindex="-1"><title>{escape(said)}</title>'


def png(spec: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """Return the chart as PNG on white, for places that show no SVG."""
    opaque = {**spec, "background": PAPER, "padding": 16}
    return vl_convert.vegalite_to_png(opaque, vl_version=VEGA_LITE, scale=scale)


@lru_cache(maxsize=256)
def _svg(spec: str) -> str:
    drawing = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    drawing = _SIZE.sub(r'<svg xmlns="http://www.w3.org/2000/svg" viewBox="\4">', drawing, count=1)
    # Several drawings share a page: their identifiers must not meet.
    mark = hashlib.sha256(spec.encode()).hexdigest()[:8]
    drawing = drawing.replace('id="', f'id="{mark}-').replace("url(#", f"url(#{mark}-")
    for colour, variable in VARIABLES.items():
        drawing = drawing.replace(f'"{colour}"', f'"var({variable}, {colour})"')
    return drawing
