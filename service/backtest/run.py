"""The back-test of one model's file on one table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from monitor.profiles.model import Profile
from monitor.profiles.repository import Profiles, StoredProfile
from monitor.reference import Reference
from monitor.reference_store import References
from monitor.run import Monitor
from monitor.sources.checking import check_table
from monitor.sources.counts import between, tile_counts, with_label_delay
from monitor.sources.pieces import Piece, pieces_of_window
from monitor.sources.rows import TableRows
from monitor.sources.schema import TableSchema, read_schema, require_features
from monitor.sources.windows import PlannedWindow, plan_windows, split_reference, whole_windows
from monitor.tables import Tables
from reports.backtest_result import BacktestReference, BacktestResult
from service.backtest.collect import budget_of, incidents_of, window_of
from service.backtest.counted import CountedLog, count_log, real_times
from service.backtest.plan import Look, looks_at
from service.backtest.replay import VERSION, Replay
from watchkeeper.database import Base, make_engine, read, write
from watchkeeper.errors import InputError
from watchkeeper.lake import Lake
from watchkeeper.model_settings import ModelSettings
from watchkeeper.tolerance import Better
from watchkeeper.window import Window, format_duration

#: DuckDB works through temporary files beyond this.
MEMORY = "1GB"

#: Told what is being done, and which share of that is done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """What is back-tested: the rows, their reference, and the windows to judge."""

    rows: TableRows
    settings: ModelSettings
    reference: Reference
    reference_table: str
    schema: TableSchema
    windows: Sequence[PlannedWindow]
    counted: CountedLog | None = None


def backtest(
    settings: ModelSettings, data: str, *, reference: str | None, progress: Progress
) -> BacktestResult:
    """Say what would have happened had this file been in force while the log was written.

    The log is profiled once and then replayed by a clock of its own through the evaluation and
    the incidents of the service, in a temporary folder that is removed again; nothing is sent.

    Parameters
    ----------
    data, reference
        Tables; without a reference it is the first fifth of the data by time, which is then not
        judged.

    Raises
    ------
    TableError
        A table cannot be read, lacks a column, or holds what it cannot.
    InputError
        There is no whole window to judge.
    """
    with (
        Tables(memory=MEMORY) as tables,
        tempfile.TemporaryDirectory(prefix="watchkeeper-backtest-") as folder,
    ):
        progress("reading", 0.0)
        subject = _prepare(tables, settings, data, reference)
        engine = make_engine(f"sqlite:///{Path(folder) / 'backtest.db'}")
        try:
            Base.metadata.create_all(engine)
            monitor = Monitor(engine, Lake(str(Path(folder) / "lake")))
            result = _replayed(subject, engine, monitor, progress)
            return result if subject.counted is None else real_times(result, subject.counted)
        finally:
            engine.dispose()


def _prepare(tables: Tables, settings: ModelSettings, data: str, reference: str | None) -> _Subject:
    table = tables.open(data)
    check_table(tables, table, settings)
    known = table if reference is None else tables.open(reference)
    if reference is not None:
        check_table(tables, known, settings)
    settings = with_label_delay(tables, known, settings)
    counted = None
    if settings.windows.rows is not None:
        counted = count_log(tables, table, known, settings)
        table, known, settings = counted.table, counted.known, counted.settings
    counts = tile_counts(tables, table, settings)
    windows = whole_windows(plan_windows(counts, settings), settings.windows.tile)
    if reference is None:
        asked = None if counted is None else counted.asked
        first, windows = split_reference(windows, settings, asked=asked)
        start, end = first[0].window.start, first[-1].window.end
        known = between(tables, table, settings, start=start, end=end)
    if not any(planned.tiles for planned in windows):
        size = format_duration(settings.windows.size)
        raise InputError(f"{table.name}: holds no whole window of {size}")
    schema = read_schema(tables, known, settings)
    require_features(table, schema.features)
    rows = TableRows(tables=tables, table=known, settings=settings, schema=schema.features)
    return _Subject(
        rows=replace(rows, table=table),
        settings=settings,
        reference=rows.fit_reference(),
        reference_table=known.name,
        schema=schema,
        windows=windows,
        counted=counted,
    )


def _replayed(
    subject: _Subject, engine: Engine, monitor: Monitor, progress: Progress
) -> BacktestResult:
    settings, model = subject.settings, subject.settings.model
    with write(engine) as session:
        start = subject.windows[0].window.start
        reference = References(session).add(model, VERSION, subject.reference, start)
    subject = replace(subject, reference=reference)
    looks = looks_at(subject.windows, settings)
    later = _store_profiles(subject, engine, looks, progress)
    replay = Replay(
        engine=engine,
        monitor=monitor,
        settings=settings,
        profiles=lambda look: later.get((look.window, look.number), ()),
    )
    found = replay.run(looks, lambda share: progress("replaying", share))
    with read(engine) as session:
        incidents = incidents_of(session, model, replay.told)
    metric = settings.tolerance.metric
    windows = [window_of(found[planned.window], metric) for planned in subject.windows]
    span = windows[-1].window.end - windows[0].window.start
    return BacktestResult(
        model=model,
        table=subject.rows.table.name,
        metric=metric,
        higher_is_better=settings.tolerance.better is Better.HIGHER,
        zone=settings.windows.timezone.key,
        reference=_reference_of(subject),
        windows=tuple(windows),
        incidents=tuple(incidents),
        budget=budget_of(settings, span, incidents, subject.reference.budget),
        features=subject.schema.features.names,
        left_out=subject.schema.left_out,
    )


def _store_profiles(
    subject: _Subject, engine: Engine, looks: Sequence[Look], progress: Progress
) -> dict[tuple[Window, int], list[StoredProfile]]:
    """Store what the first look at each window sees; return what later looks see differently."""
    planned = {each.window: each for each in subject.windows}
    model = subject.settings.model
    newest: dict[datetime, bytes] = {}
    later: dict[tuple[Window, int], list[StoredProfile]] = {}
    rounds = range(max(look.number for look in looks) + 1)
    for number in rounds:
        of_round = [look for look in looks if look.number == number]
        pieces = {
            look.window: _pieces(planned[look.window], look, subject.settings) for look in of_round
        }
        owners = {piece.start: window for window, parts in pieces.items() for piece in parts}
        done = 0
        wanted = [piece for parts in pieces.values() for piece in parts]
        for profiles in subject.rows.profiles(subject.reference.bins, wanted):
            stored = [_stored(model, start, profile) for start, profile in profiles.items()]
            fresh = [each for each in stored if newest.get(each.tile_start) != each.data]
            newest |= {each.tile_start: each.data for each in fresh}
            if number == 0:
                with write(engine) as session:
                    Profiles(session).replace(
                        model, [each.tile_start for each in fresh], fresh, of_round[0].now
                    )
            else:
                for each in fresh:
                    later.setdefault((owners[each.tile_start], number), []).append(each)
            done += len(profiles)
            progress("profiling", (number + done / len(wanted)) / len(rounds))
    return later


def _pieces(planned: PlannedWindow, look: Look, settings: ModelSettings) -> list[Piece]:
    tiles = [tile.start for tile in planned.tiles]
    return pieces_of_window(tiles, settings.windows.timezone, look.now)


def _stored(model: str, start: datetime, profile: Profile) -> StoredProfile:
    return StoredProfile.of(model, VERSION, start, profile)


def _reference_of(subject: _Subject) -> BacktestReference:
    reference = subject.reference
    return BacktestReference(
        table=subject.reference_table,
        start=reference.start,
        end=reference.end,
        rows=reference.profile.rows,
        labels=reference.profile.labels,
        level=reference.level(subject.settings.tolerance.metric, subject.settings.own_metrics),
        note=reference.note,
    )
