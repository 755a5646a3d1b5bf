"""Example view models: a model that decays, is retrained, and has its weather feed broken."""

from __future__ import annotations

import pytest

from reports.model import (
    IncidentsView,
    IncidentView,
    ModelsView,
    ModelView,
    Paging,
    RunsView,
    RunView,
    Timeline,
)
from shown_incidents import (
    example_incident_view,
    example_incidents,
    example_rules,
    example_run_view,
    example_runs,
)
from shown_models import example_model, example_models
from shown_timeline import DAY, START, example_timeline


@pytest.fixture
def timeline() -> Timeline:
    return example_timeline()


@pytest.fixture
def models_view() -> ModelsView:
    return example_models()


@pytest.fixture
def model_view() -> ModelView:
    return example_model()


@pytest.fixture
def incident_view() -> IncidentView:
    return example_incident_view()


@pytest.fixture
def run_view() -> RunView:
    return example_run_view()


@pytest.fixture
def incidents_view() -> IncidentsView:
    rows = example_incidents()
    return IncidentsView(
        rows=rows,
        paging=Paging(number=1, size=50, total=len(rows)),
        as_of=START + 100 * DAY,
        open_total=2,
        rules=example_rules(),
    )


@pytest.fixture
def runs_view() -> RunsView:
    return RunsView(
        rows=example_runs(),
        paging=Paging(number=1, size=50, total=130),
        as_of=START + 100 * DAY,
    )
