"""Checks that the tables exist which a model's file names as its source, with its columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.sources.schema import require_columns
from monitor.tables import Tables, table_address
from watchkeeper.document import Document, Place
from watchkeeper.errors import ConfigurationError, TableError
from watchkeeper.model_settings import ModelSettings


def source_errors(
    document: Document, settings: ModelSettings, home: Path
) -> Iterator[ConfigurationError]:
    """Yield what is wrong with the tables of a model whose records are made elsewhere."""
    if settings.source.is_built_in:
        return
    named: tuple[tuple[Place, str | None], ...] = (
        (("source", "table"), settings.source.table),
        (("reference", "table"), settings.reference.table),
    )
    with Tables() as tables:
        for place, name in named:
            if name is None:
                continue
            try:
                # One row of another database is enough to know its columns.
                table = tables.open(table_address(name, home), limit=1)
                require_columns(table, settings, empty=True)
            except TableError as exc:
                yield document.error(str(exc), place)
