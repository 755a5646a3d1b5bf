"""Bring what the spool holds to the lake, each record once, whenever the process may die."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from monitor.profiles.marks import DirtyTiles
from serving.lookup import current_labels, known_ids, logged_ids
from serving.payload import (
    decode_labels,
    decode_predictions,
    encode,
    label_table,
    prediction_table,
)
from serving.repository import UnmatchedLabels
from serving.spool import Payload, Spool, SpoolBatch
from watchkeeper.database import read, write
from watchkeeper.errors import InputError, NotFoundError, WatchkeeperError
from watchkeeper.lake import Lake
from watchkeeper.registry.repository import ModelVersions
from watchkeeper.schema import FeatureSchema

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Shipped:
    """What one pass did.

    Parameters
    ----------
    predictions, labels
        Rows that were handed over, those that the lake already had among them.
    buried
        Rows that the lake can never take; they are in the spool's dead letters, with the reason.
    problems
        Why tables had to be left for the next pass.
    """

    predictions: int = 0
    labels: int = 0
    buried: int = 0
    problems: list[str] = field(default_factory=list)


def ship(spool: Spool, lake: Lake, engine: Engine, *, now: datetime) -> Shipped:
    """Hand over all that waits: append to the lake, mark what is to be profiled anew, forget.

    The order makes it safe to die anywhere: a batch that was appended is recognised by its number
    when it is appended again, and marks may be set twice.

    Parameters
    ----------
    now
        Event time of the marks.
    """
    spool.bind()
    work = _Pass(spool=spool, lake=lake, engine=engine, now=now)
    while batches := [b for b in spool.batches() if _table(b) not in work.stuck]:
        for batch in batches:
            work.take(batch)
    return work.done


@dataclass(kw_only=True, slots=True)
class _Pass:
    spool: Spool
    lake: Lake
    engine: Engine
    now: datetime
    done: Shipped = field(default_factory=Shipped)
    stuck: set[tuple[str, str, int]] = field(default_factory=set)

    def take(self, batch: SpoolBatch) -> None:
        # The lake takes a writer's batches in order only: none may overtake one that waits.
        if _table(batch) in self.stuck:
            return
        try:
            self._ship(batch)
        except (InputError, NotFoundError, ValueError, TypeError, OverflowError) as exc:
            if _passing(exc):
                self._leave(batch, exc)
            else:
                self._divide(batch, exc)
        except (WatchkeeperError, SQLAlchemyError, OSError, duckdb.Error) as exc:
            self._leave(batch, exc)

    def _ship(self, batch: SpoolBatch) -> None:
        payloads = self.spool.payloads(batch)
        schema_of = _schemas(self.engine, batch.model)
        if batch.kind == "predictions":
            rows = prediction_table([decode_predictions(p) for p in payloads], schema_of)
            self._ship_predictions(batch, rows)
            self.done.predictions += rows.num_rows
        else:
            rows = label_table([decode_labels(p) for p in payloads], schema_of)
            self._ship_labels(batch, rows)
            self.done.labels += rows.num_rows
        self.spool.acknowledge(batch)

    def _ship_predictions(self, batch: SpoolBatch, rows: pa.Table) -> None:
        ids = rows["prediction_id"].to_pylist()
        timestamps = rows["timestamp"].to_pylist()
        # A client that never saw its answer asks again: the first answer is the one that counts.
        days = {timestamp.date() for timestamp in timestamps}
        known = logged_ids(self.lake.predictions(batch.model), ids, days)
        self.lake.append_predictions(
            batch.model,
            batch.generation,
            _without(rows, known),
            writer=self.spool.writer,
            sequence=batch.sequence,
        )
        with write(self.engine) as session:
            DirtyTiles(session).mark(batch.model, timestamps, self.now)
            UnmatchedLabels(session).discard(batch.model, ids)

    def _ship_labels(self, batch: SpoolBatch, rows: pa.Table) -> None:
        writer, sequence = self.spool.writer, batch.sequence
        lake_labels = self.lake.labels(batch.model)
        current = current_labels(lake_labels, rows, writer=writer, sequence=sequence)
        values = zip(rows["prediction_id"].to_pylist(), rows["y_true"].to_pylist(), strict=True)
        new = _without(rows, {name for name, y_true in values if current.get(name) == y_true})
        if not new.num_rows:
            return
        self.lake.append_labels(batch.model, new, writer=writer, sequence=sequence)
        ids = new["prediction_id"].to_pylist()
        days = [instant.date() for instant in new["labelled_at"].to_pylist()]
        unknown = set(ids) - known_ids(self.lake.predictions(batch.model), ids, max(days))
        with write(self.engine) as session:
            DirtyTiles(session).mark_labels(
                batch.model, writer=writer, sequence=sequence, days=days, at=self.now
            )
            UnmatchedLabels(session).add(batch.model, unknown, self.now)
        if unknown:
            _log.info("model %s: %d labels without a prediction", batch.model, len(unknown))

    def _divide(self, batch: SpoolBatch, exc: Exception) -> None:
        """Halve a batch that was refused, until what is at fault stands alone: set that aside."""
        payloads = self.spool.payloads(batch)
        parts = _halves(batch, payloads)
        if parts is not None:
            self.spool.divide(batch, parts)
            return
        reason = " ".join(str(exc).split())[:300] or type(exc).__name__
        _log.error("a record of model %s cannot be stored: %s", batch.model, reason)
        self.spool.bury(batch, reason)
        self.done.buried += sum(payload.rows for payload in payloads)

    def _leave(self, batch: SpoolBatch, exc: Exception) -> None:
        self.stuck.add(_table(batch))
        reason = " ".join(str(exc).split())[:300]
        self.done.problems.append(f"{batch.kind} of {batch.model} wait in the spool: {reason}")
        _log.warning("%s of model %s wait in the spool: %s", batch.kind, batch.model, reason)


def _schemas(engine: Engine, model: str) -> Callable[[int], FeatureSchema]:
    @functools.cache
    def schema_of(version: int) -> FeatureSchema:
        with read(engine) as session:
            return ModelVersions(session).get(model, version).schema

    return schema_of


def _without(rows: pa.Table, ids: set[str]) -> pa.Table:
    if not ids:
        return rows
    known = pc.is_in(rows["prediction_id"], value_set=pa.array(sorted(ids), pa.string()))
    return rows.filter(pc.invert(known))


def _halves(batch: SpoolBatch, payloads: list[Payload]) -> list[list[Payload]] | None:
    if len(payloads) > 1:
        middle = len(payloads) // 2
        return [payloads[:middle], payloads[middle:]]
    try:
        rows = (
            decode_predictions(payloads[0])
            if batch.kind == "predictions"
            else decode_labels(payloads[0])
        )
    except ValueError:
        return None
    if len(rows) < 2:
        return None
    middle = len(rows) // 2
    return [[encode(rows.part(0, middle))], [encode(rows.part(middle, len(rows)))]]


def _passing(exc: Exception) -> bool:
    # The lake wraps what its storage says in the same class as what is wrong with the rows.
    return isinstance(exc.__cause__, DeltaError | OSError | SQLAlchemyError)


def _table(batch: SpoolBatch) -> tuple[str, str, int]:
    return batch.kind, batch.model, batch.generation
