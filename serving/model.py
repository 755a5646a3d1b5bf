"""What goes through the serving path: records, decoded batches, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One row that a prediction is wanted for.

    Parameters
    ----------
    features
        A value for every feature of the model's signature, and nothing else.
    prediction_id
        Under which its label will come; made up when None.
    timestamp
        Event time; the present when None, and UTC when naive.
    """

    features: Mapping[str, Any]
    prediction_id: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The valid records of one request, column by column; all lists are of one length.

    Parameters
    ----------
    ids
        Prediction ids, all different.
    timestamps
        Event times, in UTC.
    columns
        Per feature its values: float, str or datetime in UTC; None is missing.
    """

    ids: Sequence[str]
    timestamps: Sequence[datetime]
    columns: Mapping[str, list[Any]]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """What a model answered to a batch, as plain values.

    Parameters
    ----------
    y_pred
        Binary: 0 or 1; multi-class: class names; regression: numbers.
    y_pred_proba
        Binary: P(second class) each; multi-class: one list each, in the order of the classes; None
        when there are none.
    """

    y_pred: list[Any]
    y_pred_proba: list[Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The valid labels of one request.

    Parameters
    ----------
    ids
        Prediction ids, all different.
    y_true
        Binary: 0 or 1; multi-class: class names; regression: numbers.
    labelled_at
        Event times, in UTC.
    """

    ids: Sequence[str]
    y_true: Sequence[Any]
    labelled_at: Sequence[datetime]

    def __len__(self) -> int:
        return len(self.ids)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one record.

    Parameters
    ----------
    version
        The version of the model that answered.
    y_pred, y_pred_proba
        As in `Outputs`; no probability for a regression.
    served_by
        In what role the version answered, for example ``champion:3`` or ``pinned:2``.
    """

    prediction_id: str
    version: int
    y_pred: int | float | str
    y_pred_proba: float | list[float] | msgspec.UnsetType = msgspec.UNSET
    served_by: str
