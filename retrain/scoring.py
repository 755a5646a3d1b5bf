"""What models say of the same rows: their losses row by row, and the metrics of the owner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.performance import from_rows
from monitor.performance.outcomes import Outcomes
from monitor.performance.table import metric_of
from retrain.dataset import Dataset
from retrain.evaluation import (
    SHORTFALL,
    Array,
    Evaluation,
    compare,
    guard,
    loss_name,
    row_losses,
    shortfalls,
)
from serving.artifact import LoadedModel, Prediction
from watchkeeper.business_value import CostMatrix
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
    """Let a model predict rows and hold it to their labels."""
    prediction = model.predict(rows.features)
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
        metric=settings.tolerance.metric,
        champion=old.metric,
        challenger=new.metric,
        higher=settings.tolerance.better is Better.HIGHER,
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
    metric = metric_of(settings.tolerance.metric, settings.value)
    return float(np.ravel(metric.value(_outcomes(truth, said, schema)))[0])


def _outcomes(truth: Array, said: Prediction, schema: FeatureSchema) -> Outcomes:
    if schema.task is Task.BINARY:
        return from_rows.binary(truth, said.y_pred, said.y_pred_proba)
    if schema.task is Task.MULTICLASS:
        return from_rows.multiclass(truth, said.y_pred, schema.classes, said.y_pred_proba)
    return from_rows.regression(truth, said.y_pred)
