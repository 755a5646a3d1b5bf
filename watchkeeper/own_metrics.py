"""Metrics of the owner's own: what each outcome is worth, or what a function says of each row."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from watchkeeper.business_value import CostMatrix

_FUNCTION = re.compile(r"(?P<file>[^\s:]+\.py):(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricFunction:
    """A metric that is the mean of what a function of the user's says of every row.

    Parameters
    ----------
    metric
        ``file.py:function``, as in ``tolerance.metric``.
    home
        The project's folder, where the file is looked for.
    higher_is_better
        Whether a drop is harm; otherwise a rise is.

    Examples
    --------
    >>> profit = MetricFunction(metric="metrics.py:profit", home=Path("p"), higher_is_better=True)
    >>> str(profit.file), profit.name
    ('p/metrics.py', 'profit')
    """

    metric: str
    home: Path
    higher_is_better: bool

    @property
    def file(self) -> Path:
        """The file that holds the function."""
        return self.home / self.metric.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The name of the function in its file."""
        return self.metric.rpartition(":")[2]

    def problem(self) -> str | None:
        """Say what is wrong with the file, which is read but not run; None when nothing is."""
        try:
            tree = ast.parse(self.file.read_bytes())
        except OSError:
            return f"no file {self.file}"
        except (SyntaxError, ValueError) as exc:
            line = getattr(exc, "lineno", None) or 1
            return f"{self.file}:{line}: is no Python"
        defined = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        if self.name in defined:
            return None
        named = f"; there is: {', '.join(sorted(defined))}" if defined else ""
        return f"{self.file} has no function {self.name!r}{named}"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnMetrics:
    """What the metrics of the owner's own are made from; None for those that there are not."""

    value: CostMatrix | None = None
    function: MetricFunction | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain JSON types."""
        function = self.function
        return {
            "value": None if self.value is None else self.value.model_dump(),
            "function": None
            if function is None
            else {
                "metric": function.metric,
                "home": str(function.home),
                "higher_is_better": function.higher_is_better,
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote, now or before there were such metrics."""
        value, function = data.get("value"), data.get("function")
        return cls(
            value=None if value is None else CostMatrix(**value),
            function=None
            if function is None
            else MetricFunction(**(function | {"home": Path(function["home"])})),
        )


#: Of an owner who has none.
NONE = OwnMetrics()


def is_function(metric: str) -> bool:
    """Whether a metric is named by the function that computes it.

    Examples
    --------
    >>> is_function("metrics.py:profit"), is_function("roc_auc")
    (True, False)
    """
    return _FUNCTION.fullmatch(metric) is not None


def title_of(metric: str) -> str:
    """Return what a metric is called where people read: a function by its name.

    Examples
    --------
    >>> title_of("metrics.py:profit"), title_of("roc_auc")
    ('profit', 'roc_auc')
    """
    found = _FUNCTION.fullmatch(metric)
    return metric if found is None else found["name"]
