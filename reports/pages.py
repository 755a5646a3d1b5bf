"""The pages: pure functions from a view model to HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from alerts.self_watch import THE_SERVICE
from alerts.storm import SEVERAL
from monitor.model import Family
from reports import charts, sentences, words
from reports.charts.timeline import NARROW, WIDE
from reports.model import (
    IncidentsView,
    IncidentView,
    ModelRow,
    ModelsView,
    ModelView,
    RunsView,
    RunView,
    SegmentRow,
    Timeline,
)

ASSETS = Path(__file__).parent / "assets"
RUN_STATES = ("queued", "running", "succeeded", "refused", "failed", "cancelled", "held")


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """Where and for whom a page is shown.

    Parameters
    ----------
    path, params
        The page's own address, without and with its query.
    user
        Name of the signed-in token, or what stands for it.
    signed_in, can_sign_in
        Whether signing out, or signing in, is offered.
    refresh
        Seconds between refreshes; None for a page that stands still.
    may_acknowledge, may_roll_back
        Actions that the page offers.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    signed_in: bool = False
    can_sign_in: bool = False
    refresh: int | None = None
    may_acknowledge: bool = False
    may_roll_back: bool = False
    version: str = ""
    fragment: str = ""

    @property
    def section(self) -> str:
        """The entry of the main navigation that this page belongs to."""
        return next(
            (place for place in ("/incidents", "/runs") if self.path.startswith(place)), "/"
        )

    @property
    def url(self) -> str:
        """The page's address with its query."""
        return self.link({})

    def link(self, changes: Mapping[str, Any], fragment: str = "") -> str:
        """Return this page's address with some parameters changed; None takes one away.

        Examples
        --------
        >>> Here(path="/", params={"q": "a b", "page": "2"}).link({"page": 3})
        '/?q=a+b&page=3'
        """
        params = {**self.params, **changes}
        kept = {name: value for name, value in params.items() if value not in (None, "")}
        query = f"?{urlencode(kept)}" if kept else ""
        return f"{quote(self.path)}{query}{fragment or self.fragment}"

    def at(self, fragment: str) -> Here:
        """Return the same place with links that lead to a part of the page."""
        return replace(self, fragment=fragment)

    def asset(self, name: str) -> str:
        """Return the address of an asset; it changes with the asset, so that it can be kept."""
        return f"/assets/{name}?{_digest(name)}"


def models(view: ModelsView, here: Here) -> str:
    """Render the overview of all models."""
    return _render("models", here, view=view)


def model(view: ModelView, here: Here) -> str:
    """Render one model."""
    return _render("model", here, view=view, charts=_charts(view.timeline, maturity=True))


def incidents(view: IncidentsView, here: Here) -> str:
    """Render the list of incidents."""
    return _render("incidents", here, view=view, families=[str(family) for family in Family])


def incident(view: IncidentView, here: Here) -> str:
    """Render one incident."""
    return _render("incident", here, view=view, charts=_charts(view.timeline))


def runs(view: RunsView, here: Here) -> str:
    """Render the list of retrain runs and refusals."""
    return _render("runs", here, view=view, states=RUN_STATES)


def run(view: RunView, here: Here) -> str:
    """Render one retrain run."""
    return _render("run", here, view=view)


def login(here: Here, *, follow: str, problem: str | None = None) -> str:
    """Render the page that takes a token."""
    return _render("login", here, problem=problem, next=follow)


def error(here: Here, *, status: int, title: str, detail: str) -> str:
    """Render a page that says what went wrong and where to go."""
    return _render("error", here, status=status, title=title, detail=detail)


def _render(name: str, here: Here, **values: Any) -> str:
    return _environment().get_template(f"{name}.html.j2").render(here=here, **values)


def _charts(timeline: Timeline | None, *, maturity: bool = False) -> dict[str, Any]:
    if timeline is None or not timeline.points:
        return {"timeline": None}
    drawn: dict[str, Any] = {
        "timeline": {
            "wide": Markup(charts.timeline_svg(timeline, width=WIDE)),  # noqa: S704
            "narrow": Markup(charts.timeline_svg(timeline, width=NARROW)),  # noqa: S704
        }
    }
    if maturity:
        drawn["maturity"] = {
            "wide": Markup(charts.maturity_svg(timeline, width=WIDE)),  # noqa: S704
            "narrow": Markup(charts.maturity_svg(timeline, width=NARROW)),  # noqa: S704
            "words": charts.maturity_alt(timeline),
        }
    return drawn


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(module, name)
        for module, names in (
            (
                words,
                "ago count day elapsed listed metric_name number p_value plain sentence share "
                "seconds signed span when",
            ),
            (
                sentences,
                "budget_words burn_words delivery_tone headline incident_name incident_tone "
                "limit_of message_kind null_surge run_state run_title run_tone strip_span verdict "
                "watch_tone watch_words",
            ),
        )
        for name in names.split()
    }
    # Some incidents are of no one model, and have no page of one to go to.
    environment.tests["a_model"] = lambda name: name not in {SEVERAL, THE_SERVICE}
    environment.filters |= {
        "model_url": lambda name: f"/models/{quote(str(name), safe='')}",
        "incident_url": lambda key: f"/incidents/{quote(str(key), safe='')}",
        "run_url": lambda key: f"/runs/{quote(str(key), safe='')}",
        "spark": _spark,
        "segment_spark": _segment_spark,
        # Drawn by our own code, which escapes every name that it writes.
        "heat": lambda row, strip, zone: Markup(charts.strip_svg(row, strip, zone)),  # noqa: S704
        "contribution": lambda bar, bars: Markup(charts.contribution_svg(bar, bars)),  # noqa: S704
        "forest": lambda found: Markup(charts.forest_svg(found)),  # noqa: S704
        "histogram": lambda card: Markup(  # noqa: S704
            charts.histogram_svg(card.distribution, name=card.name)
        ),
    }
    return environment


def _spark(row: ModelRow) -> Markup:
    drawing = charts.sparkline_svg(row.trend, metric=row.metric or "", limit=row.limit)
    return Markup(drawing)  # noqa: S704


def _segment_spark(row: SegmentRow, metric: str) -> Markup:
    return Markup(charts.sparkline_svg(row.trend, metric=metric, limit=row.limit))  # noqa: S704


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:10]
