"""Makes the challenger: gates the training rows, searches for the best past, fits the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from retrain.dataset import Dataset
from retrain.evaluation import Array, clearly_better
from retrain.gate import TrainingSet, refuse_unfit
from retrain.scoring import score
from retrain.split import Split, beginnings
from retrain.workshop import Fitted, Workshop
from watchkeeper.errors import TrainingError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import FeatureSchema, Task

WindowChoice = Literal["search", "all"] | timedelta
#: Reasons that end the whole run, not only one candidate of the search.
_FINAL = ("cancelled",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenger:
    """A challenger and the rows that will judge it.

    Parameters
    ----------
    search
        What every candidate of the search came to, as plain JSON types.
    """

    fitted: Fitted
    judging: Dataset
    search: list[dict[str, Any]]


def make_challenger(
    workshop: Workshop,
    rows: Dataset,
    *,
    schema: FeatureSchema,
    split: Split,
    window: WindowChoice,
    progress: Callable[[str], None],
) -> Challenger:
    """Fit a challenger on rows before the judging days.

    With a search every candidate is fitted on a different length of the past, without the
    choosing days, and judged on those; the chosen length is then fitted again up to the judging
    days. The judging rows decide nothing here.

    Raises
    ------
    TrainingError
        The training set is refused, or no candidate could be trained.
    """
    zone = workshop.settings.windows.timezone
    end = _midnight(split.judging, zone)
    judging, past = rows.between(end, None), rows.between(None, end)
    search: list[dict[str, Any]] = []
    begin: datetime | None = None
    if split.choosing is not None and window == "search":
        cut = _midnight(split.choosing, zone)
        older, choosing = past.between(None, cut), past.between(cut, None)
        begins = beginnings(window, _first(older), cut)
        begin, search = _search(
            workshop, older, choosing, begins=begins, schema=schema, progress=progress
        )
    elif window != "search":
        begin = beginnings(window, _first(past), end)[0]
    progress("training the challenger")
    training = past.between(begin, None)
    _check(workshop.settings, training, past)
    return Challenger(
        fitted=workshop.fit("challenger", training, schema), judging=judging, search=search
    )


def _search(
    workshop: Workshop,
    past: Dataset,
    choosing: Dataset,
    *,
    begins: list[datetime],
    schema: FeatureSchema,
    progress: Callable[[str], None],
) -> tuple[datetime, list[dict[str, Any]]]:
    """Return where the past of the best candidate begins, and what each candidate came to.

    The longest past comes first, and a shorter one must be clearly better than it.
    """
    found: list[dict[str, Any]] = []
    best: tuple[Array, datetime] | None = None
    error: TrainingError | None = None
    days = choosing.days(workshop.settings.windows.timezone).to_numpy()
    for number, begin in enumerate(begins, start=1):
        candidate = past.between(begin, None)
        progress(f"trying {len(candidate):,} rows since {begin:%Y-%m-%d}")
        line: dict[str, Any] = {"from": begin.isoformat(), "rows": len(candidate)}
        found.append(line)
        try:
            _check(workshop.settings, candidate, past)
            fitted = workshop.fit(f"candidate-{number}", candidate, schema)
        except TrainingError as exc:
            if exc.reason in _FINAL:
                raise
            line["error"] = exc.detail
            error = error or exc
            continue
        losses = score(fitted.model, choosing, workshop.settings).losses
        line["loss"] = float(np.mean(losses))
        if best is None or clearly_better(best[0], losses, days):
            best = (losses, begin)
    if best is None:
        assert error is not None  # noqa: S101 - every candidate that is not best has failed
        raise error
    return best[1], found


def _check(settings: ModelSettings, training: Dataset, past: Dataset) -> None:
    minimum = 1 if settings.retrain is None else settings.retrain.minimum_labels
    refuse_unfit(
        _facts(training, settings.task),
        task=settings.task,
        minimum=minimum,
        past=_facts(past, settings.task),
    )


def _facts(rows: Dataset, task: Task) -> TrainingSet:
    counts = {} if task is Task.REGRESSION else rows.label.value_counts().to_dict()
    return TrainingSet(
        rows=len(rows),
        classes={str(name): int(count) for name, count in counts.items()},
        missing={str(k): float(v) for k, v in rows.features.isna().mean().items()},
    )


def _first(rows: Dataset) -> datetime:
    if not len(rows):
        raise TrainingError("refused", "no rows to train on before those that judge")
    first: datetime = rows.timestamps.iloc[0].to_pydatetime()
    return first


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)
