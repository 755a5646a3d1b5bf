"""What passes between the process that asks for values and the one that runs the function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from watchkeeper.metric_function import MetricFunction

#: Files of the folder that both processes know.
ROWS, VALUES, PROBLEM = "rows.arrow", "values.arrow", "problem.txt"
_ORDER = "order.json"
#: Columns of the answer, a row each for every row that was asked.
VALUE, WEIGHT = "value", "weight"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """Which function to run, and what it may use.

    Parameters
    ----------
    memory
        Bytes.
    """

    function: MetricFunction
    memory: int

    def save(self, folder: Path) -> None:
        """Write the order into a folder."""
        found = self.function
        said = {
            "metric": found.metric,
            "home": str(found.home),
            "higher_is_better": found.higher_is_better,
            "memory": self.memory,
        }
        (folder / _ORDER).write_text(json.dumps(said), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        said = json.loads((folder / _ORDER).read_text(encoding="utf-8"))
        function = MetricFunction(
            metric=said["metric"],
            home=Path(said["home"]),
            higher_is_better=said["higher_is_better"],
        )
        return cls(function=function, memory=said["memory"])
