"""Trailing and season-matched references, read from stored profiles on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from monitor.model import CheckStatus, EvaluatedWindow, Family
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.reference import Reference, fit_reference, profile_frame
from monitor.reference_store import References
from monitor.run import Monitor
from monitor.window_store import Touch, Windows
from watchkeeper.database import write
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.window import window_at

START = datetime(2013, 6, 3, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SCHEMA = FeatureSchema(
    columns=(Column(name="load", kind=ColumnKind.NUMERICAL),),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)


def settings_of(reference: dict[str, str], size: str = "1d") -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "binary",
            "owner": {"name": "Flight models on call"},
            "timestamp": "scheduled_at",
            "prediction": {"score": "y_pred_proba"},
            "label": {"column": "late", "delay": "1d"},
            "reference": reference,
            "windows": {"size": size},
            "tolerance": {"metric": "log_loss", "rise": "20%"},
        }
    )


def rows(start: datetime, hours: int, *, level: float = 0.0, swing: float = 0.0) -> pd.DataFrame:
    """Return 60 rows an hour whose load is higher by ``swing`` by day than by night."""
    rng = np.random.default_rng(int(start.timestamp()) + hours)
    n = hours * 60
    times = pd.to_datetime(start) + pd.to_timedelta(np.arange(n), unit="min")
    day = (times.hour >= 8) & (times.hour < 20)
    score = rng.beta(2, 5, n)
    return pd.DataFrame(
        {
            "timestamp": times,
            "load": rng.normal(level + swing * np.asarray(day), 1, n),
            "score": score,
            "y_true": (rng.random(n) < score).astype(int),
        }
    )


def arguments(frame: pd.DataFrame, settings: ModelSettings) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "settings": settings,
        "timestamps": frame.timestamp,
        "y_pred": (frame.score >= 0.5).astype(int),
        "y_pred_proba": frame.score,
        "y_true": frame.y_true,
    }


class Log:
    """Stores profiles as the profiler would, and evaluates what waits."""

    def __init__(
        self, engine: Engine, root: Path, settings: ModelSettings, past: pd.DataFrame
    ) -> None:
        self.engine, self.settings = engine, settings
        self.monitor = Monitor(engine, Lake(str(root / "lake")))
        fitted = fit_reference(past, **arguments(past, settings))
        with write(engine) as session:
            self.reference: Reference = References(session).add("flights", 1, fitted, START)

    def add(self, frame: pd.DataFrame) -> None:
        tiles = profile_frame(frame, self.reference, **arguments(frame, self.settings))
        size, zone = self.settings.windows.size, self.settings.windows.timezone
        stored = [
            StoredProfile.of("flights", 1, start, profile) for start, profile in tiles.items()
        ]
        windows = {window_at(start, size, zone) for start in tiles}
        with write(self.engine) as session:
            Profiles(session).replace("flights", list(tiles), stored, START)
            touches = [Touch(version=1, window=each, in_rows=True) for each in windows]
            Windows(session).touch("flights", touches)

    def tick(self, now: datetime) -> list[EvaluatedWindow]:
        found = []
        for version, window in self.monitor.pending(self.settings, now):
            with write(self.engine) as session:
                found.append(self.monitor.evaluate(session, self.settings, version, window, now))
        return [each for each in found if each.rows]


def drift(evaluated: EvaluatedWindow) -> tuple[CheckStatus, str]:
    (result,) = [r for r in evaluated.of(Family.INPUT_DRIFT) if r.measurement.column == "load"]
    return result.status, result.reason


def test_a_trailing_reference_takes_over_when_it_has_history(
    engine: Engine, tmp_path: Path
) -> None:
    settings = settings_of({"kind": "trailing", "length": "10d", "gap": "2d"})
    log = Log(engine, tmp_path, settings, rows(START - 20 * DAY, 20 * 24))
    log.add(rows(START, 14 * 24, level=1.0))
    found = log.tick(START + 14 * DAY)
    early, late = found[2], found[13]
    assert drift(early)[0] is CheckStatus.CRITICAL
    assert "too little history for a trailing reference" in drift(early)[1]
    assert "compared with the fixed one" in drift(early)[1]
    assert drift(late)[0] is CheckStatus.OK
    assert "against 10 windows of 10d up to 2013-06-14 00:00" in drift(late)[1]
    # Decay is told by the fixed reference whatever drift is compared with.
    (judged,) = [r for r in late.of(Family.PERFORMANCE) if r.measurement.metric == "log_loss"]
    assert judged.measurement.n_reference == log.reference.profile.labels


def test_a_fault_does_not_become_what_is_normal(sqlite_engine: Engine, tmp_path: Path) -> None:
    settings = settings_of({"kind": "trailing", "length": "10d"})
    log = Log(sqlite_engine, tmp_path, settings, rows(START - 20 * DAY, 20 * 24))
    broken = rows(START + 10 * DAY, 4 * 24).assign(load=np.nan)
    log.add(pd.concat([rows(START, 10 * 24), broken, rows(START + 14 * DAY, 24)]))
    for day in range(1, 16):
        (*_, last) = log.tick(START + day * DAY)
    assert "against 6 windows of 10d" in drift(last)[1]
    assert drift(last)[0] is CheckStatus.OK


def test_a_late_row_renews_the_trailing_reference(sqlite_engine: Engine, tmp_path: Path) -> None:
    settings = settings_of({"kind": "trailing", "length": "10d"})
    log = Log(sqlite_engine, tmp_path, settings, rows(START - 20 * DAY, 20 * 24))
    log.add(rows(START, 11 * 24))
    (*_, before) = log.tick(START + 11 * DAY)
    log.add(pd.concat([rows(START, 24), rows(START, 1)]))
    log.add(pd.concat([rows(START + 10 * DAY, 24), rows(START + 10 * DAY, 1)]))
    (*_, after) = log.tick(START + 12 * DAY)
    counts = [each.of(Family.INPUT_DRIFT)[0].measurement.n_reference for each in (before, after)]
    assert counts == [10 * 24 * 60, (10 * 24 + 1) * 60]


def test_a_season_is_compared_with_itself(sqlite_engine: Engine, tmp_path: Path) -> None:
    settings = settings_of({"kind": "seasonal", "same": "hour_of_day"}, size="6h")
    log = Log(sqlite_engine, tmp_path, settings, rows(START - 5 * DAY, 5 * 24, swing=3))
    log.add(rows(START, 12 * 24, swing=3))
    log.add(rows(START + 12 * DAY, 24, swing=0))
    quiet = log.tick(START + 12 * DAY)
    assert "too little history of the same hour of day" in drift(quiet[0])[1]
    assert "against 11 earlier windows of the same hour of day" in drift(quiet[-1])[1]
    assert [each for each in quiet[20:] if drift(each)[0] is CheckStatus.CRITICAL] == []
    # A day without its usual load: noon is drift, and the night is as always.
    night, _, noon, _ = log.tick(START + 13 * DAY)
    assert drift(noon)[0] is CheckStatus.CRITICAL
    assert drift(night)[0] is not CheckStatus.CRITICAL


def test_a_season_never_seen_is_unknown(sqlite_engine: Engine, tmp_path: Path) -> None:
    settings = settings_of({"kind": "seasonal", "same": "day_of_week"})
    log = Log(sqlite_engine, tmp_path, settings, rows(START - 5 * DAY, 5 * 24))
    weekdays = [rows(START + day * DAY, 24) for day in range(28) if day % 7 < 5]
    log.add(pd.concat([*weekdays, rows(START + 26 * DAY, 24, level=9)]))
    saturday = {each.window.start: each for each in log.tick(START + 28 * DAY)}[START + 26 * DAY]
    status, reason = drift(saturday)
    assert status is CheckStatus.INSUFFICIENT_DATA
    assert reason == "no earlier window of the same day of week is known, so nothing is comparable"


def test_an_hour_at_night_is_held_against_other_nights(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    settings = settings_of({"kind": "fixed"}, size="1h")
    past = rows(START - 12 * DAY, 12 * 24, swing=4)
    past = past[past.timestamp.dt.hour != 3]
    log = Log(sqlite_engine, tmp_path, settings, past)
    log.add(rows(START, 24, swing=4))
    found = log.tick(START + DAY)
    assert [each.window.start for each in found if drift(each)[0] is CheckStatus.CRITICAL] == []
    assert "against the same hour of day of the fixed reference" in drift(found[0])[1]
    assert "has no row in this hour of day" in drift(found[3])[1]
    log.add(rows(START + 3 * DAY, 1, swing=0, level=2))
    (night,) = log.tick(START + 4 * DAY)
    assert drift(night)[0] is CheckStatus.CRITICAL
