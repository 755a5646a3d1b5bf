"""The metrics that a model may be held to, and how much worse each may become."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, PrivateAttr

from watchkeeper.business_value import BUSINESS_VALUE
from watchkeeper.configuration import Section, nearest
from watchkeeper.document import Place
from watchkeeper.metric_function import MetricFunction, is_function
from watchkeeper.schema import Task


class Better(StrEnum):
    """Which way a metric improves."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricKind:
    """What configuration must know of a metric: which way is better, and which tasks have it."""

    better: Better
    tasks: frozenset[Task]


_BINARY = frozenset({Task.BINARY})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})
_NUMBERS = frozenset({Task.REGRESSION})


def _kinds(better: Better, tasks: frozenset[Task], *names: str) -> dict[str, MetricKind]:
    return dict.fromkeys(names, MetricKind(better=better, tasks=tasks))


#: How each metric is computed is told in ``monitor/performance/table.py``.
METRICS = {
    **_kinds(Better.LOWER, _CLASSES, "log_loss"),
    **_kinds(Better.LOWER, _BINARY, "brier", "calibration_error"),
    **_kinds(Better.HIGHER, _BINARY, "roc_auc", "average_precision", "precision", "recall"),
    **_kinds(Better.HIGHER, _BINARY, BUSINESS_VALUE),
    **_kinds(Better.HIGHER, _CLASSES, "accuracy", "f1"),
    **_kinds(Better.LOWER, _NUMBERS, "mae", "rmse", "mape"),
    **_kinds(Better.HIGHER, _NUMBERS, "r2"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How much a metric may change: an amount of its own unit, or a share of its reference value.

    Examples
    --------
    >>> Change.parse("15%")
    Change(amount=0.15, relative=True)
    >>> Change.parse(0.02)
    Change(amount=0.02, relative=False)
    """

    amount: float
    relative: bool

    @classmethod
    def parse(cls, value: object) -> Change:
        """Read ``0.02`` or ``15%``.

        Raises
        ------
        ValueError
            The value is neither, or is not above zero.
        """
        if isinstance(value, Change):
            return value
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", str(value))
        if isinstance(value, bool) or match is None or float(match[1]) <= 0:
            raise ValueError(f"expected a number above 0 or a share such as 15%, got {value!r}")
        relative = match[2] == "%"
        return cls(amount=float(match[1]) / (100 if relative else 1), relative=relative)

    def of(self, reference: float) -> float:
        """Return the allowed change in the metric's own unit, given its reference value."""
        return abs(reference) * self.amount if self.relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount * 100:g}%" if self.relative else f"{self.amount:g}"


AllowedChange = Annotated[
    Change, BeforeValidator(Change.parse), PlainSerializer(str, return_type=str, when_used="json")
]


class Tolerance(Section):
    """How much worse the model may become before that counts as decay.

    Examples
    --------
    >>> Tolerance(metric="mae", rise="15%").limit(20.0)
    23.0
    """

    metric: str = Field(
        description="The metric that decides; one that the task has, or `file.py:function`: the "
        "mean of what a function of the project says of each labelled row."
    )
    drop: AllowedChange | None = Field(
        default=None,
        description="Largest fall that is tolerated, for a metric where higher is better: "
        "absolute (0.02) or a share of the reference value (5%).",
    )
    rise: AllowedChange | None = Field(
        default=None,
        description="Largest rise that is tolerated, for a metric where lower is better: "
        "absolute (0.02) or a share of the reference value (15%).",
    )

    _home: Path = PrivateAttr(default=Path())

    @property
    def better(self) -> Better:
        """Which way the metric improves; of a function, away from what is tolerated."""
        if is_function(self.metric):
            return Better.HIGHER if self.drop is not None else Better.LOWER
        return METRICS[self.metric].better

    @property
    def function(self) -> MetricFunction | None:
        """The function that computes the metric; None where it is one of ours."""
        if not is_function(self.metric):
            return None
        higher = self.better is Better.HIGHER
        return MetricFunction(metric=self.metric, home=self._home, higher_is_better=higher)

    def within(self, home: Path) -> Self:
        """Return the tolerance of a project in this folder."""
        found = self.model_copy()
        found._home = home.absolute()  # noqa: SLF001  a copy of its own
        return found

    @property
    def change(self) -> Change:
        """The tolerated change for the worse, whichever way that is."""
        change = self.drop or self.rise
        if change is None:
            raise ValueError("a tolerance needs drop or rise")
        return change

    def limit(self, reference: float) -> float:
        """Return the worst value of the metric that is tolerated."""
        allowed = self.change.of(reference)
        return reference - allowed if self.better is Better.HIGHER else reference + allowed

    def problems_for(self, task: Task) -> Iterator[tuple[Place, str]]:
        """Yield what is wrong with the metric or the direction for this task."""
        if is_function(self.metric):
            if (self.drop is None) == (self.rise is None):
                yield (), "expected either `drop` (more is better) or `rise` (less is better)"
            return
        names = [name for name, kind in METRICS.items() if task in kind.tasks]
        if self.metric not in names:
            own = "; one of your own is file.py:function" if ":" in self.metric else ""
            known = nearest(self.metric, names)
            yield ("metric",), f"no metric {self.metric!r} for a {task} model; {known}{own}"
            return
        right: Literal["drop", "rise"] = "drop" if self.better is Better.HIGHER else "rise"
        wrong: Literal["drop", "rise"] = "rise" if right == "drop" else "drop"
        if getattr(self, wrong) is not None:
            problem = f"{self.metric} is better when {self.better}; give `{right}` instead"
            yield (wrong,), problem
        elif getattr(self, right) is None:
            yield (), f"expected `{right}`: how much worse {self.metric} may become, 0.02 or 5%"
