from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert

import web_history as story
from monitor.repository import MeasurementRow
from monitor.window_store import WindowRow
from reports.query import Reader
from service.web.context import Web
from watchkeeper.database import read, write
from watchkeeper.registry.repository import DeploymentRow, ModelVersionRow

Put = Callable[..., None]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect what is sent to the database."""
    sent: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement != "BEGIN":
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.fixture
def put(engine: Engine) -> Put:
    def put_model(name: str, *, windows: int = 3, columns: int = 2, drifted: str = "") -> None:
        when = [story.FIRST + i * story.DAY for i in range(windows)]
        rows = [_window(name, start, story.DAY) for start in when]
        measured = [
            _measured(name, start, story.DAY, column, bad=column == drifted)
            for start in when
            for column in ("", *(f"column_{i:04d}" for i in range(columns)))
        ]
        with write(engine) as session:
            session.execute(insert(WindowRow), rows)
            session.execute(insert(MeasurementRow), measured)
            session.execute(insert(ModelVersionRow), [_version(name, when[0])])
            session.execute(insert(DeploymentRow), [_deployment(name, when[0])])

    return put_model


def test_more_models_on_a_page_are_no_more_queries(web: Web, engine: Engine, put: Put) -> None:
    with statements(engine) as alone, web.reader() as reader:
        reader.models()
    for i in range(40):
        put(f"model_{i:02d}")
    with statements(engine) as together, web.reader() as reader:
        view = reader.models()
    assert len(view.rows) == 41
    assert len(together) == len(alone)


def test_more_columns_and_windows_are_no_more_queries(web: Web, engine: Engine, put: Put) -> None:
    put("narrow", windows=2, columns=2)
    put("wide", windows=6, columns=1000, drifted="column_0777")
    models = {
        name: story.SETTINGS.model_copy(update={"model": name}) for name in ("narrow", "wide")
    }
    with read(engine) as session:
        reader = Reader(session, models, now=web.clock.now())
        with statements(engine) as few:
            reader.model("narrow")
        with statements(engine) as many:
            view = reader.model("wide")
    assert len(many) == len(few)
    assert view.strip is not None
    assert (view.strip.rows[0].column, view.strip.hidden) == ("column_0777", 976)
    assert view.features.paging.total == 1000
    assert view.features.cards[0].name == "column_0777"
    assert len(view.features.cards) == 24


def test_every_column_of_a_thousand_is_reached_by_paging_and_by_name(web: Web, put: Put) -> None:
    put("wide", windows=1, columns=1000)
    with web.reader() as reader:
        last = reader.model("wide", page=42).features
        found = reader.model("wide", feature="0999").features
    assert [card.name for card in last.cards][-1] == "column_0999"
    assert [card.name for card in found.cards] == ["column_0999"]


def test_models_are_paged_and_those_in_trouble_come_first(web: Web, put: Put) -> None:
    for i in range(30):
        put(f"a_model_{i:02d}", windows=1)
    with web.reader() as reader:
        first, second = (reader.models(page=page, size=20) for page in (1, 2))
    names = [row.name for row in (*first.rows, *second.rows)]
    assert names[0] == "flights"
    assert names[1:] == sorted(names[1:])
    assert len(set(names)) == first.paging.total == 31


def test_a_window_that_was_never_evaluated_is_not_shown(engine: Engine, web: Web) -> None:
    start = story.FIRST + 30 * story.DAY
    waiting = {**_window("flights", start, story.DAY), "evaluated_at": None, "status": None}
    with write(engine) as session:
        session.execute(insert(WindowRow), [waiting])
    with web.reader() as reader:
        assert reader.windows("flights").rows[0].window.start < start


def test_a_model_that_is_in_no_file_any_more_can_still_be_looked_at(
    engine: Engine, put: Put, web: Web
) -> None:
    put("retired")
    with read(engine) as session:
        view = Reader(session, {}, now=web.clock.now()).model("retired")
    assert view.timeline is None
    assert view.row.owner is None
    assert view.windows.paging.total == 3


def _window(model: str, start: datetime, size: Any) -> dict[str, Any]:
    return {
        "model": model,
        "window_start": start,
        "window_end": start + size,
        "version": 1,
        "row_changes": 1,
        "label_changes": 1,
        "settled": True,
        "labels_mature": True,
        "rows": 0,
        "labels": 0,
        "status": "ok",
        "revision": 0,
        "evaluated_at": start + 2 * size,
    } | {"rows": 500, "labels": 500}


def _measured(model: str, start: datetime, size: Any, column: str, *, bad: bool) -> dict[str, Any]:
    return {
        "model": model,
        "window_start": start,
        "window_end": start + size,
        "version": 1,
        "metric": "psi" if column else "roc_auc",
        "column_name": column,
        "segment": "",
        "revision": 0,
        "value": 0.5,
        "n_reference": 500,
        "n_current": 500,
        "family": "input_drift" if column else "performance",
        "check_name": "drift" if column else "performance",
        "status": "critical" if bad else "ok",
        "reason": "as measured",
        "effect": 0.1,
        "threshold_method": "none",
        "computed_at": start + 2 * size,
    }


def _version(model: str, at: datetime) -> dict[str, Any]:
    return {
        "name": model,
        "version": 1,
        "signature": {},
        "artifact_sha256": "0" * 64,
        "artifact_format": "onnx",
        "metrics": {},
        "generation": 1,
        "created_at": at,
    }


def _deployment(model: str, at: datetime) -> dict[str, Any]:
    return {
        "model": model,
        "generation": 1,
        "version": 1,
        "weight": 0.0,
        "decided_by": "ana",
        "reason": "First version.",
        "at": at,
    }
