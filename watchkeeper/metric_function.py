"""A function of the owner's that is a metric: its name in the configuration, and its place."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

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
