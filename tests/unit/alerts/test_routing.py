from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.model import Severity
from alerts.plan import Level, Plan
from alerts.routing import Routing, ownership_problems, route
from monitor.model import Family
from service.check import check_project
from watchkeeper.model_settings import ModelSettings
from watchkeeper.settings import Settings
from watchkeeper.team_settings import Team

TEAMS = {
    "flights": Team.model_validate(
        {
            "channel": "C0TEAM",
            "page": ["slack:C0PAGES", "pagerduty:flights"],
            "backup": ["email:night@example.org"],
            "escalation": [{"after": "15m", "to": ["slack:C0LEADS"]}],
        }
    ),
    "platform": Team(channel="C0PLATFORM"),
    "weather": Team(channel="C0WEATHER"),
}
ROUTING = Routing(teams=TEAMS, sources={"weather_feed": "weather"}, fallback=("slack:C0OPS",))


def model(**changes: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "model": "flights",
        "task": "binary",
        "owner": {"name": "Ada Byron", "slack": "U0ADA", "team": "flights"},
        "timestamp": "at",
        "prediction": {"score": "p"},
        "label": {"column": "late"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "roc_auc", "drop": 0.02},
        "routes": [
            {"feature": "wind_*", "team": "weather"},
            {"check": "null_surge", "team": "platform"},
        ],
    }
    return ModelSettings.model_validate(values | changes)


def why(settings: ModelSettings, routing: Routing = ROUTING, **about: Any) -> tuple[str, str]:
    told = route(routing, settings, **({"family": Family.DATA_CONTRACT} | about))
    return told.owner.team, told.owner.why


@pytest.mark.parametrize(
    ("about", "team", "because"),
    [
        (
            {"checks": ["null_surge"], "columns": ["wind_speed"]},
            "platform",
            "rule null_surge of model flights is told to team platform",
        ),
        (
            {"checks": ["range"], "columns": ["wind_speed", "wind_dir"]},
            "weather",
            "columns wind_* of model flights is told to team weather",
        ),
        ({"checks": ["range"], "columns": ["wind_speed", "carrier"]}, "flights", "owner of model"),
        ({"checks": ["range"], "source": "weather_feed"}, "weather", "source weather_feed is told"),
        (
            {"family": Family.PERFORMANCE, "source": "weather_feed"},
            "flights",
            "owner of model flights, team flights",
        ),
    ],
)
def test_the_most_specific_owner_is_told_and_told_why(
    about: dict[str, Any], team: str, because: str
) -> None:
    found, reason = why(model(), **about)

    assert found == team
    assert reason.startswith(because)


def test_a_route_by_family_takes_all_of_its_checks() -> None:
    routed = model(routes=[{"check": "data_contract", "team": "platform"}])

    assert why(routed, checks=["null_surge", "range"])[0] == "platform"


def test_a_severity_goes_where_its_team_says() -> None:
    plan = route(ROUTING, model(), family=Family.PERFORMANCE).plan

    assert plan.page == ("slack:C0PAGES", "pagerduty:flights")
    assert plan.ticket == plan.digest == ("slack:C0TEAM",)
    assert plan.backup == ("email:night@example.org", "slack:C0OPS")
    assert plan.levels == (Level(after=timedelta(minutes=15), to=("slack:C0LEADS",)),)
    assert plan.at_first(Severity.DIGEST) == ()


def test_a_models_own_channel_stands_in_for_those_of_its_team() -> None:
    owner = {"name": "Ada", "team": "flights", "channel": "C0OWN"}
    plan = route(ROUTING, model(owner=owner), family=Family.PERFORMANCE).plan

    assert (plan.page, plan.ticket) == (("slack:C0OWN", "pagerduty:flights"), ("slack:C0OWN",))


def test_who_has_no_channel_is_told_at_the_fallback() -> None:
    alone = model(owner={"name": "Ada"}, routes=[])
    nowhere = Routing(fallback=("email:ops@example.org",), default=False)

    assert route(nowhere, alone, family=Family.PERFORMANCE).plan.page == ("email:ops@example.org",)
    assert "fallback" in why(alone, nowhere)[1]
    assert route(Routing(), alone, family=Family.PERFORMANCE).plan.page == ("slack:default",)


def test_a_plan_is_read_back_as_it_was_kept() -> None:
    plan = route(ROUTING, model(), family=Family.PERFORMANCE).plan

    assert Plan.from_dict(plan.to_dict()) == plan
    assert Plan.from_dict(None) == Plan()


def test_teams_that_there_are_not_and_models_that_nobody_hears_of_are_errors() -> None:
    settings = Settings.model_validate({"home": "/srv", "teams": TEAMS})
    wrong = model(
        owner={"name": "Ada", "team": "flihgts"}, routes=[{"check": "x", "team": "wether"}]
    )
    mute = Settings.model_validate({"home": "/srv", "slack": {"token": "xoxb-test"}})

    assert list(ownership_problems(settings, wrong)) == [
        (("owner", "team"), "no team 'flihgts'; did you mean 'flights'?"),
        (("routes", 0, "team"), "no team 'wether'; did you mean 'weather'?"),
    ]
    assert [place for place, _ in ownership_problems(mute, model(routes=[]))] == [("owner",)]


MODEL = """\
model: flights
task: binary
{owner}
timestamp: at
prediction: {{score: p}}
label: {{column: late}}
windows: {{size: 1d}}
tolerance: {{metric: roc_auc, drop: 0.02}}
"""


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (
            "",
            "flights.yaml:1: owner: missing: who is told; a model that nobody owns is not watched",
        ),
        ("owner: {name: Ada, team: flihgts}", "flights.yaml:3: owner.team: no team 'flihgts'"),
    ],
)
def test_a_model_that_nobody_owns_is_an_error_with_file_and_line(
    tmp_path: Path, owner: str, expected: str
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "watchkeeper.yaml").write_text("teams: {flights: {channel: C0TEAM}}\n")
    (tmp_path / "models" / "flights.yaml").write_text(MODEL.format(owner=owner))
    (error,) = check_project(tmp_path, {})

    assert expected in str(error)
