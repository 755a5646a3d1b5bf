"""What the models of a fleet do together is told once, of the model that shows it most."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from alerts.message import View, render
from alerts.repository import Incidents, SeriesStore
from alerts.rows import IncidentRow
from feeding import DAY, SCHEMA, START, Feed, flights
from feeding import settings_of as plain_settings
from monitor.detection.behind import Track
from monitor.fleet_store import FleetRow, FleetStates, FleetWindowRow
from monitor.fleet_watch import FleetWatch
from monitor.model import DECAY
from monitor.reference import Reference, fit_reference
from monitor.reference_store import References
from monitor.repository import MeasurementRow
from monitor.run import Monitor
from service.worker import Worker
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read, write
from watchkeeper.fleets import fleets_of, windows_of
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings

MODELS = [f"gate-{letter}" for letter in "abcdefghij"]


def settings_of(name: str, *, streams: int = 1) -> ModelSettings:
    written = plain_settings().model_dump(mode="json", exclude_none=True, exclude_unset=True)
    budget = {"pages": 1, "per": "quarter", "of": "fleet"}
    found = ModelSettings.model_validate(written | {"model": name, "alarm_budget": budget})
    shared = found.alarm_budget.shared_by(len(MODELS), streams=streams)
    return found.model_copy(update={"alarm_budget": shared})


@pytest.fixture(scope="module")
def reference() -> Reference:
    frame = flights(START - 40 * DAY, 40, 0)
    return fit_reference(
        frame,
        schema=SCHEMA,
        settings=settings_of(MODELS[0]),
        timestamps=frame.timestamp,
        y_pred=frame.y_pred,
        y_pred_proba=frame.y_pred_proba,
        y_true=frame.y_true,
    )


@dataclass
class World:
    """Ten models with one worker, on a clock that the test moves."""

    engine: Engine
    root: Path
    models: dict[str, ModelSettings]
    feeds: dict[str, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = SteppedClock(START)
        self.feeds = {name: Feed(self.engine, self.root, name) for name in self.models}
        self.worker = self.new_worker("one")

    def new_worker(self, name: str) -> Worker:
        lake = Lake(str(self.root / "lake"))
        return Worker(
            name=name,
            engine=self.engine,
            clock=self.clock,
            models=self.models,
            monitor=Monitor(self.engine, lake),
            lease=60.0,
        )

    def live(self, number: int, harm: dict[str, float], *, without: tuple[str, ...] = ()) -> None:
        """Let a day pass whose rows are labelled at its end; then it is the next noon."""
        start = START + number * DAY
        for place, (name, feed) in enumerate(self.feeds.items()):
            if name in without:
                continue
            frame = flights(start, 1, 1000 * place + number + 1, harm=harm.get(name, 0.0))
            frame["prediction_id"] = name + frame["prediction_id"]
            feed.ship(frame, start + DAY)
            feed.label(frame, start + DAY)
        self.clock.advance_to(start + 1.5 * DAY)
        self.worker.tick()

    def closed(self) -> dict[datetime, dict[str, object]]:
        with read(self.engine) as session:
            rows = session.scalars(select(FleetWindowRow).order_by(FleetWindowRow.window_start))
            return {row.window_start: row.said for row in rows}

    def incidents(self) -> list[IncidentRow]:
        with read(self.engine) as session:
            return list(
                session.scalars(
                    select(IncidentRow)
                    .where(IncidentRow.family == "performance")
                    .order_by(IncidentRow.id)
                )
            )


def world_of(engine: Engine, root: Path, reference: Reference) -> World:
    with write(engine) as session:
        for name in MODELS:
            References(session).add(name, 1, reference, START)
    return World(engine=engine, root=root, models={name: settings_of(name) for name in MODELS})


@pytest.fixture
def world(engine: Engine, tmp_path: Path, reference: Reference) -> World:
    return world_of(engine, tmp_path, reference)


@pytest.fixture
def small_world(sqlite_engine: Engine, tmp_path: Path, reference: Reference) -> World:
    return world_of(sqlite_engine, tmp_path, reference)


def test_what_all_models_lose_is_one_page_of_the_fleet(world: World) -> None:
    world.live(0, {})
    assert [said["alarmed"] for said in world.closed().values()] == [False]
    assert world.incidents() == []
    world.live(1, dict.fromkeys(MODELS, 0.3))
    (fresh,) = [said for said in world.closed().values() if said["fresh"]]
    assert fresh["harm"] > 1  # type: ignore[operator]
    (page,) = [each for each in world.incidents() if each.severity == "page"]
    assert page.model == fresh["carrier"]
    said = message_of(world.engine, page.id)
    assert "*Evidence*\\nthe fleet has become worse as a whole, and not by chance: 10 of 10" in said
    # Others that are worse by chance are not paged for what all have in common.
    with read(world.engine) as session:
        decay = session.scalars(
            select(MeasurementRow).where(MeasurementRow.check_name == DECAY)
        ).all()
    assert {row.model for row in decay if row.status == "critical"} == {page.model}


def message_of(engine: Engine, incident: int) -> str:
    with read(engine) as session:
        found = Incidents(session).get(incident)
        assert found is not None
        roll = SeriesStore(session).roll_call(incident)
    view = View(
        incident=found,
        members=[series.as_member() for series in roll.worst],
        firing=roll.lasting,
        total=roll.members,
    )
    return json.dumps(render(view).blocks)


def test_one_model_that_breaks_is_no_fleet(small_world: World) -> None:
    small_world.live(0, {})
    for day in (1, 2):
        small_world.live(day, {"gate-c": 0.9})
    assert not any(said["alarmed"] for said in small_world.closed().values())
    assert {each.model for each in small_world.incidents()} == {"gate-c"}


def test_a_model_that_falls_behind_its_fleet_is_a_ticket(small_world: World) -> None:
    small_world.live(0, {})
    random = np.random.default_rng(3)
    with write(small_world.engine) as session:
        row = session.scalars(select(FleetRow)).one()
        # As after four quiet weeks.
        row.tracks = {
            name: {"version": 1, "track": Track(past=tuple(random.normal(0, 0.2, 28))).to_dict()}
            for name in MODELS
        }
    for day in (1, 2, 3):
        small_world.live(day, {"gate-c": 0.2})
    (incident,) = small_world.incidents()
    assert (incident.model, incident.severity) == ("gate-c", "ticket")
    said = message_of(small_world.engine, incident.id)
    assert "is behind the 9 other models with the same windows, by " in said
    for day in range(4, 8):
        small_world.live(day, {})
    (incident,) = small_world.incidents()
    assert incident.state == "recovering"


def test_a_window_waits_for_all_models_but_not_for_ever(small_world: World) -> None:
    small_world.live(0, {}, without=("gate-a",))
    assert small_world.closed() == {}
    # A day after its labels are due it is closed without the model, which is then not waited for.
    small_world.live(1, {}, without=("gate-a",))
    small_world.live(2, {}, without=("gate-a",))
    models = [said["models"] for said in small_world.closed().values()]
    assert models[:2] == [MODELS[1:]] * 2
    assert min(small_world.closed()) == START


def test_a_window_is_closed_once_by_two_workers(world: World) -> None:
    world.live(0, {})
    assert len(world.closed()) == 1
    (fleet,) = fleets_of(world.models)
    now = world.clock.now()
    for _ in range(2):
        with write(world.engine) as session:
            assert FleetWatch(session, fleet, world.models, now).close() == set()
    with read(world.engine) as session:
        row = session.scalars(select(FleetRow)).one()
    assert row.last_window == START
    assert len(world.closed()) == 1


def test_a_worker_that_dies_before_the_commit_has_closed_nothing(small_world: World) -> None:
    (fleet,) = fleets_of(small_world.models)
    small_world.live(0, {})
    before = small_world.closed()

    def die() -> None:
        with write(small_world.engine) as session:
            store = FleetStates(session)
            row = store.open(fleet.key)
            store.close(row, START + DAY, {"alarmed": True})
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die()
    assert small_world.closed() == before


def test_only_models_with_the_same_windows_are_one_fleet() -> None:
    models = {name: settings_of(name) for name in MODELS}
    rows = plain_settings(size="500 rows")
    budget = {"alarm_budget": models[MODELS[0]].alarm_budget}
    models["by-rows"] = rows.model_copy(update=budget | {"model": "by-rows"})
    hourly = plain_settings(size="1h").model_copy(update=budget | {"model": "hourly"})
    models["hourly"] = hourly
    models["alone"] = plain_settings()
    assert windows_of(models["by-rows"]) is None
    assert [fleet.models for fleet in fleets_of(models)] == [tuple(MODELS)]


def test_seven_models_are_no_fleet() -> None:
    assert fleets_of({name: settings_of(name) for name in MODELS[:7]}) == []
    assert np.isclose(settings_of(MODELS[0]).alarm_budget.share, 1 / 20)
    assert np.isclose(settings_of(MODELS[0], streams=0).alarm_budget.share, 1 / 10)
