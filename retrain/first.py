"""The first version of a model, from a table of labelled rows."""

from __future__ import annotations

import zlib
from datetime import timedelta

from retrain.claims import RetrainClaims
from retrain.dataset import Dataset, read_table
from retrain.heartbeat import StoppedError, beating
from retrain.model import RetrainRun, RunState, Trigger
from retrain.register import Candidate, prepare, register
from retrain.repository import RetrainRuns
from retrain.signature import signature
from retrain.split import REFERENCE_SHARE
from retrain.workplace import Workplace
from watchkeeper.database import write
from watchkeeper.errors import ConflictError, TrainingError, WatchkeeperError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions

_LARGEST_SEED = 2**31 - 1
_TICK = timedelta(microseconds=1)


def train_first(
    place: Workplace, settings: ModelSettings, table: str, *, by: str = "watchkeeper"
) -> ModelVersion:
    """Train, register and deploy version 1.

    The newest fifth of the table's period is held out: it becomes the version's reference, and
    the level of performance that the model is held to. It is never a random split, which would
    flatter the model.

    Parameters
    ----------
    table
        Path, glob or URL of the labelled rows.
    by
        Who asked for it.

    Raises
    ------
    ConflictError
        The model has a version, or is being trained.
    TrainingError, TableError, InputError
        The code delivered no model, or the table cannot be used; the run's record says the same.
    """
    run = _begin(place, settings, table, by)
    with beating(place.engine, run, place.lease, place.stopping) as heart:
        workshop = place.workshop(run, settings, heart.check)
        try:
            rows, kinds = read_table(table, settings, place.clock.now())
            past, held_out = _newest_held_out(rows, table)
            schema = signature(settings, kinds, rows.features, rows.label)
            place.progress(settings.model, f"training on {len(past):,} rows")
            fitted = workshop.fit("first", past, schema)
            place.progress(settings.model, f"fitting the reference on {len(held_out):,} rows")
            candidate = prepare(fitted, held_out, settings, place.artifacts)
            heart.check()
            return _conclude(place, settings, run, candidate, table)
        except WatchkeeperError as exc:
            _fail(place, run, str(exc))
            raise
        except StoppedError as exc:
            _fail(place, run, "the worker was shut down")
            raise TrainingError("cancelled", "the worker was shut down") from exc
        finally:
            workshop.clear()


def _begin(place: Workplace, settings: ModelSettings, table: str, by: str) -> RetrainRun:
    now = place.clock.now()
    with write(place.engine) as session:
        newest = ModelVersions(session).latest(settings.model)
        if newest is not None:
            raise ConflictError(
                f"model {settings.model!r} has version {newest.version} already; retrain it instead"
            )
        past = len(RetrainRuns(session).of(settings.model, limit=1000))
        run = RetrainRuns(session).add(
            model=settings.model,
            trigger=Trigger.FIRST,
            cause=f"first training on {table}",
            retrain_key=f"{settings.model}:first:{past}",
            requested_by=by,
            seed=zlib.crc32(settings.model.encode()) & _LARGEST_SEED,
            fits=1,
            queued_at=now,
        )
        started = (
            None
            if run is None
            else RetrainClaims(session).start(run, place.owner, place.lease, now)
        )
    if started is None:
        raise ConflictError(f"model {settings.model!r} is being trained already")
    return started


def _newest_held_out(rows: Dataset, table: str) -> tuple[Dataset, Dataset]:
    if len(rows) < 2:
        raise TrainingError("refused", f"{table}: {len(rows)} labelled rows, expected many")
    first, last = rows.timestamps.iloc[0], rows.timestamps.iloc[-1]
    cut = (last - (last - first) * REFERENCE_SHARE).to_pydatetime()
    past, held_out = rows.between(None, cut), rows.between(cut, None)
    if not len(past):
        raise TrainingError("refused", f"{table}: all rows have the same {first.isoformat()}")
    return past, held_out


def _conclude(
    place: Workplace, settings: ModelSettings, run: RetrainRun, candidate: Candidate, table: str
) -> ModelVersion:
    now = place.clock.now()
    fitted, reference = candidate.fitted, candidate.reference
    data = {
        "table": table,
        "rows": fitted.rows,
        "trained_from": fitted.begins.isoformat(),
        "trained_until": (fitted.ends + _TICK).isoformat(),
        "reference_from": reference.start.isoformat(),
        "reference_until": reference.end.isoformat(),
    }
    reason = f"first version, trained on {fitted.rows:,} rows"
    with write(place.engine) as session:
        RetrainClaims(session).note(run, data=data, log_path=str(fitted.log))
        version = register(
            session, candidate, model=settings.model, run_id=run.id, at=now, store=place.store
        )
        RetrainClaims(session).finish(
            run, RunState.SUCCEEDED, reason=reason, finished_at=now, version=version.version
        )
        Deployments(session).append(
            settings.model,
            version.version,
            decided_by=run.requested_by,
            reason=reason,
            at=now,
            after=0,
        )
    return version


def _fail(place: Workplace, run: RetrainRun, reason: str) -> None:
    with write(place.engine) as session:
        RetrainClaims(session).finish(
            run, RunState.FAILED, reason=reason, finished_at=place.clock.now()
        )
