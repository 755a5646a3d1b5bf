"""What training code is given: the rows to learn from, the model's settings, a place for files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from watchkeeper.errors import ConfigurationError
from watchkeeper.schema import ColumnKind, FeatureSchema, Task

#: The variable that names the folder of the run.
RUN_VARIABLE = "WATCHKEEPER_RUN"
CONTEXT_FILE = "context.json"
FEATURES_FILE = "features.parquet"
ROWS_FILE = "rows.parquet"
ARTIFACT_FOLDER = "artifact"
OUTPUT_FOLDER = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingFrame:
    """The rows of one training run, in order of event time; all four parts share one index.

    Parameters
    ----------
    features
        One column per feature of the signature, in its order: numerical as float64, categorical
        with the signature's categories, text as strings, datetime in UTC.
    label
        Binary: 0 and 1; regression: float64; multi-class: strings.
    weights
        Positive; 1.0 each, as all rows count alike.
    timestamps
        Event time of each row, in UTC.
    """

    features: pd.DataFrame
    label: pd.Series[Any]
    weights: pd.Series[Any]
    timestamps: pd.Series[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingContext:
    """Everything that training code may know of its run.

    Parameters
    ----------
    model
        Name of the model.
    settings
        The model's settings, as plain JSON types.
    schema
        The signature that the trained model will be served under.
    seed
        For everything random; the same seed and rows are given when a run is repeated.
    folder
        Folder of the run.
    """

    model: str
    settings: Mapping[str, Any]
    schema: FeatureSchema
    seed: int
    folder: Path

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Open the run in ``folder``, by default the one that ``WATCHKEEPER_RUN`` names.

        Raises
        ------
        ConfigurationError
            There is no such run: the code was started by itself, not by watchkeeper.
        """
        place = folder or Path(os.environ.get(RUN_VARIABLE, ""))
        path = place / CONTEXT_FILE
        if not path.is_file():
            raise ConfigurationError(
                f"expected the folder of a training run with {CONTEXT_FILE}, got {str(place)!r}",
                field=RUN_VARIABLE,
            )
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            model=data["model"],
            settings=data["settings"],
            schema=FeatureSchema.from_dict(data["schema"]),
            seed=data["seed"],
            folder=place.absolute(),
        )

    @property
    def output(self) -> Path:
        """A folder for files that should be kept with the run, such as plots; it exists."""
        place = self.folder / OUTPUT_FOLDER
        place.mkdir(exist_ok=True)
        return place

    @property
    def artifact(self) -> Path:
        """The folder in which a plain command leaves its model; it exists."""
        place = self.folder / ARTIFACT_FOLDER
        place.mkdir(exist_ok=True)
        return place

    def read(self) -> TrainingFrame:
        """Read the training rows; the same rows each time.

        They are already cut to what was known when the run began, joined with their labels, and
        free of windows in which the data were broken.
        """
        features = pd.read_parquet(self.folder / FEATURES_FILE, columns=list(self.schema.names))
        rows = pd.read_parquet(self.folder / ROWS_FILE)
        return TrainingFrame(
            features=typed(features, self.schema),
            label=_typed_label(rows["label"], self.schema.task),
            weights=rows["weight"].astype("float64"),
            timestamps=rows["timestamp"],
        )


def typed(features: pd.DataFrame, schema: FeatureSchema) -> pd.DataFrame:
    """Return the columns of ``schema``, in its order and types; unknown categories are null.

    Examples
    --------
    >>> from watchkeeper.schema import Column
    >>> carrier = Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA", "UA"))
    >>> schema = FeatureSchema(columns=(carrier,), target="late", task=Task.BINARY)
    >>> typed(pd.DataFrame({"carrier": ["UA", "XX"]}), schema)["carrier"].cat.codes.tolist()
    [1, -1]
    """
    columns: dict[str, Any] = {}
    for column in schema.columns:
        values = features[column.name]
        if column.kind is ColumnKind.NUMERICAL:
            columns[column.name] = values.astype("float64")
        elif column.kind is ColumnKind.CATEGORICAL:
            known = values.where(values.isin(column.categories))
            columns[column.name] = known.astype(pd.CategoricalDtype(list(column.categories)))
        elif column.kind is ColumnKind.DATETIME:
            columns[column.name] = pd.to_datetime(values, utc=True)
        else:
            columns[column.name] = values.astype(object)
    return pd.DataFrame(columns, index=features.index)


def _typed_label(label: pd.Series[Any], task: Task) -> pd.Series[Any]:
    if task is Task.BINARY:
        return label.astype("int64")
    return label.astype("float64") if task is Task.REGRESSION else label.astype(object)
