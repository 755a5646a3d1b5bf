"""Who is told of a finding, and why: rule, feature, source, model, team, fallback."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from alerts.model import Owner
from alerts.plan import Level, Plan
from monitor.model import Family
from watchkeeper.configuration import nearest
from watchkeeper.document import Place
from watchkeeper.model_settings import ModelSettings
from watchkeeper.settings import Settings
from watchkeeper.team_settings import Route, Team

#: Stands for the channel that the service's own settings name.
DEFAULT_CHANNEL = "default"
#: What is broken whatever model reads it: its source has an owner of its own.
_OF_THE_SOURCE = (Family.DATA_CONTRACT, Family.PIPELINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """What the service's settings say of teams and sources.

    Parameters
    ----------
    teams
        By name.
    sources
        The team that owns a table.
    fallback
        Where messages go that have no other way, the first one first.
    default
        Whether Slack has a channel for whatever names none.
    """

    teams: Mapping[str, Team] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()
    default: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Who is told, and where."""

    owner: Owner
    plan: Plan


def routing_of(settings: Settings) -> Routing:
    """Return what the service's settings say of teams and sources."""
    return Routing(
        teams=settings.teams,
        sources=settings.sources,
        fallback=settings.fallback,
        default=settings.slack.channel is not None,
    )


def fallback_of(settings: Settings) -> str | None:
    """Return where messages go whose own destination does not take them."""
    if settings.fallback:
        return settings.fallback[0]
    return None if settings.slack.channel is None else f"slack:{settings.slack.channel}"


def route(
    routing: Routing,
    model: ModelSettings,
    *,
    family: Family,
    source: str = "",
    checks: Collection[str] = (),
    columns: Collection[str] = (),
) -> Told:
    """Return who is told of an incident; the most specific owner that there is.

    Parameters
    ----------
    source
        What its findings have in common.
    checks, columns
        Of the findings with which it opens.
    """
    for chosen in _routes(model.routes, family, checks, columns):
        named = f"rule {chosen.check}" if chosen.check else f"columns {chosen.feature}"
        return _team(routing, chosen.team, f"{named} of model {model.model}")
    for name in (source, model.source.table):
        if family in _OF_THE_SOURCE and name in routing.sources:
            return _team(routing, routing.sources[name], f"source {name}")
    return _model(routing, model)


def _routes(
    routes: Iterable[Route], family: Family, checks: Collection[str], columns: Collection[str]
) -> Iterator[Route]:
    """Yield the routes that fit: those of a rule, then those of columns alone."""
    rules = {str(family), *(checks if len(set(checks)) == 1 else ())}
    for by_rule in (True, False):
        for each in routes:
            fits = each.feature is None or (
                bool(columns) and all(fnmatchcase(name, each.feature) for name in columns)
            )
            ruled = each.check in rules if by_rule else each.check is None
            if fits and ruled:
                yield each


def _team(routing: Routing, name: str, whose: str) -> Told:
    team = routing.teams.get(name, Team())
    owner = Owner(name=name, team=name, why=f"{whose} is told to team {name}")
    return Told(owner=owner, plan=_plan(routing, team, None))


def _model(routing: Routing, model: ModelSettings) -> Told:
    owner = model.owner
    team = routing.teams.get(owner.team or "")
    why = f"owner of model {model.model}"
    if team is not None:
        why += f", team {owner.team}"
    elif owner.channel is None and routing.fallback and not routing.default:
        why += "; told at the fallback: neither it nor a team names a channel"
    told = Owner(name=owner.name, team=owner.team or owner.name, slack=owner.slack, why=why)
    return Told(owner=told, plan=_plan(routing, team or Team(), owner.channel))


def _plan(routing: Routing, team: Team, channel: str | None) -> Plan:
    own = channel or team.channel
    usual: tuple[str, ...] = (f"slack:{own or DEFAULT_CHANNEL}",)
    if own is None and not routing.default and routing.fallback:
        usual = routing.fallback[:1]

    def at(destinations: tuple[str, ...]) -> tuple[str, ...]:
        # The model's own channel stands in for those of its team; what calls people stays.
        if channel is None or not destinations:
            return destinations or usual
        others = [name for name in destinations if not name.startswith("slack:")]
        return (*usual, *others)

    return Plan(
        page=at(team.page),
        ticket=at(team.ticket),
        digest=at(team.digest),
        backup=tuple(dict.fromkeys([*team.backup, *routing.fallback])),
        levels=tuple(Level(after=level.after, to=level.to) for level in team.escalation),
    )


def ownership_problems(settings: Settings, model: ModelSettings) -> Iterator[tuple[Place, str]]:
    """Yield where a model's file names a team that there is not, or nobody who could be told."""
    owner, teams = model.owner, settings.teams
    if teams and owner.team is not None and owner.team not in teams:
        yield ("owner", "team"), f"no team {owner.team!r}; {nearest(owner.team, teams)}"
    for index, chosen in enumerate(model.routes):
        if chosen.team not in teams:
            problem = f"no team {chosen.team!r}; {nearest(chosen.team, teams)}"
            yield ("routes", index, "team"), problem
    reached = [
        settings.slack.channel,
        owner.channel,
        teams.get(owner.team or ""),
        settings.fallback,
    ]
    if settings.slack.token is not None and not any(reached):
        yield (
            ("owner",),
            (
                "nobody is told of this model: name a channel or a team, or set slack.channel or "
                "fallback in watchkeeper.yaml"
            ),
        )
