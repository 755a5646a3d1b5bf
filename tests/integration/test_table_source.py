"""A model whose records are made elsewhere is watched there: in a growing file, in a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, select

from alerts.repository import Incidents
from monitor.attribution_store import Attributions
from monitor.profiles.repository import ProfileRow
from monitor.profiles.tile_rows import tile_rows
from monitor.reference_store import References
from monitor.run import Monitor
from monitor.window_store import WindowRow
from service.cli.run import run
from service.worker import Worker
from watchkeeper.clock import SteppedClock
from watchkeeper.database import read
from watchkeeper.errors import TableError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.window import Window

START = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS_A_DAY = 240


LATE_LABEL = {"column": "late", "delay": "2d"}


def settings_of(table: str, **changes: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "model": "flights",
            "task": "binary",
            "owner": {"name": "Flight models on call"},
            "source": {"table": table},
            "timestamp": "at",
            "prediction": {"score": "chance"},
            "label": {"column": "late", "delay": "1d"},
            "windows": {"size": "1d"},
            "tolerance": {"metric": "roc_auc", "drop": 0.1},
            **changes,
        }
    )


def records(days: int, *, broken_from: int | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = days * ROWS_A_DAY
    chance = rng.beta(2, 4, n)
    late = (rng.random(n) < chance).astype(float)
    day = np.repeat(np.arange(days), ROWS_A_DAY)
    if broken_from is not None:
        chance = np.where(day >= broken_from, rng.beta(2, 4, n), chance)
    seconds = day * 86_400 + np.tile(np.arange(ROWS_A_DAY) * 360, days)
    return pd.DataFrame(
        {
            "at": pd.to_datetime(START.replace(tzinfo=None)) + pd.to_timedelta(seconds, unit="s"),
            "distance": rng.normal(1000, 300, n),
            "carrier": rng.choice(np.array(["AA", "B6"], dtype=object), n),
            "chance": chance,
            "late": late,
        }
    )


class Watch:
    """A worker of one model on a clock that the test moves."""

    def __init__(self, engine: Engine, home: Path, settings: ModelSettings) -> None:
        self.engine, self.settings = engine, settings
        self.clock = SteppedClock(START)
        self.monitor = Monitor(engine, Lake(str(home / "lake")), home)
        self.worker = Worker(
            name="test",
            engine=engine,
            clock=self.clock,
            models={settings.model: settings},
            monitor=self.monitor,
            lease=60.0,
        )

    def tick(self, day: float) -> None:
        self.clock.advance_to(START + day * DAY)
        self.worker.tick()

    def windows(self) -> dict[int, WindowRow]:
        with read(self.engine) as session:
            rows = session.scalars(select(WindowRow).order_by(WindowRow.window_start)).all()
        return {(row.window_start - START) // DAY: row for row in rows}


def test_a_growing_file_is_watched_from_its_first_fifth_to_an_incident(
    engine: Engine, tmp_path: Path
) -> None:
    log = tmp_path / "log.parquet"
    frame = records(18, broken_from=13)

    def write_until(day: float) -> None:
        end = START.replace(tzinfo=None) + day * DAY
        kept = frame[frame["at"] < end].copy()
        kept.loc[kept["at"] >= end - DAY, "late"] = np.nan
        kept.to_parquet(log, index=False)

    watch = Watch(engine, tmp_path, settings_of("log.parquet"))
    write_until(3)
    watch.tick(3)
    assert watch.windows() == {}

    write_until(12)
    watch.tick(12)
    windows = watch.windows()
    # Eleven windows have mature labels; the first fifth of their rows is the reference.
    assert min(windows) == 3
    assert max(windows) == 11
    assert [windows[day].settled for day in (3, 10, 11)] == [True, True, False]
    with read(engine) as session:
        reference = References(session).get("flights", 1)
    assert (reference.start, reference.end) == (START, START + 3 * DAY)

    for day in (13, 14, 15, 16, 17, 18):
        write_until(day)
        watch.tick(day)
    with read(engine) as session:
        live = Incidents(session).live_of("flights", ())
        families = [str(incident.family) for incident in Incidents(session).unfinished()]
    assert "performance" in families
    assert live == []


def test_windows_of_rows_are_cut_from_a_growing_table(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    log, frame = tmp_path / "log.parquet", records(16, broken_from=11)
    settings = settings_of("log.parquet", windows={"size": "100 rows"})
    watch = Watch(sqlite_engine, tmp_path, settings)
    naive = START.replace(tzinfo=None)
    for day in (9, 10, 12.3, 16):
        frame[frame["at"] < naive + day * DAY].to_parquet(log, index=False)
        watch.tick(day)
    with read(sqlite_engine) as session:
        rows = session.scalars(select(WindowRow).order_by(WindowRow.window_start)).all()
        reference = References(session).get("flights", 1)
        families = {str(incident.family) for incident in Incidents(session).unfinished()}
    assert rows[0].window_start == reference.end
    assert [a.window_end for a in rows[:-1]] == [b.window_start for b in rows[1:]]
    assert {row.rows for row in rows} == {100}
    assert len(rows) == ((frame["at"] >= reference.end.replace(tzinfo=None)).sum() - 1) // 100
    assert "performance" in families

    late = frame.iloc[[-500]].assign(at=rows[-4].window_start.replace(tzinfo=None))
    pd.concat([frame, late]).to_parquet(log, index=False)
    found = watch.monitor.profile(settings, START + 16 * DAY)
    assert found.changed == 1
    assert watch.monitor.profile(settings, START + 16 * DAY).tiles == 0
    with read(sqlite_engine) as session:
        stored = tile_rows(session, "flights", 1, since=None)
    window = Window(start=rows[-4].window_start, end=rows[-4].window_end)
    assert sum(count for start, (count, _) in stored.items() if start in window) == 101


def test_labels_reach_windows_of_rows_that_began_long_ago(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    log, frame = tmp_path / "log.parquet", records(150)
    settings = settings_of("log.parquet", windows={"size": "4000 rows"}, label=LATE_LABEL)
    watch = Watch(sqlite_engine, tmp_path, settings)
    naive = START.replace(tzinfo=None)
    for day in range(120, 151, 3):
        seen = frame[frame["at"] < naive + day * DAY].copy()
        seen.loc[seen["at"] >= naive + (day - 3) * DAY, "late"] = np.nan
        seen.to_parquet(log, index=False)
        watch.tick(day)
    with read(sqlite_engine) as session:
        rows = session.scalars(select(WindowRow).order_by(WindowRow.window_start)).all()
    # Sixteen days a window: its last labels come when its beginning is long past.
    assert len(rows) >= 6
    assert {(row.rows, row.labels, row.settled) for row in rows[:-1]} == {(4000, 4000, True)}


def test_a_loss_is_explained_from_the_table(sqlite_engine: Engine, tmp_path: Path) -> None:
    frame = records(14)
    bad = (frame["at"] >= START.replace(tzinfo=None) + 11 * DAY) & (frame["carrier"] == "AA")
    frame.loc[bad, "late"] = (frame.loc[bad, "chance"] < 0.3).astype(float)
    frame.to_parquet(tmp_path / "log.parquet", index=False)
    watch = Watch(sqlite_engine, tmp_path, settings_of("log.parquet"))
    watch.tick(14)
    with read(sqlite_engine) as session:
        window = Window(start=START + 12 * DAY, end=START + 13 * DAY)
        found = Attributions(session).find("flights", 1, window)
    assert found is not None
    assert (found.segments[0].column, found.segments[0].segment) == ("carrier", "AA")
    assert (found.n_current, found.of_current) == (ROWS_A_DAY, ROWS_A_DAY)


def test_only_tiles_that_changed_are_profiled_again(sqlite_engine: Engine, tmp_path: Path) -> None:
    log, frame = tmp_path / "log.parquet", records(12)
    frame.to_parquet(log, index=False)
    watch = Watch(sqlite_engine, tmp_path, settings_of("log.parquet"))
    now = START + 12 * DAY
    assert watch.monitor.profile(watch.settings, now).tiles > 200
    assert watch.monitor.profile(watch.settings, now).tiles == 0

    # A label that came late, a row that came late, and one that is gone.
    hour = START.replace(tzinfo=None) + 10 * DAY
    late = frame.iloc[[0]].assign(at=hour + timedelta(minutes=1))
    frame.loc[frame["at"] == hour + timedelta(hours=5), "late"] = np.nan
    frame = frame[frame["at"] != hour + timedelta(hours=8)]
    pd.concat([frame, late]).to_parquet(log, index=False)
    found = watch.monitor.profile(watch.settings, now)
    assert (found.tiles, found.changed) == (3, 3)


def test_days_that_were_merged_are_divided_where_the_table_has_changed(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    log, frame = tmp_path / "log.parquet", records(12)
    frame.to_parquet(log, index=False)
    watch = Watch(sqlite_engine, tmp_path, settings_of("log.parquet"))
    watch.tick(12)
    watch.tick(15)
    now = START + 45 * DAY
    assert watch.monitor.roll_up(watch.settings, now) == 9
    assert watch.monitor.profile(watch.settings, now).tiles == 0

    midnight = START.replace(tzinfo=None) + 11 * DAY
    late = frame.iloc[[0]].assign(at=midnight + timedelta(hours=3))
    pd.concat([frame, late]).to_parquet(log, index=False)
    found = watch.monitor.profile(watch.settings, now)
    day = stored_since(sqlite_engine, START + 11 * DAY)
    assert (found.tiles, len(day)) == (24, 24)
    assert all(end is None for _, end in day)
    assert sum(rows for rows, _ in day) == 1 + (frame["at"] >= midnight).sum()
    assert watch.monitor.profile(watch.settings, now).tiles == 0

    watch.tick(46)
    ((_, end),) = stored_since(sqlite_engine, START + 11 * DAY)
    assert end == START + 12 * DAY
    frame[frame["at"] < midnight].to_parquet(log, index=False)
    watch.monitor.profile(watch.settings, now + 30 * DAY)
    assert stored_since(sqlite_engine, START + 11 * DAY) == []


def stored_since(engine: Engine, start: datetime) -> list[tuple[int, datetime | None]]:
    with read(engine) as session:
        found = session.execute(
            select(ProfileRow.rows, ProfileRow.rolled_until).where(ProfileRow.tile_start >= start)
        )
        return [(rows, end) for rows, end in found]


def test_versions_in_the_table_are_kept_apart(sqlite_engine: Engine, tmp_path: Path) -> None:
    frame = records(12)
    frame["version"] = np.where(frame["at"] < pd.Timestamp("2013-06-08"), 1, 2)
    frame.to_parquet(tmp_path / "log.parquet", index=False)
    frame.head(5 * ROWS_A_DAY).to_csv(tmp_path / "reference.csv", index=False)
    settings = settings_of("log.parquet", reference={"table": "reference.csv"})
    Watch(sqlite_engine, tmp_path, settings).tick(12)
    with read(sqlite_engine) as session:
        rows = session.scalars(select(ProfileRow)).all()
        kept = {(row.version, row.tile_start < START + 7 * DAY) for row in rows}
        assert References(session).get("flights", 2).profile.rows == 5 * ROWS_A_DAY
    assert kept == {(1, True), (2, False)}


def test_a_table_of_postgresql_is_watched_and_checked(
    postgres_url: str,
    sqlite_engine: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = create_engine(postgres_url)
    frame = records(14)
    early = frame[frame["at"] < pd.Timestamp("2013-06-12")]
    early.to_sql("scored", place, index=False)
    url = postgres_url.replace("postgresql+psycopg://", "postgres://") + "#scored"
    watch = Watch(sqlite_engine, tmp_path, settings_of(url))
    watch.tick(11)
    frame[frame["at"] >= pd.Timestamp("2013-06-12")].to_sql(
        "scored", place, index=False, if_exists="append"
    )
    watch.tick(14)
    place.dispose()
    windows = watch.windows()
    assert max(windows) == 13
    assert {windows[day].rows for day in windows} == {ROWS_A_DAY}

    (tmp_path / "models").mkdir()
    (tmp_path / "watchkeeper.yaml").write_text("{}\n")
    text = (
        "model: flights\ntask: binary\nowner: {name: Somebody, channel: C0FLIGHTS}\n"
        f"source: {{table: '{url}'}}\n"
        "timestamp: at\nprediction: {score: chance}\nlabel: {column: LATE}\n"
        "windows: {size: 1d}\ntolerance: {metric: roc_auc, drop: 0.1}\n"
    )
    config = tmp_path / "models" / "flights.yaml"
    config.write_text(text.replace("LATE", "late"))
    assert run(["check", "--home", str(tmp_path)]) == 0
    config.write_text(text.replace("LATE", "lat"))
    assert run(["check", "--home", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no column 'lat', named by `label.column` of model flights; did you mean 'late'?" in said
    assert "flights.yaml:4: source.table" in said


def test_a_table_that_is_gone_is_an_error_of_that_tick_alone(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    watch = Watch(sqlite_engine, tmp_path, settings_of("log.parquet"))
    with pytest.raises(TableError, match="no such file"):
        watch.monitor.profile(watch.settings, START)
