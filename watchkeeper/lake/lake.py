"""The tables of all models below one folder or bucket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake.exceptions import TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from watchkeeper.errors import ConfigurationError, InputError
from watchkeeper.lake.columns import complete_labels, complete_predictions
from watchkeeper.lake.table import LakeTable, append, open_table, readable_errors

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")


class Lake:
    """Predictions and labels, one Delta table per model and schema generation.

    Parameters
    ----------
    root
        A folder, or a URL of S3, Google Cloud Storage or Azure. Credentials come from the
        environment, under the names that those services' own tools use.
    storage_options
        Settings of the storage that are not in the environment.

    Raises
    ------
    ConfigurationError
        ``root`` is a URL of another kind.
    """

    def __init__(self, root: str, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = _normal(root)
        self._options = dict(storage_options or {})

    def append_predictions(
        self, model: str, generation: int, rows: pa.Table, *, writer: str, sequence: int
    ) -> bool:
        """Append a batch of predictions; see ``watchkeeper.lake.table.append``.

        Parameters
        ----------
        rows
            The columns of ``prediction_schema``; ``writer``, ``sequence`` and ``day`` are added
            where they are missing. The first batch makes the table, later ones must fit it.

        Returns
        -------
        bool
            False when the batch is in already, or empty.
        """
        uri = self._predictions_uri(model, generation)
        rows = complete_predictions(rows, writer=writer, sequence=sequence, table=uri)
        return self._append(uri, rows, writer, sequence)

    def append_labels(self, model: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        """Append a batch of labels, columns as in ``label_schema``; see ``append_predictions``."""
        uri = self._labels_uri(model)
        rows = complete_labels(rows, writer=writer, sequence=sequence, table=uri)
        return self._append(uri, rows, writer, sequence)

    def predictions(self, model: str) -> list[LakeTable]:
        """Return the model's prediction tables as they are now, oldest generation first."""
        tables = (
            open_table(self._predictions_uri(model, number), self._options, generation=number)
            for number in self._generations(model)
        )
        return [table for table in tables if table is not None]

    def labels(self, model: str) -> LakeTable | None:
        """Return the model's label table as it is now; None when no label ever came."""
        return open_table(self._labels_uri(model), self._options)

    def _append(self, uri: str, rows: pa.Table, writer: str, sequence: int) -> bool:
        if not rows.num_rows:
            return False
        return append(uri, self._options, rows, writer=writer, sequence=sequence)

    def _generations(self, model: str) -> list[int]:
        folder = f"predictions/{_plain(model)}"
        with readable_errors(self.root):
            try:
                files = PyFileSystem(DeltaStorageHandler(self.root, options=self._options))
                entries = files.get_file_info(FileSelector(folder, allow_not_found=True))
            except TableNotFoundError:
                return []
        names = (entry.base_name for entry in entries if entry.type == FileType.Directory)
        return sorted(int(name) for name in names if name.isdecimal())

    def _predictions_uri(self, model: str, generation: int) -> str:
        return f"{self.root}/predictions/{_plain(model)}/{generation}"

    def _labels_uri(self, model: str) -> str:
        return f"{self.root}/labels/{_plain(model)}"


def _normal(root: str) -> str:
    scheme, separator, _ = root.partition("://")
    if not separator:
        return str(Path(root).absolute())
    if scheme == "file":
        return str(Path(unquote(urlsplit(root).path)))
    if scheme not in SCHEMES:
        raise ConfigurationError(
            f"expected a folder or a URL with one of {', '.join(SCHEMES)}, got {scheme}://",
            field="lake_url",
        )
    return root.rstrip("/")


def _plain(model: str) -> str:
    # The name becomes a folder: it must not lead out of the lake.
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", model) is None:
        raise InputError(
            f"model {model!r}: expected letters, digits, '_', '.' and '-', not starting with '.'"
        )
    return model
