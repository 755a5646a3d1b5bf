from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.stand_in import StandIn
from service.bootstrap import Service
from service.start import open_service
from watchkeeper.clock import SteppedClock
from watchkeeper.errors import ConfigurationError

MODEL = """\
model: flights
task: binary
owner: {name: Flight models on call, team: flights}
routes:
- {feature: "wind_*", team: weather}
timestamp: scheduled_at
prediction: {score: y_pred_proba}
label: {column: delayed, delay: 1d}
windows: {size: 1d}
tolerance: {metric: roc_auc, drop: 0.02}
"""
SERVICE = """\
database_url: '{database}'
slack: {{base_url: '{slack}', token_file: token}}
teams:
  flights:
    channel: C0FLIGHTS
    page: [slack:C0PAGES]
    on_call:
      people: {{ada: {{name: Ada Byron, slack: U0ADA}}, bob: {{name: Bob, slack: U0BOB}}}}
      rotation: [ada, bob]
      start: 2013-05-27T09:00
  weather: {{channel: C0WEATHER}}
"""


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def home(tmp_path: Path, database_url: str, slack: StandIn) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "flights.yaml").write_text(MODEL)
    (tmp_path / "token").write_text("xoxb-test")
    text = SERVICE.format(database=database_url, slack=slack.base_url)
    (tmp_path / "watchkeeper.yaml").write_text(text)
    return tmp_path


def at_work(home: Path, now: datetime) -> Service:
    environ = {key: value for key, value in os.environ.items() if "WATCHKEEPER" not in key}
    return open_service(home, environ, clock=SteppedClock(now))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_from_the_files_to_the_right_people(flights: Any, home: Path, slack: StandIn) -> None:
    tuesday = datetime(2013, 6, 4, 6, tzinfo=UTC)
    service = at_work(home, tuesday)
    flights.settings, flights.routing = service.models["flights"], service.worker.routing
    flights.day(0, broken=("wind_dir", "wind_speed"))
    service.deliverer.run_once()
    (weather,) = slack.messages("C0WEATHER")
    assert "of model flights is told to team weather" in str(weather["blocks"])

    trains = replace(flights, settings=flights.settings.model_copy(update={"model": "trains"}))
    trains.day(0, broken=trains.columns)
    service.deliverer.run_once()
    (page,) = slack.messages("C0PAGES")
    assert "*On call*  <@U0BOB> until 10 Jun 2013 09:00 UTC" in str(page["blocks"])

    service.worker.tick()
    service.deliverer.run_once()
    assert slack.messages("C0FLIGHTS") == []
    clock = service.clock
    assert isinstance(clock, SteppedClock)
    clock.advance_to(tuesday + timedelta(hours=3))
    service.worker.tick()
    service.deliverer.run_once()
    digests = [each["text"] for each in slack.messages("C0WEATHER") if "Digest" in each["text"]]
    assert digests[0].startswith("Digest of weather, Tuesday 4 June: 1 open. Open: INC-0001")
    service.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_team_that_there_is_not_stops_the_service_with_file_and_line(home: Path) -> None:
    path = home / "models" / "flights.yaml"
    path.write_text(MODEL.replace("team: weather", "team: wether"))
    with pytest.raises(ConfigurationError) as refused:
        at_work(home, datetime(2013, 6, 4, tzinfo=UTC))

    assert str(refused.value).endswith(
        "flights.yaml:5: routes.0.team: no team 'wether'; did you mean 'weather'?"
    )
