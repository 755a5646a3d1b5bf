"""Rows with what the owner's function says of them, for the query that profiles them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from monitor.own_metric.model import VALUE, WEIGHT
from monitor.own_metric.process import row_values
from monitor.profiles.bins import PREDICTED, SCORE, ProfileBins
from monitor.profiles.connection import Connection, Source
from monitor.profiles.outcome_counts import OWN_VALUE, OWN_WEIGHT, TRUTH
from monitor.profiles.quality_query import OCCURRED
from monitor.sql import identifier, select
from watchkeeper.metric_function import MetricFunction

if TYPE_CHECKING:
    from watchkeeper.model_settings import ModelSettings

#: Rows that the function is given at once.
BATCH = 100_000
_ROWS, _VALUED, _NUMBER = "own_rows", "own_valued", "own_number"


def function_of(bins: ProfileBins, settings: ModelSettings) -> MetricFunction | None:
    """Return the function whose values profiles on these bins hold; None where they hold none.

    A reference that was fitted before the settings named the function knows nothing of it.
    """
    function = settings.own_metrics.function
    return function if function is not None and function.metric == bins.function else None


@contextmanager
def valued(
    connection: Connection, rows: Source, function: MetricFunction | None, bins: ProfileBins
) -> Iterator[Source]:
    """Give rows the columns that the function fills; without one, give the rows as they are.

    The function sees the features, the model's output, the label and the time of each row that
    has a label.

    Raises
    ------
    UsersCodeError
        The function is not there, takes too long, raises, or gives something else than numbers.
    """
    if function is None:
        yield rows
        return
    connection.copy(_ROWS, select(["*", f"row_number() OVER () AS {_NUMBER}"], rows.sql))
    try:
        labelled = f"WHERE {TRUTH} IS NOT NULL ORDER BY {_NUMBER}"
        numbers = connection.table(select([_NUMBER], _ROWS, labelled))
        found = numbers.append_column(OWN_VALUE, pa.nulls(len(numbers), pa.float64()))
        found = found.append_column(OWN_WEIGHT, pa.nulls(len(numbers), pa.float64()))
        if len(numbers):
            asked = select(_columns(rows, bins), _ROWS, labelled)
            batches = connection.batches(asked, BATCH)
            given = row_values(function, batches.schema, batches)
            found = numbers.append_column(OWN_VALUE, _known(given, VALUE))
            found = found.append_column(OWN_WEIGHT, _known(given, WEIGHT))
        own = [f"v.{identifier(name)}" for name in (OWN_VALUE, OWN_WEIGHT)]
        joined = f"{_ROWS} AS r LEFT JOIN {connection.arrow(found).sql} AS v USING ({_NUMBER})"
        connection.view(_VALUED, select([f"r.* EXCLUDE ({_NUMBER})", *own], joined))
        types = ((OWN_VALUE, pa.float64()), (OWN_WEIGHT, pa.float64()))
        yield Source(sql=_VALUED, columns=(*rows.columns, *types))
    finally:
        connection.drop(_ROWS)


def _columns(rows: Source, bins: ProfileBins) -> list[str]:
    present = {name for name, _ in rows.columns}
    time = OCCURRED if OCCURRED in present else "timestamp"
    wanted = dict.fromkeys([*bins.columns, PREDICTED, SCORE, TRUTH])
    named = [identifier(name) for name in wanted if name in present]
    return [f"{identifier(time)} AS timestamp", *named]


def _known(given: pa.Table, name: str) -> pa.Array:
    values = given[name].to_numpy()
    return pa.array(values, pa.float64(), mask=np.isnan(values))
