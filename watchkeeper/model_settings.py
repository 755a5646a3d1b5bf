"""The settings of one model, ``models/*.yaml``: what it is, who owns it, what counts as decay."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from watchkeeper.business_value import BUSINESS_VALUE, CostMatrix
from watchkeeper.configuration import ConfigurationErrors, Section, nearest, validate
from watchkeeper.document import Document, Place, read_document
from watchkeeper.environment import MODELS_VARIABLE, overlay
from watchkeeper.errors import ConfigurationError
from watchkeeper.fleets import fleets_of, sharing
from watchkeeper.model_data import (
    BUILT_IN_LOG,
    Label,
    Owner,
    Prediction,
    Reference,
    Source,
    Windows,
)
from watchkeeper.model_rules import AlarmBudget, Alerts, Retrain, Rollout
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.schema import ColumnKind, Task
from watchkeeper.team_settings import Route
from watchkeeper.tolerance import Tolerance

__all__ = [
    "AHEAD",
    "BUILT_IN_LOG",
    "AlarmBudget",
    "Alerts",
    "CostMatrix",
    "Label",
    "ModelSettings",
    "Owner",
    "Prediction",
    "Reference",
    "Retrain",
    "Rollout",
    "Source",
    "Tolerance",
    "Windows",
    "load_model",
    "load_models",
]

MODELS_FOLDER = "models"

#: Settings that are read and checked, but that nothing follows yet unless they have their default.
AHEAD: Mapping[Place, str] = {
    ("rollout",): "a promoted version takes over at once",
}


def _name(value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", value) is None:
        raise ValueError(f"expected lower-case letters, digits, - and _, got {value!r}")
    return value


class ModelSettings(Section):
    """One model's file."""

    model: Annotated[str, AfterValidator(_name)] = Field(
        description="Name of the model, as in its address."
    )
    task: Task = Field(description="`binary`, `multiclass` or `regression`.")
    owner: Owner = Field(description="who is told; a model that nobody owns is not watched")
    routes: tuple[Route, ...] = Field(
        default=(),
        description="Findings that another team is told of, `{check: …, feature: …, team: …}`; the "
        "first that fits counts.",
    )
    source: Source = Field(default=Source(), description="Where the predictions are read from.")
    sources: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Columns by the upstream source that they come from; when a source breaks, all "
        "its columns, in all models that name it, are one incident.",
    )
    timestamp: str = Field(description="Column of the event time; naive values are UTC.")
    prediction: Prediction = Field(description="the columns of what the model said")
    label: Label = Field(description="the column of the truth, and when it is known")
    features: dict[str, ColumnKind] | None = Field(
        default=None,
        description="Columns that the model reads, with their kinds; by default every other "
        "column of the reference, with the reference's types.",
    )
    infer: Literal["reference"] | None = Field(
        default=None, description="`reference`: say aloud that the features are inferred."
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Columns that are never features, beside those named elsewhere."
    )
    reference: Reference = Field(
        default=Reference(), description="What current data are compared with."
    )
    windows: Windows = Field(description="over which stretches of time the model is judged")
    tolerance: Tolerance = Field(description="the metric that decides, and what counts as decay")
    value: CostMatrix | None = Field(
        default=None,
        description="Binary: what each outcome is worth; the metric `business_value` is the mean "
        "over the labelled predictions.",
    )
    alarm_budget: AlarmBudget = Field(default=AlarmBudget(), description="Accepted false alarms.")
    alerts: Alerts = Field(default=Alerts(), description="When a finding becomes an incident.")
    segments: tuple[str, ...] = Field(
        default=(),
        description="Categorical columns whose most frequent values, up to 20 of each, are also "
        "judged one by one; for references that are fitted from then on.",
    )
    retrain: Retrain | None = Field(
        default=None, description="When and how to retrain; absent: never by itself."
    )
    rollout: Rollout = Field(default=Rollout(), description="How a new version takes over.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield what is wrong between settings that are each right by themselves."""
        for name in ("reference", "alerts", "rollout"):
            yield from _within(name, getattr(self, name).problems())
        for index, route in enumerate(self.routes):
            yield from ((("routes", index, *place), problem) for place, problem in route.problems())
        yield from _within("prediction", self.prediction.problems_for(self.task))
        yield from _within("tolerance", self.tolerance.problems_for(self.task))
        yield from self._value_problems()
        if self.label.positive is not None and self.task is not Task.BINARY:
            yield ("label", "positive"), f"a {self.task} model has no positive class"
        yield from self._feature_problems()

    @property
    def own_metrics(self) -> OwnMetrics:
        """What the metrics of the owner's own are made from."""
        return OwnMetrics(value=self.value, function=self.tolerance.function)

    def origin_of(self, column: str | None) -> str | None:
        """Return the upstream source of a column, or None when none is named."""
        named = (name for name, columns in self.sources.items() if column in columns)
        return next(named, None)

    def notes(self) -> Iterator[tuple[Place, str]]:
        """Yield what is set but has no effect in this version: place, what happens instead."""
        for place, instead in AHEAD.items():
            value, default = _at(self, place)
            if value != default:
                yield place, f"has no effect yet: {instead}"
        if self.windows.rows is not None and self.reference.kind != "fixed":
            instead = "windows of so many rows are compared with the fixed reference"
            yield ("reference", "kind"), f"has no effect on a live model: {instead}"

    def named_columns(self) -> frozenset[str]:
        """Return the columns that this file gives a role; none of them is a feature."""
        roles = {self.timestamp, self.label.column, *self.prediction.columns(), *self.exclude}
        return frozenset(roles | {self.label.available_at} - {None})  # type: ignore[operator]

    def _value_problems(self) -> Iterator[tuple[Place, str]]:
        if self.value is not None:
            yield from _within("value", self.value.problems())
            if self.task is not Task.BINARY:
                yield ("value",), f"a {self.task} model has no positives and negatives to value"
        elif self.tolerance.metric == BUSINESS_VALUE and self.task is Task.BINARY:
            needed = "needs `value`, for example {false_positive: -5, false_negative: -100}"
            yield ("tolerance", "metric"), f"{BUSINESS_VALUE} {needed}"

    def _feature_problems(self) -> Iterator[tuple[Place, str]]:
        if self.features is None:
            return
        if self.infer is not None:
            yield ("infer",), "the features are listed; remove one of the two"
        if not self.features:
            yield ("features",), "expected at least one; leave it out to infer them"
        for name in self.features:
            if name in self.named_columns():
                yield ("features", name), "is the label, a prediction, the time, or excluded"
        for index, name in enumerate(self.segments):
            if self.features.get(name) is not ColumnKind.CATEGORICAL:
                known = [n for n, k in self.features.items() if k is ColumnKind.CATEGORICAL]
                problem = f"no categorical feature {name!r}; {nearest(name, known)}"
                yield ("segments", index), problem


def _at(settings: ModelSettings, place: Place) -> tuple[Any, Any]:
    """Return the value at a place, and its default."""
    value: Any = settings
    default: Any = None
    for part in place:
        default = type(value).model_fields[str(part)].get_default()
        value = getattr(value, str(part))
    return value, default


def _within(name: str, problems: Iterator[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    return (((name, *place), problem) for place, problem in problems)


def load_model(path: Path, environ: Mapping[str, str] | None = None) -> ModelSettings:
    """Read one model's file; ``WATCHKEEPER_MODELS__<MODEL>__…`` variables take precedence.

    Parameters
    ----------
    environ
        The variables; by default those of this process.

    Raises
    ------
    ConfigurationError
        The file or a variable is wrong; a `ConfigurationErrors` names everything that is.
    """
    document = read_document(path)
    name = str(document.data.get("model", path.stem))
    prefix = f"{MODELS_VARIABLE}{re.sub('[^A-Z0-9]', '_', name.upper())}__"
    variables = os.environ if environ is None else environ
    found = validate(ModelSettings, overlay(ModelSettings, document, variables, prefix=prefix))
    return _with_function(found, document)


def _with_function(settings: ModelSettings, document: Document) -> ModelSettings:
    """Return settings that know where the function lies that their metric is named by."""
    folder = (document.path or Path()).absolute().parent
    tolerance = settings.tolerance.within(folder.parent if folder.name == MODELS_FOLDER else folder)
    if tolerance.function is None:
        return settings
    problem = tolerance.function.problem()
    if problem is not None:
        raise document.error(problem, ("tolerance", "metric"))
    return settings.model_copy(update={"tolerance": tolerance})


def load_models(home: Path, environ: Mapping[str, str] | None = None) -> dict[str, ModelSettings]:
    """Read every ``models/*.yaml`` of a home, by the model's name.

    Raises
    ------
    ConfigurationErrors
        Everything that is wrong in any of the files, and names that two files claim.
    """
    models: dict[str, ModelSettings] = {}
    claimed: dict[str, Path] = {}
    errors: list[ConfigurationError] = []
    for path in model_files(home):
        try:
            settings = load_model(path, environ)
        except ConfigurationErrors as exc:
            errors.extend(exc.errors)
        except ConfigurationError as exc:
            errors.append(exc)
        else:
            if settings.model in claimed:
                problem = f"{settings.model!r} is also in {claimed[settings.model]}"
                errors.append(Document(path=path, data={}).error(problem, ("model",)))
            claimed[settings.model] = path
            models[settings.model] = settings
    if errors:
        raise ConfigurationErrors(errors)
    return _shared(models)


def _shared(models: Mapping[str, ModelSettings]) -> dict[str, ModelSettings]:
    """Tell the models that share an alarm budget how many they are, and in how many fleets."""
    shared, streams = sharing(models), len(fleets_of(models))
    return {
        name: settings
        if name not in shared
        else settings.model_copy(
            update={"alarm_budget": settings.alarm_budget.shared_by(len(shared), streams=streams)}
        )
        for name, settings in models.items()
    }


def model_files(home: Path) -> list[Path]:
    """Return the model files of a home, in order of their names."""
    folder = home / MODELS_FOLDER
    return sorted(path for path in folder.glob("*.y*ml") if path.suffix in {".yaml", ".yml"})
