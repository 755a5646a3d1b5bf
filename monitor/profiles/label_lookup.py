"""Which hours of predictions new labels belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import pyarrow as pa

from monitor.profiles.connection import Connection, Source, instant
from monitor.profiles.marks import NewLabels
from monitor.profiles.query import EPOCH, HOUR, MICROSECOND
from monitor.sql import select


class LabelLookup:
    """Looks up batches of new labels in tables of predictions, one table after the other.

    Parameters
    ----------
    labels
        Rows of the label table, at least those of the batches.
    batches
        What is new; of each batch only the labels after its ``seen_until``.
    now
        Labels of later times are left for later.
    """

    def __init__(
        self,
        connection: Connection,
        labels: Source,
        batches: Collection[NewLabels],
        now: datetime,
    ) -> None:
        self._connection = connection
        instants = pa.array([batch.seen_until for batch in batches], pa.timestamp("us", tz="UTC"))
        keys = pa.table(
            {
                "writer": [batch.writer for batch in batches],
                "sequence": [batch.sequence for batch in batches],
                "seen_until": instants,
            }
        )
        source = f"{labels.sql} JOIN {connection.arrow(keys).sql} USING (writer, sequence)"
        new = "WHERE seen_until IS NULL OR labelled_at > seen_until"
        columns = ["prediction_id", "labelled_at", "writer", "sequence"]
        connection.view("new_labels", select(columns, source, new))
        self._later = f"WHERE labelled_at > {instant(now)}"
        due = f"WHERE labelled_at <= {instant(now)}"
        rows = connection.rows(select(["DISTINCT prediction_id"], "new_labels", due))
        self._missing = _ids(row["prediction_id"] for row in rows)

    @property
    def done(self) -> bool:
        """Whether the predictions of all labels have been found."""
        return not self._missing.num_rows

    def hours_in(self, predictions: Source) -> set[datetime]:
        """Return the UTC hours of those predictions, here, that new labels belong to."""
        missing = self._connection.arrow(self._missing).sql
        columns = ["prediction_id", f"epoch_us(timestamp) // {HOUR // MICROSECOND} AS hour"]
        source = f"{predictions.sql} SEMI JOIN {missing} USING (prediction_id)"
        found = self._connection.rows(select(columns, source))
        known = {row["prediction_id"] for row in found}
        self._missing = _ids(n for n in self._missing.column(0).to_pylist() if n not in known)
        return {EPOCH + row["hour"] * HOUR for row in found}

    def in_the_future(self) -> set[tuple[str, int]]:
        """Return writer and sequence of the batches with labels whose time has not come."""
        query = select(["DISTINCT writer", "sequence"], "new_labels", self._later)
        return {(row["writer"], row["sequence"]) for row in self._connection.rows(query)}


def _ids(names: Iterable[str]) -> pa.Table:
    return pa.table({"prediction_id": pa.array(names, pa.string())})
