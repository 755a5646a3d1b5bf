"""What models say of the same rows: their losses row by row, and the metrics of the owner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.own_metric.model import VALUE, WEIGHT
from monitor.own_metric.process import row_values
from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import metric_of
from monitor.profiles.own_values import BATCH
from retrain.dataset import Dataset
from retrain.evaluation import (
    SHORTFALL,
    Array,
    Evaluation,
    compare,
    guard,
    linearised,
    loss_name,
    row_losses,
    shortfalls,
)
from serving.artifact import LoadedModel, Prediction
from watchkeeper.business_value import CostMatrix
from watchkeeper.errors import UsersCodeError
from watchkeeper.metric_function import MetricFunction, title_of
from watchkeeper.model_settings import ModelSettings
from watchkeeper.schema import FeatureSchema, Task
from watchkeeper.tolerance import Better


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What one model says of some rows.

    Parameters
    ----------
    losses
        Shape ``(n,)``, of the loss that stands for the tolerance's metric.
    metric
        The tolerance's metric on all rows together; NaN where it is undefined.
    """

    prediction: Prediction
    loss: str
    losses: Array
    metric: float


def score(model: LoadedModel, rows: Dataset, settings: ModelSettings) -> Scored:
    """Let a model predict rows and hold it to their labels.

    Raises
    ------
    UsersCodeError
        The function that the tolerance names does not do what it should.
    """
    prediction = model.predict(rows.features)
    function = settings.tolerance.function
    if function is not None:
        return _by_function(function, prediction, rows)
    truth = rows.label.to_numpy()
    name = loss_name(
        settings.task,
        settings.tolerance.metric,
        probabilities=prediction.y_pred_proba is not None,
    )
    return Scored(
        prediction=prediction,
        loss=name,
        losses=_losses(name, truth, prediction, model.schema, settings.value),
        metric=_metric(truth, prediction, model.schema, settings),
    )


def evaluate(
    champion: LoadedModel, challenger: LoadedModel, rows: Dataset, settings: ModelSettings
) -> Evaluation:
    """Compare two models on rows that neither has seen."""
    old, new = score(champion, rows, settings), score(challenger, rows, settings)
    days = rows.days(settings.windows.timezone).to_numpy()
    return guard(
        compare(old.losses, new.losses, days, metric=old.loss),
        metric=title_of(settings.tolerance.metric),
        champion=old.metric,
        challenger=new.metric,
        higher=settings.tolerance.better is Better.HIGHER,
    )


def _by_function(function: MetricFunction, said: Prediction, rows: Dataset) -> Scored:
    """Hold a model to what the owner's function says of its predictions."""
    answers = {"y_pred": said.y_pred, "y_true": rows.label.to_numpy()}
    if said.y_pred_proba is not None and said.y_pred_proba.ndim == 1:
        answers["y_pred_proba"] = said.y_pred_proba
    frame = rows.features.assign(timestamp=rows.timestamps, **answers)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    given = row_values(function, table.schema, table.to_batches(max_chunksize=BATCH))
    value, weight = (given[name].to_numpy() for name in (VALUE, WEIGHT))
    metric, losses = linearised(value, weight)
    if not np.isfinite(metric):
        raise UsersCodeError(f"{function.metric}: gives no weight to any of {len(rows):,} rows")
    title, higher = title_of(function.metric), function.higher_is_better
    return Scored(
        prediction=said,
        loss=f"negative {title}" if higher else title,
        losses=-losses if higher else losses,
        metric=metric,
    )


def _losses(
    name: str, truth: Array, said: Prediction, schema: FeatureSchema, value: CostMatrix | None
) -> Array:
    if name == SHORTFALL and value is not None:
        return shortfalls(truth, said.y_pred, value)
    if schema.task is not Task.MULTICLASS or said.y_pred_proba is None:
        return row_losses(name, truth, said.y_pred, said.y_pred_proba)
    # A class that the model does not know has no probability at all.
    number = {label: index for index, label in enumerate(schema.classes)}
    index = np.array([number.get(label, len(number)) for label in truth])
    known = np.column_stack([said.y_pred_proba, np.zeros(len(truth))])
    if name == "error":
        return row_losses(name, truth, said.y_pred)
    return row_losses(name, index, said.y_pred, known)


def _metric(
    truth: Array, said: Prediction, schema: FeatureSchema, settings: ModelSettings
) -> float:
    metric = metric_of(settings.tolerance.metric, settings.own_metrics)
    return float(np.ravel(metric.value(_outcomes(truth, said, schema)))[0])


def _outcomes(truth: Array, said: Prediction, schema: FeatureSchema) -> Outcomes:
    if schema.task is Task.BINARY:
        return from_rows.binary(truth, said.y_pred, said.y_pred_proba)
    if schema.task is Task.MULTICLASS:
        return from_rows.multiclass(truth, said.y_pred, schema.classes, said.y_pred_proba)
    return from_rows.regression(truth, said.y_pred)
