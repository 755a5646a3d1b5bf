"""A model whose days can be told one by one, and what alerting makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.model import Incident, IncidentChange
from alerts.observe import observe
from alerts.repository import Incidents
from alerts.routing import Routing
from alerts.rows import DeliveryRow
from alerts.stand_in import StandIn
from delivering import TOKEN
from monitor.model import (
    CheckResult,
    CheckStatus,
    EvaluatedWindow,
    Family,
    Measurement,
    Threshold,
)
from watchkeeper.database import read, write
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

FIRST = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure")


def settings_of(model: str, **changes: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "model": model,
        "task": "binary",
        "owner": {"name": "Ada Byron", "slack": "U0ADA", "team": "flights", "channel": "C0FLIGHTS"},
        "timestamp": "scheduled_at",
        "prediction": {"score": "y_pred_proba"},
        "label": {"column": "delayed", "delay": "1d"},
        "windows": {"size": "1d"},
        "tolerance": {"metric": "roc_auc", "drop": 0.02},
    }
    return ModelSettings.model_validate(values | changes)


@dataclass
class Story:
    """Tells windows of one model, a day at a time.

    ``loss`` is the effect on performance in units of its limit, ``alarm`` whether the detector of
    decay says so too, ``broken`` the columns whose nulls have surged, ``drifted`` the effect per
    drifted column.
    """

    engine: Engine
    settings: ModelSettings
    columns: Sequence[str] = (*WEATHER, "carrier", "origin", "dest", "distance", "dep_hour")
    version: int = 1
    changes: list[IncidentChange] = field(default_factory=list)
    routing: Routing = field(default_factory=Routing)

    def window(
        self,
        number: int,
        *,
        loss: float | None = 0.0,
        alarm: bool | None = None,
        broken: Sequence[str] = (),
        drifted: Mapping[str, float] | None = None,
        mature: bool = True,
        revision: int = 0,
        version: int | None = None,
        labels: int = 900,
    ) -> EvaluatedWindow:
        window = Window(start=FIRST + number * DAY, end=FIRST + (number + 1) * DAY)
        drifted = drifted or {}

        def result(family: Family, check: str, metric: str, effect: float, column: str | None):
            bad = effect >= 1
            return CheckResult(
                measurement=Measurement(
                    model=self.settings.model,
                    version=version or self.version,
                    metric=metric,
                    window=window,
                    value=0.75 - 0.02 * effect if column is None else effect,
                    lower=0.70,
                    upper=0.78,
                    n_current=labels if family is Family.PERFORMANCE else 1000,
                    computed_at=window.end,
                    column=column,
                ),
                threshold=Threshold(method="constant", lower=0.73)
                if column is None
                else Threshold(method="constant", upper=1.0),
                family=family,
                check=check,
                status=CheckStatus.CRITICAL if bad else CheckStatus.OK,
                reason=f"{metric} of {column or 'the model'} is {effect:.2f} of its limit",
                effect=effect,
            )

        results = [
            result(Family.DATA_CONTRACT, "null_surge", "null_share", 9.0 * (name in broken), name)
            for name in self.columns
        ]
        results += [
            result(Family.INPUT_DRIFT, "drift", "psi", drifted.get(name, 0.0), name)
            for name in self.columns
        ]
        if loss is not None:
            results.append(result(Family.PERFORMANCE, "performance", "roc_auc", loss, None))
        if alarm is not None:
            results.append(result(Family.PERFORMANCE, "decay", "evidence", 5.0 * alarm, None))
        return EvaluatedWindow(
            model=self.settings.model,
            version=version or self.version,
            window=window,
            rows=1000,
            labels=labels,
            labels_mature=mature,
            evaluated_at=window.end,
            results=tuple(results),
            revision=revision,
        )

    def day(self, number: int, **said: Any) -> list[IncidentChange]:
        return self.see(self.window(number, **said))

    def see(self, window: EvaluatedWindow) -> list[IncidentChange]:
        now = window.window.end
        with write(self.engine) as session:
            changes = observe(session, window, self.settings, now=now, routing=self.routing)
        self.changes += changes
        return changes

    def incidents(self) -> list[Incident]:
        with read(self.engine) as session:
            found = [Incidents(session).get(number) for number in range(1, 100)]
        return [incident for incident in found if incident is not None]

    def incident(self, family: Family = Family.PERFORMANCE) -> Incident:
        (found,) = (each for each in self.incidents() if each.family is family)
        return found

    def deliveries(self) -> list[DeliveryRow]:
        with read(self.engine) as session:
            return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.sequence)))

    def kinds(self) -> list[str]:
        return [row.kind for row in self.deliveries() if row.state != "superseded"]


@pytest.fixture
def flights(engine: Engine) -> Story:
    """The flights model on a fresh database, once per kind of database."""
    return Story(engine=engine, settings=settings_of("flights"))


@pytest.fixture
def tell(engine: Engine) -> Callable[..., Story]:
    """Make the story of another model on the same database."""

    def make(model: str, **changes: Any) -> Story:
        return Story(engine=engine, settings=settings_of(model, **changes))

    return make


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn(users={"U0ADA": "Ada Byron"}) as stand_in:
        yield stand_in


@pytest.fixture
def worker(engine: Engine, slack: StandIn) -> Callable[..., Deliverer]:
    def make(owner: str = "worker", *, timeout: int = 10, **how: Any) -> Deliverer:
        client = make_client(TOKEN, base_url=slack.base_url, timeout=timeout)
        # One message at a time, so that the order of the calls can be told.
        usual = {"limits": UNLIMITED, "look_after": 0.0, "lanes": 1}
        usual |= {"call": timeout, "lease": 3 * timeout}
        return Deliverer(
            engine, {"slack": SlackChannel(client)}, owner=owner, how=Delivering(**(usual | how))
        )

    return make
